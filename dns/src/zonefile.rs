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
pub(crate) use problem::{At, Problems, Spot};
pub use problem::{Place, Problem, Reason, Severity};
pub(crate) use rdata::{is_meta, parse_kind};
pub use scan::ScanError;
pub(crate) use sets::Records;
pub use text::NameFault;

use self::problem::shown;
use self::token::{Entry, Lexer};
use crate::name::Name;
use crate::zone::Zone;

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
    let zone = whole(apex, records, soa_ttl_s, &mut problems);
    let (problems, left_out) = problems.finish();
    Reading {
        zone,
        problems,
        left_out,
    }
}

/// The zone that records make; `soa_ttl_s` is the TTL of those without one. `None` when it breaks a rule.
pub(crate) fn whole(apex: &Name, records: Records, soa_ttl_s: u32, problems: &mut Problems) -> Option<Zone> {
    let (image, places) = sets::group(records, soa_ttl_s, problems);
    check::check(apex, &image, &places, problems);
    let image = (!problems.has_errors()).then_some(image)?;
    Zone::new(apex.clone(), image)
}

/// The data of one record by itself; names in it are full.
pub(crate) fn parse_data(kind: u16, text: &str) -> Result<Vec<u8>, Reason> {
    let spot = Spot { line: 1, column: 1 };
    let mut lexer = Lexer::generated(text.as_bytes(), spot);
    let (mut tokens, mut problems) = (Vec::new(), Vec::new());
    lexer.entry(&mut tokens, &mut problems);
    let errors = problems.into_iter().map(|(_, reason)| reason);
    if let Some(reason) = errors
        .into_iter()
        .find(|reason| reason.severity() == Severity::Error)
    {
        return Err(reason);
    }
    let data = rdata::read(kind, &tokens, &[0], spot, |_| {}).map_err(|(_, reason)| reason)?;
    match lexer.entry(&mut tokens, &mut Vec::new()) {
        Entry::End => Ok(data),
        Entry::Words { .. } | Entry::Broken => Err(Reason::Extra {
            word: shown(tokens.first().map_or(b"", |token| token.raw)),
            after: "one record's data".to_owned(),
        }),
    }
}

/// A name as a master file writes it, escapes included; it is absolute with or without the last dot.
///
/// # Errors
/// When a label or the name has a length that is not allowed.
pub fn parse_name(text: &str) -> Result<Name, NameFault> {
    text::name(text.as_bytes(), &[0]).map(|wire| Name::from_wire(&wire.to_ascii_lowercase()))
}
