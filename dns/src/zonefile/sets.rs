//! Records to record sets (RFC 2181 §5): in canonical order, duplicates dropped, one TTL each.

use std::cmp::Ordering;

use domain::base::iana::Rtype;

use super::names;
use super::problem::{At, Problems, Reason};
use super::rdata::kind_text;
use crate::name::Name;
use crate::nonempty::NonEmpty;

/// One record as it was read.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) kind: u16,
    /// `None`: that of the SOA, which comes later.
    pub(crate) ttl_s: Option<u32>,
    pub(crate) rdata: Box<[u8]>,
    pub(crate) at: At,
}

impl Record {
    /// The type that a signature covers: signatures of several types are several sets (RFC 4034 §3).
    fn covered(&self) -> Option<&[u8]> {
        (self.kind == Rtype::RRSIG.to_int())
            .then(|| self.rdata.get(..2))
            .flatten()
    }

    fn is_in_set_of(&self, other: &Self) -> bool {
        self.kind == other.kind && self.owner == other.owner && self.covered() == other.covered()
    }

    fn cmp_data(&self, other: &Self) -> Ordering {
        names::canonical(self.kind, &self.rdata).cmp(&names::canonical(other.kind, &other.rdata))
    }
}

/// The records of one name and type; of RRSIG, those that cover one type.
#[derive(Debug, PartialEq, Eq)]
pub struct RecordSet {
    owner: Name,
    kind: u16,
    ttl_s: u32,
    rdata: NonEmpty<Box<[u8]>>,
}

impl RecordSet {
    #[must_use]
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// The number of the type.
    #[must_use]
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// Seconds; at most 2^31 - 1 (RFC 2181 §8).
    #[must_use]
    pub fn ttl_s(&self) -> u32 {
        self.ttl_s
    }

    /// The data of each record in uncompressed wire form, as written in upper and lower case, in canonical order
    /// (RFC 4034 §6.3); at least one.
    #[must_use]
    pub fn rdata(&self) -> &[Box<[u8]>] {
        &self.rdata
    }
}

/// A set and where its first and its last record stand.
#[derive(Debug)]
pub(crate) struct PlacedSet {
    pub(crate) set: RecordSet,
    pub(crate) first: At,
    pub(crate) last: At,
    /// Where a record stands that is in the set already.
    pub(crate) again: Option<At>,
}

pub(crate) fn group(mut records: Vec<Record>, soa_ttl_s: u32, problems: &mut Problems) -> Vec<PlacedSet> {
    records.sort_by_cached_key(|record| {
        let covered = record.covered().and_then(|octets| octets.first_chunk().copied());
        (
            record.owner.canonical_key(),
            record.kind,
            covered.map(u16::from_be_bytes),
        )
    });
    let mut sets = Vec::new();
    let mut run: Vec<Record> = Vec::new();
    for record in records {
        if run.first().is_some_and(|first| !record.is_in_set_of(first)) {
            sets.extend(close(&mut run, soa_ttl_s, problems));
        }
        run.push(record);
    }
    sets.extend(close(&mut run, soa_ttl_s, problems));
    sets
}

fn close(run: &mut Vec<Record>, soa_ttl_s: u32, problems: &mut Problems) -> Option<PlacedSet> {
    let ttls = || run.iter().map(|record| record.ttl_s.unwrap_or(soa_ttl_s));
    let (lowest, highest) = (ttls().min()?, ttls().max()?);
    let position = |at: &At| (at.file, at.spot.line, at.spot.column);
    let first = run.iter().map(|record| record.at).min_by_key(position)?;
    let last = run.iter().map(|record| record.at).max_by_key(position)?;
    let Record { owner, kind, .. } = run.first()?;
    let (owner, kind) = (owner.clone(), *kind);
    if lowest != highest {
        let reason = Reason::TtlsDiffer {
            kind: kind_text(kind),
            owner: owner.to_string(),
            lowest,
            highest,
        };
        problems.push(last, reason);
    }
    run.sort_by(Record::cmp_data);
    let mut again = None;
    run.dedup_by(|next, kept| {
        let same = kept.cmp_data(next) == Ordering::Equal;
        if same {
            again = Some(next.at);
        }
        same
    });
    Some(PlacedSet {
        set: RecordSet {
            owner,
            kind,
            ttl_s: lowest,
            rdata: NonEmpty::new(run.drain(..).map(|record| record.rdata).collect())?,
        },
        first,
        last,
        again,
    })
}
