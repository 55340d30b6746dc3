//! The immutable data every answer comes from: built off the hot path, swapped in whole, shared by all threads.
//!
//! ```text
//! question ──Table──> Node ──> RrSet ──> Fixed   a range of ready-made octets
//!                      │          └────> Steered candidates, each with its slot in the gate table and its octets
//!                      └──> Zone (negative answers)
//! ```
//!
//! Architecture Invariant: nothing here changes after it is built; what moves is the gate table.

pub(crate) mod build;
mod table;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::Range;

use crate::gate::table::SlotId;
use crate::name::Name;
use crate::nonempty::NonEmpty;
use crate::stamp::Stamp;
use crate::wire::query::QName;
use crate::wire::{body, rtype};
use table::Table;

/// Where an octet string stands in the snapshot's arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// Everything the server answers, as of one plan.
#[derive(Debug)]
pub struct Snapshot {
    stamp: Option<Stamp>,
    table: Table,
    nodes: Vec<Node>,
    sets: Vec<RrSet>,
    zones: Vec<Zone>,
    /// By the node of a zone's apex inside another zone.
    uppers: BTreeMap<u32, Upper>,
    clusters: Vec<String>,
    octets: Vec<u8>,
}

/// A zone, as far as negative answers need it.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    /// The SOA record with TTL = min(TTL, MINIMUM) (RFC 2308 §3); its first two octets are the owner pointer. `None`
    /// for a zone that could not be loaded.
    pub(crate) negative: Option<Span>,
}

/// What the zone around says of the apex of a zone inside it (RFC 4035 §3.1.4.1).
#[derive(Debug)]
pub(crate) struct Upper {
    pub(crate) zone: u32,
    /// The DS set, if there is one.
    pub(crate) sets: Vec<RrSet>,
}

/// A name that exists: with records, or as an empty non-terminal (RFC 8020 §3.1).
#[derive(Debug)]
pub(crate) struct Node {
    name: Span,
    zone: u32,
    /// The node of `*` below this name (RFC 4592 §3.3.1).
    wildcard: Option<u32>,
    /// The node of the zone cut that this name is or lies below: another server's data (RFC 1034 §4.2.1).
    cut: Option<u32>,
    first_set: u32,
    set_count: u16,
}

/// The records of one type at one name.
#[derive(Debug)]
pub(crate) struct RrSet {
    pub(crate) kind: u16,
    pub(crate) ttl_s: u32,
    pub(crate) data: RrData,
}

#[derive(Debug)]
pub(crate) enum RrData {
    Fixed {
        count: NonZeroU16,
        body: Span,
        addresses: Option<Box<Addresses>>,
    },
    Steered(Steered),
}

/// Addresses of the name servers of one NS set, with their full owner names.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Of servers below the zone cut: without these nobody can get there (RFC 9471 §3.1).
    pub(crate) needed: Option<(NonZeroU16, Span)>,
    pub(crate) helpful: Option<(NonZeroU16, Span)>,
}

/// A record set chosen anew for every answer.
#[derive(Debug)]
pub(crate) struct Steered {
    pub(crate) policy: Policy,
    /// In the order of preference where the policy is failover.
    pub(crate) candidates: NonEmpty<Candidate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Weighted,
    Failover,
    All { max: Option<u16> },
}

/// One cluster's addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) slot: SlotId,
    pub(crate) cluster: u32,
    pub(crate) weight: u32,
    pub(crate) count: NonZeroU16,
    pub(crate) body_start: u32,
}

