//! Builds a snapshot from checked zones and names: every owner and its ancestors become nodes, every record set
//! becomes octets.

mod steered;
mod upper;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;

use thiserror::Error;

use super::table::Table;
use super::{Addresses, Node, RrData, RrSet, Snapshot, Span, Zone};
use crate::catalog::check::{CheckedName, CheckedZone};
use crate::catalog::held::HeldZone;
use crate::gate::table::{GateTable, SlotId};
use crate::name::Name;
use crate::stamp::Stamp;
use crate::wire::{body, rtype};
use crate::zonefile::{self, RecordSet};

/// Why a checked plan could not become a snapshot. The previous one stays.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    #[error(
        "cluster {cluster}: all {capacity} places of the gate table are taken; restart to free those of clusters long gone"
    )]
    NoSlot { cluster: String, capacity: usize },
    #[error("the plan's records take more than 4 GiB")]
    TooLarge,
}

#[derive(Default)]
struct Pending {
    zone: u32,
    sets: Vec<RrSet>,
}

struct Builder<'a> {
    gates: &'a GateTable,
    octets: Vec<u8>,
    clusters: BTreeMap<String, u32>,
    zones: Vec<Zone>,
    /// By zone, the apexes of zones inside it: what it has at and below them is theirs to say (RFC 2181 §6).
    inner: Vec<Vec<Name>>,
    pending: BTreeMap<Name, Pending>,
    /// By zone and name of a zone inside it, the DS set there.
    signers: BTreeMap<(u32, Name), RrSet>,
    longest_ttls: BTreeMap<SlotId, u32>,
}

/// Builds the snapshot of a whole catalog, interning its clusters in the gate table.
pub(crate) fn snapshot<'a>(
    stamp: &Stamp,
    zones: impl Iterator<Item = &'a HeldZone>,
    broken: impl Iterator<Item = &'a Name>,
    names: impl Iterator<Item = &'a CheckedName>,
    gates: &GateTable,
) -> Result<Snapshot, BuildError> {
    let mut builder = Builder {
        gates,
        octets: Vec::new(),
        clusters: BTreeMap::new(),
        zones: Vec::new(),
        inner: Vec::new(),
        pending: BTreeMap::new(),
        signers: BTreeMap::new(),
        longest_ttls: BTreeMap::new(),
    };
    let mut indexes = BTreeMap::new();
    let zones: Vec<&HeldZone> = zones.collect();
    let broken: Vec<&Name> = broken.collect();
    let apexes: Vec<&Name> = zones
        .iter()
        .map(|zone| zone.apex())
        .chain(broken.iter().copied())
        .collect();
    builder.inner = inner(&apexes);
    for zone in zones {
        let index = u32::try_from(builder.zones.len()).map_err(|_| BuildError::TooLarge)?;
        indexes.insert(zone.apex().clone(), index);
        match zone {
            HeldZone::Object(zone) => builder.zone(index, zone, stamp.serial())?,
            HeldZone::File(zone) => builder.file(index, zone)?,
        }
    }
    for apex in broken {
        builder.broken(apex)?;
    }
    for name in names {
        if let Some(&zone) = indexes.get(&name.zone) {
            builder.name(zone, name)?;
        }
    }
    builder.finish(stamp)
}

