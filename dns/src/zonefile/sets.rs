//! Records to record sets (RFC 2181 §5): in canonical order, duplicates dropped, one TTL each.

use std::cmp::Ordering;
use std::ops::Range;

use domain::base::iana::Rtype;

use super::names;
use super::problem::{At, Problems, Reason};
use super::rdata::kind_text;
use crate::name::{Name, wire};
use crate::zone::image::{Draft, Image, TooLarge};

const RRSIG: u16 = Rtype::RRSIG.to_int();

/// The records of a zone as they were read: their octets behind each other, and a row for each.
#[derive(Debug, Default)]
pub(crate) struct Records {
    octets: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where the owner's name starts; the data follows it.
    start: u32,
    owner_len: u8,
    data_len: u16,
    kind: u16,
    /// `None`: that of the SOA, which comes later.
    ttl_s: Option<u32>,
    at: At,
}

impl Records {
    /// Appends a record; the owner is in lower case.
    pub(crate) fn push(
        &mut self,
        owner: &[u8],
        kind: u16,
        ttl_s: Option<u32>,
        data: &[u8],
        at: At,
    ) -> Result<(), TooLarge> {
        let (Ok(start), Ok(owner_len), Ok(data_len)) = (
            u32::try_from(self.octets.len()),
            u8::try_from(owner.len()),
            u16::try_from(data.len()),
        ) else {
            return Err(TooLarge);
        };
        self.octets.extend_from_slice(owner);
        self.octets.extend_from_slice(data);
        self.rows.push(Row {
            start,
            owner_len,
            data_len,
            kind,
            ttl_s,
            at,
        });
        Ok(())
    }

    fn owner(&self, row: &Row) -> &[u8] {
        let start = row.start as usize;
        self.slice(start..start + usize::from(row.owner_len))
    }

    fn data(&self, row: &Row) -> &[u8] {
        let start = row.start as usize + usize::from(row.owner_len);
        self.slice(start..start + usize::from(row.data_len))
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.octets.get(range).unwrap_or_default()
    }

    /// The type that a signature covers: signatures of several types are several sets (RFC 4034 §3).
    fn covered(&self, row: &Row) -> Option<u16> {
        let covered = (row.kind == RRSIG).then(|| self.data(row).first_chunk())??;
        Some(u16::from_be_bytes(*covered))
    }

    fn cmp_set(&self, left: &Row, right: &Row) -> Ordering {
        wire::cmp(self.owner(left), self.owner(right))
            .then_with(|| left.kind.cmp(&right.kind))
            .then_with(|| self.covered(left).cmp(&self.covered(right)))
    }

    fn cmp_data(&self, left: &Row, right: &Row) -> Ordering {
        let canonical = |row: &Row| names::canonical(row.kind, self.data(row));
        canonical(left).cmp(&canonical(right))
    }
}

/// Where the first and the last record of a set stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: At,
    pub(crate) last: At,
    /// A record is there twice.
    pub(crate) again: bool,
}

/// The sets as an image, and the place of each in the same order.
pub(crate) fn group(mut records: Records, soa_ttl_s: u32, problems: &mut Problems) -> (Image, Vec<Place>) {
    let mut rows = std::mem::take(&mut records.rows);
    rows.sort_by(|left, right| records.cmp_set(left, right));
    let mut draft = Draft::default();
    let mut places = Vec::new();
    for run in rows.chunk_by_mut(|left, right| records.cmp_set(left, right).is_eq()) {
        if let Err((at, reason)) = close(&records, run, soa_ttl_s, &mut draft, &mut places, problems) {
            problems.push(at, reason);
        }
    }
    (draft.finish(), places)
}

fn close(
    records: &Records,
    run: &mut [Row],
    soa_ttl_s: u32,
    draft: &mut Draft,
    places: &mut Vec<Place>,
    problems: &mut Problems,
) -> Result<(), (At, Reason)> {
    let Some(&Row { kind, at, .. }) = run.first() else {
        return Ok(());
    };
    let (mut first, mut last, mut lowest, mut highest) = (at, at, u32::MAX, 0);
    for row in &*run {
        let ttl_s = row.ttl_s.unwrap_or(soa_ttl_s);
        (lowest, highest) = (lowest.min(ttl_s), highest.max(ttl_s));
        first = first.min(row.at);
        last = last.max(row.at);
    }
    let owner = run.first().map(|row| records.owner(row)).unwrap_or_default();
    if lowest != highest {
        let reason = Reason::TtlsDiffer {
            kind: kind_text(kind),
            owner: Name::from_wire(owner).to_string(),
            lowest,
            highest,
        };
        problems.push(last, reason);
    }
    run.sort_by(|left, right| records.cmp_data(left, right));
    let same = |left: &Row, right: &Row| records.cmp_data(left, right).is_eq();
    let distinct = || run.chunk_by(same).filter_map(|equal| equal.first());
    let again = distinct().count() < run.len();
    draft
        .push(owner, kind, lowest, distinct().map(|row| records.data(row)))
        .map_err(|TooLarge| (at, Reason::ZoneTooLarge(Name::from_wire(owner).to_string())))?;
    places.push(Place { first, last, again });
    Ok(())
}
