//! Turns plan data into checked values: names parsed, limits held, answer sets not empty.

mod name;
mod service;
mod zone;

use std::cmp::Ordering;

pub(crate) use name::{CheckedName, check as name};
pub(crate) use service::{CheckedServices, Target};
pub(crate) use zone::check as zone;

/// The largest TTL (RFC 2181 §8).
pub(crate) const MAX_TTL_S: u32 = 0x7fff_ffff;
/// The most addresses one name may have; their records fit one TCP message.
pub(crate) const MAX_ADDRESSES: usize = 1_000;

/// The longest record data: a TXT of the size an answer over TCP can carry.
const MAX_TEXT_OCTETS: usize = 32_000;

/// Names that occur more than once.
#[derive(Debug)]
pub(crate) struct Duplicates<'a>(Vec<&'a str>);

impl Duplicates<'_> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.binary_search_by(|twice| cmp(twice, name)).is_ok()
    }
}

/// Finds names that occur more than once, whatever their case and with the last dot or without.
pub(crate) fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Duplicates<'a> {
    let mut names: Vec<&str> = names.collect();
    names.sort_by(|left, right| cmp(left, right));
    let twice = names.chunk_by(|left, right| cmp(left, right).is_eq());
    Duplicates(twice.filter(|same| same.len() > 1).map(|same| same[0]).collect())
}

fn cmp(left: &str, right: &str) -> Ordering {
    fn octets(name: &str) -> impl Iterator<Item = u8> + '_ {
        name.trim_end_matches('.')
            .bytes()
            .map(|octet| octet.to_ascii_lowercase())
    }
    octets(left).cmp(octets(right))
}

/// Why a TTL is not allowed.
fn ttl_problem(ttl_s: u32) -> Option<String> {
    (ttl_s > MAX_TTL_S).then(|| format!("is {ttl_s}; at most {MAX_TTL_S} seconds are allowed"))
}
