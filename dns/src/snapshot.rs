//! The immutable data every answer comes from: built off the hot path, swapped in whole, shared by all threads.
//!
//! ```text
//! question ──Table──> Node ──> RrSet ──> Fixed   a range of ready-made octets
//!                      │          ├────> Steered candidates, each with its slot in the gate table and its octets
//!                      │          └────> Service octets around the addresses that Steered sets of the same Node choose
//!                      └──> Zone (negative answers)
//! ```
//!
//! Architecture Invariant: nothing here changes after it is built; what moves is the gate table.

pub(crate) mod build;
mod node;
mod table;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::Range;
use std::sync::Arc;

use crate::gate::table::SlotId;
use crate::geo::GeoTable;
use crate::meter::{self, Meters};
use crate::name::Name;
use crate::nonempty::NonEmpty;
use crate::stamp::Stamp;
use crate::steer::Chain;
use crate::steer::health::Health;
use crate::wire::query::QName;
use crate::wire::{HEADER_LEN, body, rtype};
use node::{Node, NodeId, Sets};
use table::Table;
pub(crate) use table::hash as owner_hash;

/// How many packets are looked ahead at.
pub(crate) const AHEAD: usize = 64;

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
    sets: Box<[RrSet]>,
    /// Nodes with steered sets.
    steered: Vec<NodeId>,
    /// The largest number of candidates of a set.
    widest: usize,
    zones: Vec<Zone>,
    /// By the node of a zone's apex inside another zone.
    uppers: BTreeMap<usize, Upper>,
    clusters: Vec<String>,
    octets: Box<[u8]>,
    geo: Arc<GeoTable>,
}

/// A zone, as far as negative answers need it.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    /// The SOA record with TTL = min(TTL, MINIMUM) (RFC 2308 §3); its first two octets are the owner pointer. `None`
    /// for a zone that could not be loaded.
    pub(crate) negative: Option<Span>,
    /// What its queries are counted by.
    pub(crate) meter: u16,
}

/// What the zone around says of the apex of a zone inside it (RFC 4035 §3.1.4.1).
#[derive(Debug)]
pub(crate) struct Upper {
    pub(crate) zone: u32,
    /// The DS set, if there is one.
    pub(crate) sets: Vec<RrSet>,
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
    /// In a box, so that what is fixed fits a node's cache line.
    Steered(Box<Steered>),
    Service(Box<Service>),
}

/// What of HTTPS or SVCB records is the same in every answer. Who is in them is decided by the steered addresses of the
/// same name (RFC 9460 §2.2).
#[derive(Debug)]
pub(crate) struct Service {
    /// The parameters whose keys are before those of hints.
    pub(crate) before_hints: Span,
    /// The one between them; may be empty.
    pub(crate) ech: Span,
    /// At most so many records of clusters that are not in the answer.
    pub(crate) alternates: u8,
    /// By cluster, the name with its addresses alone, in wire form.
    pub(crate) targets: Box<[(u32, Span)]>,
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
    pub(crate) chain: Arc<Chain>,
    /// In the order of their failover tiers.
    pub(crate) candidates: NonEmpty<Candidate>,
    pub(crate) all_down: AllDown,
    /// TTL while some candidate is not answered in full.
    pub(crate) degraded_ttl_s: u32,
    /// [`owner_hash`] of its name.
    pub(crate) owner: u64,
    /// What its queries are counted by.
    pub(crate) meter: u16,
}

impl Service {
    /// A cluster with its own name.
    pub(crate) fn target(&self, cluster: u32) -> Option<(u32, Span)> {
        self.targets.iter().find(|(of, _)| *of == cluster).copied()
    }
}

impl RrSet {
    /// The TTL of an answer while this is the candidates' health.
    pub(crate) fn ttl_s(&self, steered: &Steered, health: Health) -> u32 {
        match health {
            Health::Normal => self.ttl_s,
            Health::Degraded | Health::Spare | Health::Held | Health::LastGood => steered.degraded_ttl_s,
        }
    }
}

/// What is answered while no candidate is known to be healthy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AllDown {
    LastGood,
    All,
    /// Ready-made records.
    Fallback {
        count: NonZeroU16,
        body: Span,
    },
    ServFail,
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
    Delegated {
        zone: Option<&'a Zone>,
        owner_len: usize,
        servers: &'a RrSet,
    },
    /// The name lies below a DNAME, whose owner has `owner_len` octets (RFC 6672 §2.2).
    Redirected {
        zone: Option<&'a Zone>,
        owner_len: usize,
        dname: &'a RrSet,
    },
}

impl<'a> Lookup<'a> {
    /// The zone that answers.
    #[inline]
    pub(crate) fn zone(&self) -> Option<&'a Zone> {
        match *self {
            Self::NotOurs => None,
            Self::Broken(zone) | Self::Absent(zone) | Self::Present { zone, .. } => Some(zone),
            Self::Delegated { zone, .. } | Self::Redirected { zone, .. } => zone,
        }
    }
}

