//! All record sets of a zone in one immutable octet string, read where they stand.
//!
//! ```text
//! image  = owner*           in canonical order (RFC 4034 §6.1)
//! owner  = length:u8 name sets:u16 set*
//! set    = kind:u16 ttl:u32 count:u16 length:u32 record*          by kind
//! record = length:u16 data                                        in canonical order (RFC 4034 §6.3)
//! ```
//! Last-known-good keeps it as it is.

use std::fmt;

use crate::name::wire;
use crate::wire::rtype;

/// Octets of a set before its records.
const SET_HEAD: usize = 12;

/// Record sets in canonical order, and where each owner starts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Image {
    octets: Box<[u8]>,
    owners: Box<[u32]>,
}

/// A name with records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    name: &'a [u8],
    sets: &'a [u8],
}

/// The records of one name and type; of RRSIG, those that cover one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSet<'a> {
    owner: &'a [u8],
    kind: u16,
    ttl_s: u32,
    count: u16,
    records: &'a [u8],
}

impl Image {
    /// An image from octets that come from outside; `None` when they are none.
    pub(crate) fn parse(octets: Box<[u8]>) -> Option<Self> {
        u32::try_from(octets.len()).ok()?;
        let mut owners = Vec::new();
        let mut before: Option<&[u8]> = None;
        let mut rest = &*octets;
        while !rest.is_empty() {
            owners.push(u32::try_from(octets.len() - rest.len()).ok()?);
            let (owner, count, after) = owner(rest)?;
            let in_order = || before.is_none_or(|before| wire::cmp(before, owner).is_lt());
            if !wire::is_name(owner) || !in_order() || count == 0 {
                return None;
            }
            before = Some(owner);
            rest = after;
            let mut kind_before = 0;
            for _ in 0..count {
                let (set, after) = set(owner, rest)?;
                if set.kind < kind_before || !set.is_whole() {
                    return None;
                }
                kind_before = set.kind;
                rest = after;
            }
        }
        let owners = owners.into();
        Some(Self { octets, owners })
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.octets) + size_of_val(&*self.owners)
    }

    /// How many owners there are.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    pub(crate) fn owner(&self, index: usize) -> Option<Owner<'_>> {
        let start = *self.owners.get(index)? as usize;
        let end = self
            .owners
            .get(index + 1)
            .map_or(self.octets.len(), |end| *end as usize);
        let (name, _, sets) = owner(self.octets.get(start..end)?)?;
        Some(Owner { name, sets })
    }

    pub(crate) fn owners(&self) -> impl Iterator<Item = Owner<'_>> {
        self.owners_from(0)
    }

    /// The owners from the one of a number on.
    pub(crate) fn owners_from(&self, index: usize) -> impl Iterator<Item = Owner<'_>> {
        (index..self.len()).map_while(|index| self.owner(index))
    }

    /// The number of the first owner that is not before a name.
    pub(crate) fn position(&self, name: &[u8]) -> usize {
        self.owners.partition_point(|start| {
            let owner = self.octets.get(*start as usize..).and_then(owner);
            owner.is_some_and(|(owner, ..)| wire::cmp(owner, name).is_lt())
        })
    }

    pub(crate) fn at(&self, name: &[u8]) -> Option<Owner<'_>> {
        self.owner(self.position(name)).filter(|owner| owner.name == name)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.owners()).finish()
    }
}

impl<'a> Owner<'a> {
    /// In wire form, lower case.
    pub(crate) fn name(self) -> &'a [u8] {
        self.name
    }

    pub(crate) fn sets(self) -> impl Iterator<Item = RecordSet<'a>> {
        let mut rest = self.sets;
        std::iter::from_fn(move || {
            let (set, after) = set(self.name, rest)?;
            rest = after;
            Some(set)
        })
    }

    pub(crate) fn find(self, kind: u16) -> Option<RecordSet<'a>> {
        self.sets().find(|set| set.kind == kind)
    }
}

impl<'a> RecordSet<'a> {
    /// The owner's name in wire form, lower case.
    #[must_use]
    pub fn owner(&self) -> &'a [u8] {
        self.owner
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

