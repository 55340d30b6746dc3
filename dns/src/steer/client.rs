//! Whom an answer is for: the network an ECS option names, else the address the query came from.

use std::net::IpAddr;

use lifeboat_health::Family;

/// A client's address as far as it is known; the bits beyond are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) family: Family,
    /// The address, its first bit the highest.
    pub(crate) bits: u128,
}

impl Client {
    /// An IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2) is the IPv4 address.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self {
                family: Family::V4,
                bits: u128::from(v4.to_bits()) << 96,
            },
            IpAddr::V6(v6) => Self {
                family: Family::V6,
                bits: v6.to_bits(),
            },
        }
    }

    /// The leading `len` bits.
    pub(crate) fn prefix(&self, len: u8) -> u128 {
        self.bits & prefix_mask(len)
    }
}

/// A mask of `len` leading ones.
pub(crate) fn prefix_mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0)
}