impl Builder<'_> {
    fn span(&mut self, bytes: &[u8]) -> Result<Span, BuildError> {
        let start = self.position()?;
        self.octets.extend_from_slice(bytes);
        self.position()?;
        let len = u32::try_from(bytes.len()).map_err(|_| BuildError::TooLarge)?;
        Ok(Span { start, len })
    }

    fn position(&self) -> Result<u32, BuildError> {
        u32::try_from(self.octets.len()).map_err(|_| BuildError::TooLarge)
    }

    fn add(&mut self, zone: u32, owner: &Name, set: RrSet) {
        let pending = self.pending.entry(owner.clone()).or_default();
        pending.zone = zone;
        pending.sets.push(set);
    }

    fn fixed(&mut self, zone: u32, owner: &Name, set: FixedSet) -> Result<(), BuildError> {
        let Some(count) = counted(set.count) else {
            return Ok(());
        };
        let mut inner = self.inner.get(zone as usize).into_iter().flatten();
        if let Some(apex) = inner.find(|apex| owner.is_within(apex)).cloned() {
            if set.kind == rtype::DS && *owner == apex {
                let set = self.rr_set(set, count)?;
                self.signers.insert((zone, apex.clone()), set);
            }
            if let Some(parent) = apex.parent() {
                self.pending.entry(parent).or_insert_with(|| Pending {
                    zone,
                    sets: Vec::new(),
                });
            }
            return Ok(());
        }
        let set = self.rr_set(set, count)?;
        self.add(zone, owner, set);
        Ok(())
    }

    fn rr_set(&mut self, set: FixedSet, count: NonZeroU16) -> Result<RrSet, BuildError> {
        let body = self.span(&set.body)?;
        let needed = self.counted_span(&set.needed)?;
        let helpful = self.counted_span(&set.helpful)?;
        let any = needed.is_some() || helpful.is_some();
        let data = RrData::Fixed {
            count,
            body,
            addresses: any.then(|| Box::new(Addresses { needed, helpful })),
        };
        Ok(RrSet {
            kind: set.kind,
            ttl_s: set.ttl_s,
            data,
        })
    }

    fn counted_span(
        &mut self,
        (count, octets): &(usize, Vec<u8>),
    ) -> Result<Option<(NonZeroU16, Span)>, BuildError> {
        let Some(count) = counted(*count) else {
            return Ok(None);
        };
        Ok(Some((count, self.span(octets)?)))
    }

    fn zone(&mut self, index: u32, zone: &CheckedZone, serial: u32) -> Result<(), BuildError> {
        let soa = &zone.input.soa;
        let numbers = [serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
        let rdata = body::Soa {
            mname: &zone.mname,
            rname: &zone.rname,
            numbers,
        }
        .rdata();
        let mut negative = Vec::new();
        let ttl_s = zone.input.ttl;
        body::record(
            &mut negative,
            &body::OWNER_QUESTION,
            rtype::SOA,
            ttl_s.min(soa.minimum),
            &rdata,
        );
        let negative = Some(self.span(&negative)?);
        self.zones.push(Zone {
            apex: zone.apex.clone(),
            negative,
        });

        let mut set = FixedSet::new(rtype::SOA, ttl_s);
        set.push(&rdata);
        self.fixed(index, &zone.apex, set)?;

        let mut servers = FixedSet::new(rtype::NS, ttl_s);
        for server in zone.name_servers.iter() {
            servers.push(server.name.wire());
            if server.name.is_within(&zone.apex) {
                for address in &server.addresses {
                    servers.address(true, &server.name, ttl_s, address);
                }
                self.addresses(index, &server.name, ttl_s, &server.addresses)?;
            }
        }
        self.fixed(index, &zone.apex, servers)?;
        for record in &zone.records {
            let mut set = FixedSet::new(record.kind, record.ttl_s);
            for rdata in &*record.rdata {
                set.push(rdata);
                if record.kind == rtype::NS {
                    let server = Name::from_wire(&rdata.to_ascii_lowercase());
                    for (ttl_s, address) in zone.addresses_of(&server) {
                        set.address(server.is_within(&record.owner), &server, ttl_s, &address);
                    }
                }
            }
            self.fixed(index, &record.owner, set)?;
        }
        Ok(())
    }

    /// A zone of a master file, which has been checked.
    fn file(&mut self, index: u32, zone: &zonefile::Zone) -> Result<(), BuildError> {
        let mut negative = None;
        for set in zone.sets() {
            let mut fixed = FixedSet::new(set.kind(), set.ttl_s());
            for rdata in set.rdata() {
                fixed.push(rdata);
                if set.kind() == rtype::NS {
                    fixed.glue(zone, set, rdata);
                }
            }
            if set.kind() == rtype::SOA
                && let Some(soa) = set.rdata().first()
            {
                let minimum = soa.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
                let mut record = Vec::new();
                let ttl_s = set.ttl_s().min(minimum);
                body::record(&mut record, &body::OWNER_QUESTION, rtype::SOA, ttl_s, soa);
                negative = Some(self.span(&record)?);
            }
            self.fixed(index, set.owner(), fixed)?;
        }
        let apex = zone.apex().clone();
        self.zones.push(Zone { apex, negative });
        Ok(())
    }

    /// A zone that is ours and of which nothing is known.
    fn broken(&mut self, apex: &Name) -> Result<(), BuildError> {
        let zone = u32::try_from(self.zones.len()).map_err(|_| BuildError::TooLarge)?;
        let sets = Vec::new();
        self.pending.insert(apex.clone(), Pending { zone, sets });
        let (apex, negative) = (apex.clone(), None);
        self.zones.push(Zone { apex, negative });
        Ok(())
    }

    fn addresses(
        &mut self,
        zone: u32,
        owner: &Name,
        ttl_s: u32,
        addresses: &[IpAddr],
    ) -> Result<(), BuildError> {
        for kind in [rtype::A, rtype::AAAA] {
            let mut set = FixedSet::new(kind, ttl_s);
            for address in addresses
                .iter()
                .filter(|address| body::address_type(address) == kind)
            {
                match address {
                    IpAddr::V4(v4) => set.push(&v4.octets()),
                    IpAddr::V6(v6) => set.push(&v6.octets()),
                }
            }
            self.fixed(zone, owner, set)?;
        }
        Ok(())
    }

    /// Adds every empty non-terminal between an owner and its zone's apex (RFC 8020 §3.1).
    fn ancestors(&mut self) {
        let owners: Vec<(Name, u32)> = self
            .pending
            .iter()
            .map(|(name, node)| (name.clone(), node.zone))
            .collect();
        for (owner, zone) in owners {
            let Some(apex) = self.zones.get(zone as usize).map(|zone| zone.apex.clone()) else {
                continue;
            };
            let mut name = owner;
            while name != apex {
                let Some(parent) = name.parent() else { break };
                self.pending.entry(parent.clone()).or_insert_with(|| Pending {
                    zone,
                    sets: Vec::new(),
                });
                name = parent;
            }
        }
    }

    fn finish(mut self, stamp: &Stamp) -> Result<Snapshot, BuildError> {
        self.ancestors();
        let pending = std::mem::take(&mut self.pending);
        let mut table = Table::with_capacity(pending.len());
        let mut nodes: Vec<Node> = Vec::with_capacity(pending.len());
        let mut indexes = BTreeMap::new();
        let mut sets = Vec::new();
        for (name, mut node) in pending {
            let index = u32::try_from(nodes.len()).map_err(|_| BuildError::TooLarge)?;
            let first_set = u32::try_from(sets.len()).map_err(|_| BuildError::TooLarge)?;
            table.insert(name.wire(), name.label_count(), index);
            let set_count = u16::try_from(node.sets.len()).map_err(|_| BuildError::TooLarge)?;
            let span = self.span(name.wire())?;
            sets.append(&mut node.sets);
            nodes.push(Node {
                name: span,
                zone: node.zone,
                wildcard: None,
                cut: None,
                first_set,
                set_count,
            });
            indexes.insert(name, index);
        }
        let is_cut = |name: &Name, node: &Node| {
            let apex = self.zones.get(node.zone as usize).map(|zone| &zone.apex);
            let first = node.first_set as usize;
            let own: &[RrSet] = sets
                .get(first..first + usize::from(node.set_count))
                .unwrap_or_default();
            apex.is_some_and(|apex| name != apex) && own.iter().any(|set| set.kind == rtype::NS)
        };
        let cuts: BTreeMap<&Name, u32> = indexes
            .iter()
            .filter(|&(name, &index)| nodes.get(index as usize).is_some_and(|node| is_cut(name, node)))
            .map(|(name, &index)| (name, index))
            .collect();
        if !cuts.is_empty() {
            for (name, &index) in &indexes {
                if let Some(node) = nodes.get_mut(index as usize)
                    && let Some(zone) = self.zones.get(node.zone as usize)
                {
                    node.cut = topmost(name, &zone.apex, &cuts);
                }
            }
        }
        for (name, &index) in indexes.iter().filter(|(name, _)| name.is_wildcard()) {
            let parent = name.parent().and_then(|parent| indexes.get(&parent));
            if let Some(node) = parent.and_then(|&parent| nodes.get_mut(parent as usize)) {
                node.wildcard = Some(index);
            }
        }
        let uppers = upper::sides(&self.zones, &mut self.signers, &indexes, &cuts);
        let mut clusters = vec![String::new(); self.clusters.len()];
        for (cluster, index) in self.clusters {
            if let Some(into) = clusters.get_mut(index as usize) {
                *into = cluster;
            }
        }
        self.octets.shrink_to_fit();
        self.gates.set_ttls(&self.longest_ttls);
        Ok(Snapshot {
            stamp: Some(stamp.clone()),
            table,
            nodes,
            sets,
            zones: self.zones,
            uppers,
            clusters,
            octets: self.octets,
        })
    }
}

