//! Master files (RFC 1035 §5) to checked zone data.
//!
//! ```text
//! source ──> token ──> read ──> rdata ──> sets ──> check ──> Zone, and what is wrong with it
//!              ▲        │ $INCLUDE, $GENERATE
//!              └────────┘
//! ```
//! All problems of a zone are collected, with file, line and column. A zone with an error is refused whole; the rule
//! of what is an error stands in [`Reason::severity`].
//!
//! Pure: files are read by a closure. [`from_disk`] is the one for real files.

mod algorithm;
mod check;
mod fields;
mod generate;
mod include;
mod loc;
mod names;
mod problem;
mod rdata;
mod read;
mod scan;
mod sets;
mod svcb;
mod text;
mod token;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

pub use include::from_disk;
pub use problem::{Place, Problem, Reason, Severity};
pub use scan::ScanError;
pub use sets::RecordSet;
pub use text::NameFault;

use crate::name::Name;
use crate::wire::rtype;

/// Files open at once, the zone's own counted.
const MAX_DEPTH: usize = 16;
/// Files that one zone is made of.
const MAX_FILES: usize = 10_000;
/// Octets of all files of one zone.
const MAX_OCTETS: usize = 1 << 30;
/// Words of one entry: data of the longest length, each hexadecimal digit by itself.
const MAX_WORDS: usize = 1 << 17;
/// Records that the $GENERATE directives of one zone make.
const MAX_GENERATED: usize = 1 << 20;
/// Octets of text that they make.
const MAX_GENERATED_OCTETS: usize = 1 << 26;

/// A checked zone: exactly one SOA, and no record outside or twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Zone {
    apex: Name,
    sets: Vec<RecordSet>,
}

impl Zone {
    /// The name of the zone.
    #[must_use]
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The record sets in canonical order of owners (RFC 4034 §6.1), then by type.
    #[must_use]
    pub fn sets(&self) -> &[RecordSet] {
        &self.sets
    }

    /// The sets of one name.
    pub(crate) fn at(&self, name: &Name) -> impl Iterator<Item = &RecordSet> {
        let start = self
            .sets
            .partition_point(|set| set.owner().cmp_canonical(name).is_lt());
        let sets = self.sets.get(start..).unwrap_or_default();
        sets.iter().take_while(move |set| set.owner() == name)
    }

    /// What of the zone's own records leaves no room for a steered name, as the middle of a sentence.
    pub(crate) fn obstacle(&self, name: &Name) -> Option<&'static str> {
        let own = self.at(name).find_map(|set| match set.kind() {
            rtype::A | rtype::AAAA => Some("has fixed addresses for"),
            rtype::CNAME => Some("has a CNAME for"),
            _ => None,
        });
        own.or_else(|| {
            name.up_to(&self.apex).find_map(|above| {
                self.at(&above).find_map(|set| match set.kind() {
                    rtype::NS if above != self.apex => Some("delegates"),
                    rtype::DNAME if above != *name => Some("has a DNAME above"),
                    _ => None,
                })
            })
        })
    }
}

/// What came of reading a zone.
#[derive(Debug)]
pub struct Reading {
    /// `None` when the zone is refused.
    pub zone: Option<Zone>,
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
    /// Further problems, beyond the number that is kept.
    pub left_out: usize,
}

/// Reads the zone `apex` from `file`, and what that includes, through `source`.
///
/// `source` gives the octets of a file; paths of included files come joined to the folder of the including one.
pub fn read(apex: &Name, file: &Path, source: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>) -> Reading {
    let (records, soa_ttl_s, mut problems) = read::Reader::new(apex, source).run(file);
    let sets = sets::group(records, soa_ttl_s, &mut problems);
    check::check(apex, &sets, &mut problems);
    let zone = (!problems.has_errors()).then(|| Zone {
        apex: apex.clone(),
        sets: sets.into_iter().map(|placed| placed.set).collect(),
    });
    let (problems, left_out) = problems.finish();
    Reading {
        zone,
        problems,
        left_out,
    }
}

/// A name as a master file writes it, escapes included; it is absolute with or without the last dot.
///
/// # Errors
/// When a label or the name has a length that is not allowed.
pub fn parse_name(text: &str) -> Result<Name, NameFault> {
    text::name(text.as_bytes(), &[0]).map(|wire| Name::from_wire(&wire.to_ascii_lowercase()))
}