impl Snapshot {
    /// A snapshot without zones: every query is refused.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            stamp: None,
            table: Table::with_capacity(0),
            nodes: Vec::new(),
            sets: Box::default(),
            steered: Vec::new(),
            widest: 0,
            zones: Vec::new(),
            uppers: BTreeMap::new(),
            clusters: Vec::new(),
            octets: Box::default(),
            geo: Arc::default(),
        }
    }

    /// Octets of memory that it takes, those of steered sets beyond their fixed part left out.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of_val(&*self.nodes)
            + size_of_val(&*self.sets)
            + size_of_val(&*self.steered)
            + size_of_val(&*self.zones)
            + size_of_val(&*self.octets)
            + self.table.memory()
    }

    /// The same, with what is known of clients' networks.
    #[must_use]
    pub fn with_geo(self, geo: Arc<GeoTable>) -> Self {
        Self { geo, ..self }
    }

    /// The same, with what queries are counted by.
    pub(crate) fn metered(mut self, meters: &Meters) -> Self {
        for zone in self.zones.iter_mut().take(meter::MOST) {
            zone.meter = meters.zone(&zone.apex);
        }
        for id in self.steered.iter().take(meter::MOST) {
            let Some(node) = self.nodes.get_mut(id.index()) else {
                continue;
            };
            let start = node.name.start as usize;
            let wire = self.octets.get(start..start + node.name.len as usize);
            let number = meters.name(&Name::from_wire(wire.unwrap_or_default()));
            for set in node.sets.all_mut(&mut self.sets) {
                if let RrData::Steered(steered) = &mut set.data {
                    steered.meter = number;
                }
            }
        }
        self
    }

    pub(crate) fn geo(&self) -> &GeoTable {
        &self.geo
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

    /// The clusters that names are answered with.
    pub(crate) fn clusters(&self) -> &[String] {
        &self.clusters
    }

    /// Finds what answers a name: the zone cut above it, else itself, else a DNAME or the wildcard at its closest encloser
    /// (RFC 1034 §4.3.2, RFC 6672 §3.2, RFC 4592 §3.3.1), else nothing. Of DS it is the parent's side that answers (RFC 4035 §3.1.4.1).
    pub(crate) fn lookup(&self, qname: &QName, qtype: u16) -> Lookup<'_> {
        if let Some((id, node)) = self.find(qname.wire()) {
            if qtype == rtype::DS
                && let Some(upper) = self.uppers.get(&id.index())
            {
                return self.in_zone(upper.zone, &upper.sets);
            }
            return match node.cut {
                Some(cut) if cut != id || qtype != rtype::DS => self.delegated(cut),
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
                    zone: self.zones.get(encloser.zone as usize),
                    owner_len: encloser.name.len as usize,
                    dname,
                };
            }
            return match encloser.wildcard.and_then(|id| self.nodes.get(id.index())) {
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

    fn delegated(&self, cut: NodeId) -> Lookup<'_> {
        let found = self.nodes.get(cut.index()).and_then(|node| {
            let servers = self.sets_of(node).iter().find(|set| set.kind == rtype::NS)?;
            Some(Lookup::Delegated {
                zone: self.zones.get(node.zone as usize),
                owner_len: node.name.len as usize,
                servers,
            })
        });
        found.unwrap_or(Lookup::NotOurs)
    }

    fn present<'a>(&'a self, place: &Node, source: &'a Node) -> Lookup<'a> {
        self.in_zone(place.zone, self.sets_of(source))
    }

    fn in_zone<'a>(&'a self, zone: u32, sets: &'a [RrSet]) -> Lookup<'a> {
        match self.zones.get(zone as usize) {
            Some(zone) if zone.negative.is_none() => Lookup::Broken(zone),
            Some(zone) => Lookup::Present { zone, sets },
            None => Lookup::NotOurs,
        }
    }

    fn sets_of<'a>(&'a self, node: &'a Node) -> &'a [RrSet] {
        node.sets.all(&self.sets)
    }

    /// Reads the memory that answers to these packets, at most [`AHEAD`], are likely to need. Each of the loops waits for
    /// all packets at once; the answers, one after the other, would each wait for their own.
    pub(crate) fn fetch<'p>(&self, packets: impl Iterator<Item = &'p [u8]>, qname: &mut QName) {
        let mut hashes = [0; AHEAD];
        let mut places = [(0, 0); AHEAD];
        let mut count = 0;
        for (hash, packet) in hashes.iter_mut().zip(packets) {
            *hash = qname
                .read(packet, HEADER_LEN)
                .map_or(0, |_| table::hash(qname.wire()));
            count += 1;
        }
        for (place, hash) in places.iter_mut().zip(hashes).take(count) {
            *place = self.table.first(hash).unwrap_or_default();
        }
        let mut read = 0;
        for (node, name) in places.into_iter().take(count) {
            let node = self.nodes.get(node);
            let set = node.and_then(|node| self.sets_of(node).first());
            read ^=
                set.map_or(0, |set| set.kind) ^ self.octets.get(name).map_or(0, |octet| u16::from(*octet));
        }
        // It was not for nothing.
        black_box(read);
    }

    /// The record sets of a name that is in the plan itself.
    pub(crate) fn sets_at(&self, name: &Name) -> &[RrSet] {
        self.find(name.wire()).map_or(&[], |(_, node)| self.sets_of(node))
    }

    fn find(&self, wire: &[u8]) -> Option<(NodeId, &Node)> {
        let found = self.table.find(wire, &self.octets)?;
        let found = found as usize;
        Some((NodeId::new(found)?, self.nodes.get(found)?))
    }

    /// Every steered record set with its owner.
    pub(crate) fn steered(&self) -> impl Iterator<Item = (Name, &RrSet, &Steered)> {
        let nodes = self.steered.iter().filter_map(|id| self.nodes.get(id.index()));
        nodes.flat_map(move |node| {
            self.sets_of(node).iter().filter_map(move |set| match &set.data {
                RrData::Steered(steered) => Some((Name::from_wire(self.octets(node.name)), set, &**steered)),
                RrData::Fixed { .. } | RrData::Service(_) => None,
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
        self.widest
    }
}

#[cfg(test)]
mod tests;