/// By zone, the apexes of the zones inside it.
fn inner(apexes: &[&Name]) -> Vec<Vec<Name>> {
    let mut inner = vec![Vec::new(); apexes.len()];
    let indexes: BTreeMap<&Name, usize> = apexes
        .iter()
        .zip(0..)
        .map(|(apex, index)| (*apex, index))
        .collect();
    for apex in apexes {
        let mut above = apex.parent();
        while let Some(name) = above {
            let outer = indexes.get(&name).and_then(|&index| inner.get_mut(index));
            if let Some(outer) = outer {
                outer.push((*apex).clone());
            }
            above = name.parent();
        }
    }
    inner
}

/// Of the cuts at and above a name, the one nearest to its zone's apex.
fn topmost(name: &Name, apex: &Name, cuts: &BTreeMap<&Name, u32>) -> Option<u32> {
    let mut found = None;
    let mut at = Some(name.clone());
    while let Some(name) = at.filter(|name| name != apex) {
        found = cuts.get(&name).copied().or(found);
        at = name.parent();
    }
    found
}

fn counted(count: usize) -> Option<NonZeroU16> {
    u16::try_from(count).ok().and_then(NonZeroU16::new)
}

/// A fixed record set while it is put together.
struct FixedSet {
    kind: u16,
    ttl_s: u32,
    count: usize,
    body: Vec<u8>,
    /// As in [`Addresses`].
    needed: (usize, Vec<u8>),
    helpful: (usize, Vec<u8>),
}

