//! What is allowed, and to whom.

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// Response rate limiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// Answers a second to one prefix of the first rung; further rungs multiply it.
    pub answers_per_second: u32,
    pub nxdomains_per_second: u32,
    pub errors_per_second: u32,
    /// Of limited answers, one in so many is sent truncated: 1 all, 0 none.
    pub slip: u32,
    pub ipv4: Ladder,
    pub ipv6: Ladder,
    /// Who is not limited.
    pub exempt: Vec<IpNet>,
    /// Buckets; rounded up to a power of two.
    pub table_size: usize,
}

/// Prefixes that are counted, the longest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder(Vec<Rung>);

/// Prefixes of one length, and how many times the rate of a client they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    pub length: u8,
    pub times: u32,
}

/// Why rungs are no ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LadderError {
    #[error("has {0} rungs; 1 to {MAX_RUNGS} are allowed")]
    Rungs(usize),
    #[error("has the length {0}; 1 to {1} are allowed")]
    Length(u8, u8),
    #[error("has the length {1} after {0}; each rung has to be shorter than the one before")]
    Order(u8, u8),
    #[error("times: is 0 for the length {0}; at least 1 is needed")]
    Times(u8),
}

const MAX_RUNGS: usize = 4;
const V4_BITS: u8 = 32;
const V6_BITS: u8 = 128;

impl Ladder {
    /// # Errors
    /// What is wrong with the rungs.
    pub fn ipv4(rungs: Vec<Rung>) -> Result<Self, LadderError> {
        Self::checked(rungs, V4_BITS)
    }

    /// # Errors
    /// What is wrong with the rungs.
    pub fn ipv6(rungs: Vec<Rung>) -> Result<Self, LadderError> {
        Self::checked(rungs, V6_BITS)
    }

    fn checked(rungs: Vec<Rung>, bits: u8) -> Result<Self, LadderError> {
        if rungs.is_empty() || rungs.len() > MAX_RUNGS {
            return Err(LadderError::Rungs(rungs.len()));
        }
        for Rung { length, times } in &rungs {
            if !(1..=bits).contains(length) {
                return Err(LadderError::Length(*length, bits));
            }
            if *times == 0 {
                return Err(LadderError::Times(*length));
            }
        }
        match rungs.windows(2).find(|pair| pair[1].length >= pair[0].length) {
            Some(pair) => Err(LadderError::Order(pair[0].length, pair[1].length)),
            None => Ok(Self(rungs)),
        }
    }
}

/// A prefix as bits: those behind it are 0, and IPv4 stands where IPv6 maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) bits: u128,
    pub(super) length: u8,
}

impl LimitRules {
    pub(super) fn exempts(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.exempt.iter().any(|network| network.contains(&client))
    }

    /// The prefixes of a client and their factors, the longest first.
    pub(super) fn prefixes(&self, client: IpAddr) -> impl Iterator<Item = (Prefix, u32)> {
        let (ladder, bits, above) = match client.to_canonical() {
            IpAddr::V4(v4) => (&self.ipv4, v4.to_ipv6_mapped().to_bits(), V6_BITS - V4_BITS),
            IpAddr::V6(v6) => (&self.ipv6, v6.to_bits(), 0),
        };
        ladder.0.iter().map(move |rung| {
            let length = above + rung.length;
            let behind = u32::from(V6_BITS - length);
            let bits = bits
                .checked_shr(behind)
                .unwrap_or(0)
                .checked_shl(behind)
                .unwrap_or(0);
            (Prefix { bits, length }, rung.times)
        })
    }
}
