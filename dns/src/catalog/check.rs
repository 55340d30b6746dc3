//! Turns plan data into checked values: names parsed, limits held, answer sets not empty.

mod data;
mod name;
mod zone;

use std::collections::BTreeSet;

pub(crate) use name::{CheckedName, check as name};
pub(crate) use zone::{CheckedZone, check as zone};

/// The largest TTL (RFC 2181 §8).
pub(crate) const MAX_TTL_S: u32 = 0x7fff_ffff;
/// The most addresses one name may have; their records fit one TCP message.
pub(crate) const MAX_ADDRESSES: usize = 1_000;

/// The longest record data: a TXT of the size an answer over TCP can carry.
const MAX_TEXT_OCTETS: usize = 32_000;

/// The names that occur more than once, in lower case.
pub(crate) fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for name in names.map(str::to_ascii_lowercase) {
        if !seen.insert(name.trim_end_matches('.').to_owned()) {
            twice.insert(name.trim_end_matches('.').to_owned());
            twice.insert(format!("{}.", name.trim_end_matches('.')));
        }
    }
    twice
}

/// Why a TTL is not allowed.
fn ttl_problem(ttl_s: u32) -> Option<String> {
    (ttl_s > MAX_TTL_S).then(|| format!("is {ttl_s}; at most {MAX_TTL_S} seconds are allowed"))
}
