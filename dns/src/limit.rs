//! Response rate limiting: forged queries make us send answers to somebody who has not asked, and this bounds how many.
//!
//! ```text
//! client ──ladder──> prefixes, the longest first ──table──> a bucket each ──> send | truncate | drop
//! ```
//! Every prefix of the ladder has a bucket for each kind of response. An answer takes one token of each, and is limited by the
//! first that has none. Of limited answers every `slip`th is sent truncated and without records, so that whoever is really there
//! asks again over TCP, which cannot be forged.

mod rules;
mod table;

use std::net::IpAddr;

pub use rules::{Ladder, LadderError, LimitRules, Rung};
use table::{Rate, Table};

use crate::answer::{Reply, Transport};
use crate::cookie::CookieSeen;
use crate::wire::Rcode;
use lifeboat_health::MonoTime;

/// What becomes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Without records and with TC.
    Truncate,
    Drop,
}

/// Responses that are counted apart, so that a flood of one kind does not limit the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// With records, without data of that type, or a referral.
    Answer,
    NxDomain,
    Error,
}

impl Class {
    fn of(rcode: Rcode) -> Self {
        match rcode {
            Rcode::NoError | Rcode::YxDomain => Self::Answer,
            Rcode::NxDomain => Self::NxDomain,
            Rcode::FormErr
            | Rcode::ServFail
            | Rcode::NotImp
            | Rcode::Refused
            | Rcode::BadVers
            | Rcode::BadCookie => Self::Error,
        }
    }
}

/// The buckets of one server: one table of atomics that all of its threads share.
#[derive(Debug)]
pub struct Limiter {
    rules: LimitRules,
    table: Table,
}

impl Limiter {
    /// With a key that nobody else knows, so that nobody can choose addresses that share a bucket.
    #[must_use]
    pub fn new(rules: LimitRules, key: [u8; 16]) -> Self {
        let table = Table::new(rules.table_size, key);
        Self { rules, table }
    }

    #[must_use]
    pub fn rules(&self) -> &LimitRules {
        &self.rules
    }

    /// Takes the tokens of one response. `draw` is a uniform random number: which of the limited answers slip.
    pub fn judge(
        &self,
        client: IpAddr,
        transport: Transport,
        reply: &Reply,
        now: MonoTime,
        draw: u64,
    ) -> Verdict {
        if transport == Transport::Tcp || reply.cookie == CookieSeen::Good || self.rules.exempts(client) {
            return Verdict::Send;
        }
        let class = Class::of(reply.rcode);
        let per_second = match class {
            Class::Answer => self.rules.answers_per_second,
            Class::NxDomain => self.rules.nxdomains_per_second,
            Class::Error => self.rules.errors_per_second,
        };
        let now_us = now.as_micros();
        let limited = self.rules.prefixes(client).any(|(prefix, times)| {
            let rate = Rate::per_second(per_second.saturating_mul(times));
            !self.table.take(prefix, class as u8, rate, now_us)
        });
        match self.rules.slip {
            _ if !limited => Verdict::Send,
            0 => Verdict::Drop,
            every if draw.is_multiple_of(u64::from(every)) => Verdict::Truncate,
            _ => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests;