/// What the snapshot knows of a name.
pub(crate) enum Lookup<'a> {
    /// No zone of ours encloses the name.
    NotOurs,
    /// The zone of the name could not be loaded.
    Broken(&'a Zone),
    /// The name does not exist in the zone.
    Absent(&'a Zone),
    /// The name exists, or a wildcard stands for it; `sets` is empty for an empty non-terminal.
    Present { zone: &'a Zone, sets: &'a [RrSet] },
    /// The name is delegated, by the NS set of a name of `owner_len` octets.
    Delegated { owner_len: usize, servers: &'a RrSet },
    /// The name lies below a DNAME, whose owner has `owner_len` octets (RFC 6672 §2.2).
    Redirected { owner_len: usize, dname: &'a RrSet },
}

impl Snapshot {
    /// A snapshot without zones: every query is refused.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            stamp: None,
            table: Table::with_capacity(0),
            nodes: Vec::new(),
            sets: Vec::new(),
            zones: Vec::new(),
            uppers: BTreeMap::new(),
            clusters: Vec::new(),
            octets: Vec::new(),
        }
    }

    /// The stamp of the plan this snapshot was built from.
    #[must_use]
    pub fn stamp(&self) -> Option<&Stamp> {
        self.stamp.as_ref()
    }

    pub(crate) fn octets(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.octets
            .get(start..start + span.len as usize)
            .unwrap_or_default()
    }

    /// The data of a set's first record; empty where it is steered.
    pub(crate) fn first_data(&self, set: &RrSet) -> &[u8] {
        let RrData::Fixed { body, .. } = &set.data else {
            return &[];
        };
        let record = self.octets(*body);
        let length = record.get(body::RDATA - 2..body::RDATA);
        let length = length.map_or(0, |octets| {
            usize::from(u16::from_be_bytes([octets[0], octets[1]]))
        });
        record.get(body::RDATA..body::RDATA + length).unwrap_or_default()
    }

    /// Some of a candidate's ready-made address records, each `record_len` octets long.
    pub(crate) fn addresses(&self, candidate: &Candidate, records: Range<usize>, record_len: usize) -> &[u8] {
        let start = candidate.body_start as usize;
        self.octets
            .get(start + records.start * record_len..start + records.end * record_len)
            .unwrap_or_default()
    }

    pub(crate) fn cluster(&self, candidate: &Candidate) -> &str {
        self.clusters
            .get(candidate.cluster as usize)
            .map_or("", String::as_str)
    }

    /// Finds what answers a name: the zone cut above it, else itself, else a DNAME or the wildcard at its closest encloser
    /// (RFC 1034 §4.3.2, RFC 6672 §3.2, RFC 4592 §3.3.1), else nothing. Of DS it is the parent's side that answers (RFC 4035 §3.1.4.1).
    pub(crate) fn lookup(&self, qname: &QName, qtype: u16) -> Lookup<'_> {
        if let Some((index, node)) = self.find(qname.wire()) {
            if qtype == rtype::DS
                && let Some(upper) = self.uppers.get(&index)
            {
                return self.in_zone(upper.zone, &upper.sets);
            }
            return match node.cut {
                Some(cut) if cut != index || qtype != rtype::DS => self.delegated(cut),
                Some(_) | None => self.present(node, node),
            };
        }
        let first = qname.label_count().saturating_sub(self.table.max_labels()).max(1);
        for skip in first..=qname.label_count() {
            let Some((_, encloser)) = self.find(qname.suffix(skip)) else {
                continue;
            };
            if let Some(cut) = encloser.cut {
                return self.delegated(cut);
            }
            if let Some(dname) = self.sets_of(encloser).iter().find(|set| set.kind == rtype::DNAME) {
                return Lookup::Redirected {
                    owner_len: encloser.name.len as usize,
                    dname,
                };
            }
            return match encloser.wildcard.and_then(|index| self.nodes.get(index as usize)) {
                Some(wildcard) => self.present(encloser, wildcard),
                None => match self.zones.get(encloser.zone as usize) {
                    Some(zone) if zone.negative.is_none() => Lookup::Broken(zone),
                    Some(zone) => Lookup::Absent(zone),
                    None => Lookup::NotOurs,
                },
            };
        }
        Lookup::NotOurs
    }

    fn delegated(&self, cut: u32) -> Lookup<'_> {
        let found = self.nodes.get(cut as usize).and_then(|node| {
            let servers = self.sets_of(node).iter().find(|set| set.kind == rtype::NS)?;
            Some(Lookup::Delegated {
                owner_len: node.name.len as usize,
                servers,
            })
        });
        found.unwrap_or(Lookup::NotOurs)
    }

    fn present(&self, place: &Node, source: &Node) -> Lookup<'_> {
        self.in_zone(place.zone, self.sets_of(source))
    }

    fn in_zone<'a>(&'a self, zone: u32, sets: &'a [RrSet]) -> Lookup<'a> {
        match self.zones.get(zone as usize) {
            Some(zone) if zone.negative.is_none() => Lookup::Broken(zone),
            Some(zone) => Lookup::Present { zone, sets },
            None => Lookup::NotOurs,
        }
    }

    fn sets_of(&self, node: &Node) -> &[RrSet] {
        let first = node.first_set as usize;
        self.sets
            .get(first..first + usize::from(node.set_count))
            .unwrap_or_default()
    }

    fn find(&self, wire: &[u8]) -> Option<(u32, &Node)> {
        let found = self.table.find(wire, |index| {
            self.nodes
                .get(index as usize)
                .is_some_and(|node| self.octets(node.name) == wire)
        })?;
        Some((found, self.nodes.get(found as usize)?))
    }

    /// Every steered record set with its owner.
    pub(crate) fn steered(&self) -> impl Iterator<Item = (Name, &RrSet, &Steered)> {
        self.nodes.iter().flat_map(move |node| {
            self.sets_of(node).iter().filter_map(move |set| match &set.data {
                RrData::Steered(steered) => Some((Name::from_wire(self.octets(node.name)), set, steered)),
                RrData::Fixed { .. } => None,
            })
        })
    }

    /// A candidate's addresses, read back from its ready-made records.
    pub(crate) fn address_list(&self, kind: u16, candidate: &Candidate) -> Vec<IpAddr> {
        let record_len = body::address_len(kind);
        let octets = self.addresses(candidate, 0..candidate.count.get().into(), record_len);
        octets
            .chunks_exact(record_len)
            .filter_map(|record| {
                let rdata = record.get(12..)?;
                let v4 = <[u8; 4]>::try_from(rdata).map(IpAddr::from);
                v4.or_else(|_| <[u8; 16]>::try_from(rdata).map(IpAddr::from)).ok()
            })
            .collect()
    }

    /// The largest number of candidates any set has: how much room an answer needs.
    pub(crate) fn widest(&self) -> usize {
        self.sets
            .iter()
            .map(|set| match &set.data {
                RrData::Steered(steered) => steered.candidates.len(),
                RrData::Fixed { .. } => 0,
            })
            .max()
            .unwrap_or(0)
    }
}