    /// How many records there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> u16 {
        self.count
    }

    /// The data of each record in uncompressed wire form, as written in upper and lower case, in canonical order
    /// (RFC 4034 §6.3).
    pub fn rdata(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let (data, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
            rest = after;
            Some(data)
        })
    }

    fn is_whole(&self) -> bool {
        let octets: usize = self.rdata().map(|data| data.len() + 2).sum();
        self.count > 0
            && self.rdata().count() == usize::from(self.count)
            && octets == self.records.len()
            && i32::try_from(self.ttl_s).is_ok()
            && (!is_a_name(self.kind) || self.rdata().all(|data| wire::is_name(&data.to_ascii_lowercase())))
    }
}

/// Types whose data is one name and nothing else.
fn is_a_name(kind: u16) -> bool {
    matches!(kind, rtype::NS | rtype::CNAME | rtype::DNAME | rtype::ALIAS)
}

fn owner(octets: &[u8]) -> Option<(&[u8], u16, &[u8])> {
    let (&length, rest) = octets.split_first()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (count, sets) = rest.split_first_chunk()?;
    Some((name, u16::from_be_bytes(*count), sets))
}

fn set<'a>(owner: &'a [u8], octets: &'a [u8]) -> Option<(RecordSet<'a>, &'a [u8])> {
    let (head, rest) = octets.split_first_chunk::<SET_HEAD>()?;
    let [k0, k1, t0, t1, t2, t3, c0, c1, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let (records, rest) = rest.split_at_checked(length)?;
    let set = RecordSet {
        owner,
        kind: u16::from_be_bytes([k0, k1]),
        ttl_s: u32::from_be_bytes([t0, t1, t2, t3]),
        count: u16::from_be_bytes([c0, c1]),
        records,
    };
    Some((set, rest))
}

/// An image while it is written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    octets: Vec<u8>,
    owners: Vec<u32>,
}

/// An image that would take 4 GiB, or a set of more than 65,535 records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Draft {
    /// Appends a set, whose place must be behind all that are there. Nothing is appended when it is too large.
    pub(crate) fn push<'a>(
        &mut self,
        owner: &[u8],
        kind: u16,
        ttl_s: u32,
        rdata: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), TooLarge> {
        let before = (self.octets.len(), self.owners.len());
        let pushed = self.try_push(owner, kind, ttl_s, rdata);
        if pushed.is_none() {
            self.octets.truncate(before.0);
            self.owners.truncate(before.1);
        }
        pushed.ok_or(TooLarge)
    }

    fn try_push<'a>(
        &mut self,
        name: &[u8],
        kind: u16,
        ttl_s: u32,
        rdata: impl Iterator<Item = &'a [u8]>,
    ) -> Option<()> {
        let last = self.owners.last().map(|start| *start as usize);
        let last = last.filter(|start| {
            let last = self.octets.get(*start..).and_then(owner);
            debug_assert!(last.is_none_or(|(last, ..)| wire::cmp(last, name).is_le()));
            last.is_some_and(|(last, ..)| last == name)
        });
        let start = match last {
            Some(start) => start,
            None => {
                let start = self.octets.len();
                self.owners.push(u32::try_from(start).ok()?);
                self.octets.push(u8::try_from(name.len()).ok()?);
                self.octets.extend_from_slice(name);
                self.octets.extend_from_slice(&[0, 0]);
                start
            }
        };
        let head = self.octets.len();
        self.octets.extend_from_slice(&[0; SET_HEAD]);
        let mut count = 0_u16;
        for data in rdata {
            count = count.checked_add(1)?;
            self.octets
                .extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
            self.octets.extend_from_slice(data);
        }
        let length = u32::try_from(self.octets.len() - head - SET_HEAD).ok()?;
        u32::try_from(self.octets.len()).ok()?;
        let into = self.octets.get_mut(head..head + SET_HEAD)?;
        into[..2].copy_from_slice(&kind.to_be_bytes());
        into[2..6].copy_from_slice(&ttl_s.to_be_bytes());
        into[6..8].copy_from_slice(&count.to_be_bytes());
        into[8..].copy_from_slice(&length.to_be_bytes());
        let sets = start + 1 + name.len();
        let into = self.octets.get_mut(sets..sets + 2)?;
        let sets = u16::from_be_bytes([into[0], into[1]]).checked_add(1)?;
        into.copy_from_slice(&sets.to_be_bytes());
        Some(())
    }

    pub(crate) fn finish(self) -> Image {
        Image {
            octets: self.octets.into_boxed_slice(),
            owners: self.owners.into_boxed_slice(),
        }
    }
}