impl FixedSet {
    fn new(kind: u16, ttl_s: u32) -> Self {
        Self {
            kind,
            ttl_s,
            count: 0,
            body: Vec::new(),
            needed: (0, Vec::new()),
            helpful: (0, Vec::new()),
        }
    }

    fn push(&mut self, rdata: &[u8]) {
        body::record(
            &mut self.body,
            &body::OWNER_QUESTION,
            self.kind,
            self.ttl_s,
            rdata,
        );
        self.count += 1;
    }

    /// The addresses that the zone has of the name server in the data of its NS record.
    fn glue(&mut self, zone: &zonefile::Zone, set: &RecordSet, rdata: &[u8]) {
        let server = Name::from_wire(&rdata.to_ascii_lowercase());
        let needed = server.is_within(set.owner());
        for addresses in zone.at(&server) {
            for rdata in addresses.rdata() {
                if let Some(address) = body::address_of(addresses.kind(), rdata) {
                    self.address(needed, &server, addresses.ttl_s(), &address);
                }
            }
        }
    }

    fn address(&mut self, needed: bool, owner: &Name, ttl_s: u32, address: &IpAddr) {
        let (count, octets) = if needed {
            &mut self.needed
        } else {
            &mut self.helpful
        };
        body::address(octets, owner.wire(), ttl_s, address);
        *count += 1;
    }
}
