//! Checked zone data, the one form of it: whether it came from a master file, from a part of a plan or from
//! last-known-good, it is an apex and an [`Image`].
//!
//! ```text
//! master file ──zonefile::read──┐
//! ZoneInput ──catalog::check────┼──> Zone ──snapshot::build──> Snapshot
//! last-known-good ──────────────┘
//! ```

pub(crate) mod image;
mod obstacle;

pub use image::RecordSet;
use image::{Image, Owner};

use crate::name::{Name, wire};
use crate::wire::rtype;

/// A checked zone: exactly one SOA, and no record outside or twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Zone {
    apex: Name,
    image: Image,
}

impl Zone {
    /// A zone of an image that has passed the checks of `zonefile`. `None` where it has not the one thing that all
    /// others rely on, a SOA at the apex with everything else below it.
    pub(crate) fn new(apex: Name, image: Image) -> Option<Self> {
        let first = image.owner(0)?;
        let soa = first.sets().find(|set| set.kind() == rtype::SOA)?;
        let whole = soa.len() == 1 && soa.rdata().all(is_soa);
        // What is in order and starts and ends within the apex is within it.
        let within = |owner: Owner<'_>| wire::is_within(owner.name(), apex.wire());
        let last = image.owner(image.len() - 1)?;
        let fits = first.name() == apex.wire() && within(last);
        (whole && fits).then_some(Self { apex, image })
    }

    /// The name of the zone.
    #[must_use]
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The serial of its SOA (RFC 1035 §3.3.13).
    #[must_use]
    pub fn serial(&self) -> u32 {
        let soa = self.sets().find(|set| set.kind() == rtype::SOA);
        let data = soa.and_then(|set| set.rdata().next()).unwrap_or_default();
        let serial = data
            .len()
            .checked_sub(20)
            .and_then(|at| data.get(at..)?.first_chunk());
        serial.map_or(0, |octets| u32::from_be_bytes(*octets))
    }

    /// The record sets in canonical order of owners (RFC 4034 §6.1), then by type.
    pub fn sets(&self) -> impl Iterator<Item = RecordSet<'_>> {
        self.image.owners().flat_map(|owner| owner.sets())
    }

    /// Octets of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.image.memory() + self.apex.wire().len()
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }
}

/// Two names and five numbers.
fn is_soa(data: &[u8]) -> bool {
    let names = data.len().checked_sub(20).and_then(|end| data.get(..end));
    let lower = names.unwrap_or_default().to_ascii_lowercase();
    let first = wire::upward(&lower)
        .last()
        .map_or(0, |root| lower.len() - root.len());
    let (mname, rname) = lower.split_at((first + 1).min(lower.len()));
    wire::is_name(mname) && wire::is_name(rname)
}

#[cfg(test)]
mod tests;
