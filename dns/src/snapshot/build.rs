//! Builds a snapshot from checked zones and names, in one pass over each zone in canonical order: what is above a name
//! comes before it, so a path of nodes is all that is remembered.
//!
//! ```text
//! apexes, names ──place──> what each zone holds ──Builder──> nodes, sets, octets ──Table──> Snapshot
//! ```

mod place;
mod service;
mod steered;
mod upper;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use thiserror::Error;

use super::table::Table;
use super::{Addresses, Node, NodeId, RrData, RrSet, Sets, Snapshot, Span, Upper, Zone};
use crate::catalog::check::CheckedName;
use crate::catalog::held::HeldZone;
use crate::gate::table::{GateTable, SlotId};
use crate::name::{Name, wire};
use crate::stamp::Stamp;
use crate::wire::{body, rtype};
use crate::zone::RecordSet;
use crate::zone::image::Image;
use place::{Place, Placed};
use steered::Chains;

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

struct Builder<'a> {
    gates: &'a GateTable,
    chains: Chains<'a>,
    octets: Vec<u8>,
    clusters: BTreeMap<String, u32>,
    zones: Vec<Zone>,
    nodes: Vec<Node>,
    sets: Vec<RrSet>,
    /// Nodes with steered sets.
    steered: Vec<NodeId>,
    widest: usize,
    /// By the apex of a zone that is not built yet, what the zone around says of it.
    sides: BTreeMap<Name, Upper>,
    /// The same by the node of the apex.
    uppers: BTreeMap<usize, Upper>,
    longest_ttls: BTreeMap<SlotId, u32>,
    /// From the zone's apex to the node that is being built.
    path: Vec<Step>,
    /// The sets of that node so far.
    own: Vec<RrSet>,
}

/// One name of the path.
#[derive(Clone, Copy)]
struct Step {
    node: NodeId,
    /// Octets of its name.
    len: usize,
    cut: Option<NodeId>,
}

/// Builds the snapshot of a whole catalog, interning its clusters in the gate table. Zones, broken zones and names come
/// in canonical order.
pub(crate) fn snapshot<'a>(
    stamp: &Stamp,
    zones: impl Iterator<Item = &'a HeldZone>,
    broken: impl Iterator<Item = &'a Name>,
    names: impl Iterator<Item = &'a CheckedName>,
    gates: &'a GateTable,
) -> Result<Snapshot, BuildError> {
    let mut builder = Builder {
        gates,
        chains: Chains::default(),
        octets: Vec::new(),
        clusters: BTreeMap::new(),
        zones: Vec::new(),
        nodes: Vec::new(),
        sets: Vec::new(),
        steered: Vec::new(),
        widest: 0,
        sides: BTreeMap::new(),
        uppers: BTreeMap::new(),
        longest_ttls: BTreeMap::new(),
        path: Vec::new(),
        own: Vec::new(),
    };
    let places = place::places(zones, broken, names);
    // Nodes are aligned so that growing their list, or shrinking it, would copy all of them.
    builder.nodes.reserve(places.iter().map(Place::len).sum());
    for place in &places {
        builder.zone(place, stamp)?;
    }
    builder.finish(stamp)
}

impl<'a> Builder<'a> {
    fn position(&self) -> Result<u32, BuildError> {
        u32::try_from(self.octets.len()).map_err(|_| BuildError::TooLarge)
    }

    /// Everything appended since `start`.
    fn span_from(&self, start: u32) -> Result<Span, BuildError> {
        let len = self.position()? - start;
        Ok(Span { start, len })
    }

    /// Adds a set to the node that is being built.
    fn add(&mut self, set: RrSet) {
        if let RrData::Steered(steered) = &set.data {
            self.widest = self.widest.max(steered.candidates.len());
        }
        self.own.push(set);
    }

    fn zone(&mut self, place: &Place<'a>, stamp: &Stamp) -> Result<(), BuildError> {
        let zone = u32::try_from(self.zones.len()).map_err(|_| BuildError::TooLarge)?;
        self.path.clear();
        self.zones.push(Zone {
            apex: place.apex.clone(),
            negative: None,
            meter: 0,
        });
        if let Some(upper) = self.sides.remove(place.apex) {
            self.uppers.insert(self.nodes.len(), upper);
        }
        let Some(held) = place.held else {
            self.open(zone, place.apex.wire())?;
            return self.close(false);
        };
        self.upper_sides(zone, place.apex, &place.inner, held.data.image())?;
        let image = held.data.image();
        let mut names = place.names.iter().peekable();
        let mut inner = place.inner.iter().peekable();
        let mut dname: Option<&[u8]> = None;
        for owner in image.owners() {
            let at = owner.name();
            while let Some(name) = names.next_if(|name| wire::cmp(name.name().wire(), at).is_lt()) {
                self.placed_only(zone, *name)?;
            }
            // A DNAME takes everything below it to another name (RFC 6672 §2.4).
            dname = dname.filter(|above| wire::is_within(at, above));
            if dname.is_some() {
                continue;
            }
            // An inner zone says itself what is at and below its apex; to this one the names above it exist.
            while inner
                .next_if(|apex| wire::cmp(apex.wire(), at).is_lt() && !wire::is_within(at, apex.wire()))
                .is_some()
            {}
            if let Some(apex) = inner.peek().filter(|apex| wire::is_within(at, apex.wire())) {
                if let Some(above) = wire::parent(apex.wire()) {
                    self.exists(zone, above)?;
                }
                continue;
            }
            self.open(zone, at)?;
            let mut delegates = false;
            for set in owner.sets() {
                match set.kind() {
                    rtype::SOA if self.path.len() == 1 => self.soa(&set, held.serial(stamp))?,
                    rtype::NS => {
                        delegates = self.path.len() > 1;
                        self.name_servers(&set, image)?;
                    }
                    rtype::DNAME => {
                        dname = Some(at);
                        self.fixed(&set)?;
                    }
                    _ => self.fixed(&set)?,
                }
            }
            if let Some(name) = names.next_if(|name| name.name().wire() == at) {
                self.placed(*name)?;
            }
            self.close(delegates)?;
        }
        for name in names {
            self.placed_only(zone, *name)?;
        }
        Ok(())
    }

    /// A name of which the zone itself has nothing.
    fn placed_only(&mut self, zone: u32, placed: Placed<'a>) -> Result<(), BuildError> {
        self.open(zone, placed.name().wire())?;
        self.placed(placed)?;
        self.close(false)
    }

    fn placed(&mut self, placed: Placed<'a>) -> Result<(), BuildError> {
        match placed {
            Placed::Steered(name) => self.name(name),
            Placed::Target(name, target) => self.target(name, target),
        }
    }

    /// A name that exists for what lies below it, unless it is there already.
    fn exists(&mut self, zone: u32, name: &[u8]) -> Result<(), BuildError> {
        self.climb(name);
        if self.path.last().is_none_or(|step| step.len < name.len()) {
            self.open(zone, name)?;
            self.close(false)?;
        }
        Ok(())
    }

    /// Shortens the path to what a name lies at or below.
    fn climb(&mut self, name: &[u8]) {
        while let Some(step) = self.path.last() {
            let above = self.nodes.get(step.node.index()).map(|node| node.name);
            let start = above.map_or(0, |span| span.start as usize);
            let above = self.octets.get(start..start + step.len);
            if above.is_some_and(|above| wire::is_within(name, above)) {
                break;
            }
            self.path.pop();
        }
    }

    /// Begins the node of a name, after those of empty non-terminals between it and what is there of the names above it
    /// (RFC 8020 §3.1).
    fn open(&mut self, zone: u32, name: &[u8]) -> Result<(), BuildError> {
        self.climb(name);
        let end = self
            .position()?
            .checked_add(u32::try_from(name.len()).unwrap_or(u32::MAX));
        let end = end.ok_or(BuildError::TooLarge)?;
        self.octets.extend_from_slice(name);
        // Without a name above, this one is the apex.
        let above = self.path.last().map_or(name.len() - 1, |step| step.len);
        let missing = wire::upward(name).take_while(|name| name.len() > above).count();
        let missing = if self.path.is_empty() { 1 } else { missing };
        for up in (0..missing).rev() {
            let name = wire::upward(name).nth(up).unwrap_or_default();
            self.node(zone, end, name)?;
        }
        Ok(())
    }

    /// A node without sets, at the end of the path; its name stands in front of `end`.
    fn node(&mut self, zone: u32, end: u32, name: &[u8]) -> Result<(), BuildError> {
        let node = NodeId::new(self.nodes.len()).ok_or(BuildError::TooLarge)?;
        let len = u32::try_from(name.len()).map_err(|_| BuildError::TooLarge)?;
        let parent = self.path.last().copied();
        let cut = parent.and_then(|step| step.cut);
        if wire::is_wildcard(name)
            && let Some(parent) = parent.and_then(|step| self.nodes.get_mut(step.node.index()))
        {
            parent.wildcard = Some(node);
        }
        let start = end - len;
        self.nodes.push(Node {
            name: Span { start, len },
            zone,
            wildcard: None,
            cut,
            sets: Sets::default(),
        });
        let len = name.len();
        self.path.push(Step { node, len, cut });
        Ok(())
    }

    /// Ends the node at the end of the path; one that delegates is the zone's end, unless one above it is already.
    fn close(&mut self, delegates: bool) -> Result<(), BuildError> {
        let Some(step) = self.path.last_mut() else {
            return Ok(());
        };
        if delegates && step.cut.is_none() {
            step.cut = Some(step.node);
        }
        let steered = |set: &RrSet| matches!(set.data, RrData::Steered(_));
        if self.own.iter().any(steered) {
            self.steered.push(step.node);
        }
        if let Some(node) = self.nodes.get_mut(step.node.index()) {
            node.cut = step.cut;
            node.sets = Sets::of(&mut self.own, &mut self.sets).ok_or(BuildError::TooLarge)?;
        }
        Ok(())
    }

    fn fixed(&mut self, set: &RecordSet<'_>) -> Result<(), BuildError> {
        let body = self.records(set)?;
        self.add_fixed(set, body, None)
    }

    fn add_fixed(
        &mut self,
        set: &RecordSet<'_>,
        body: Span,
        addresses: Option<Box<Addresses>>,
    ) -> Result<(), BuildError> {
        self.add(fixed_set(set, body, addresses)?);
        Ok(())
    }

    /// The octets of a set's records.
    fn records(&mut self, set: &RecordSet<'_>) -> Result<Span, BuildError> {
        let start = self.position()?;
        for data in set.rdata() {
            body::record(
                &mut self.octets,
                &body::OWNER_QUESTION,
                set.kind(),
                set.ttl_s(),
                data,
            );
        }
        self.span_from(start)
    }

    /// The SOA, for answers and, with TTL = min(TTL, MINIMUM), for negative ones (RFC 2308 §3).
    fn soa(&mut self, set: &RecordSet<'_>, serial: u32) -> Result<(), BuildError> {
        let Some(data) = set.rdata().next() else {
            return Err(BuildError::TooLarge);
        };
        let minimum = data.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
        let mut spans = [Span { start: 0, len: 0 }; 2];
        for (span, ttl_s) in spans.iter_mut().zip([set.ttl_s(), set.ttl_s().min(minimum)]) {
            let start = self.position()?;
            body::record(&mut self.octets, &body::OWNER_QUESTION, rtype::SOA, ttl_s, data);
            let at = self.octets.len() - body::SOA_NUMBERS;
            if let Some(into) = self.octets.get_mut(at..at + 4) {
                into.copy_from_slice(&serial.to_be_bytes());
            }
            *span = self.span_from(start)?;
        }
        let [body, negative] = spans;
        if let Some(zone) = self.zones.last_mut() {
            zone.negative = Some(negative);
        }
        self.add_fixed(set, body, None)
    }

    /// An NS set, with the addresses that the zone has of its servers.
    fn name_servers(&mut self, set: &RecordSet<'_>, image: &Image) -> Result<(), BuildError> {
        let body = self.records(set)?;
        let needed = self.addresses(set, image, true)?;
        let helpful = self.addresses(set, image, false)?;
        let any = needed.is_some() || helpful.is_some();
        let addresses = any.then(|| Box::new(Addresses { needed, helpful }));
        self.add_fixed(set, body, addresses)
    }

    /// The addresses of the servers below a set's owner, or those of the others.
    fn addresses(
        &mut self,
        set: &RecordSet<'_>,
        image: &Image,
        below: bool,
    ) -> Result<Option<(NonZeroU16, Span)>, BuildError> {
        let start = self.position()?;
        let mut count = 0_u16;
        for server in set.rdata() {
            let server = server.to_ascii_lowercase();
            if wire::is_within(&server, set.owner()) != below {
                continue;
            }
            let owner = image.at(&server);
            let sets = owner.into_iter().flat_map(|owner| owner.sets());
            for set in sets.filter(|set| matches!(set.kind(), rtype::A | rtype::AAAA)) {
                for data in set.rdata() {
                    body::record(&mut self.octets, &server, set.kind(), set.ttl_s(), data);
                    count = count.checked_add(1).ok_or(BuildError::TooLarge)?;
                }
            }
        }
        let span = self.span_from(start)?;
        Ok(NonZeroU16::new(count).map(|count| (count, span)))
    }

    fn finish(mut self, stamp: &Stamp) -> Result<Snapshot, BuildError> {
        self.octets.shrink_to_fit();
        self.sets.shrink_to_fit();
        let mut table = Table::with_capacity(self.nodes.len());
        for (index, node) in (0..).zip(&self.nodes) {
            let start = node.name.start as usize;
            let name = self.octets.get(start..start + node.name.len as usize);
            let name = name.unwrap_or_default();
            table.insert(name, wire::label_count(name), index, node.name.start);
        }
        let mut clusters = vec![String::new(); self.clusters.len()];
        for (cluster, index) in self.clusters {
            if let Some(into) = clusters.get_mut(index as usize) {
                *into = cluster;
            }
        }
        self.gates.set_ttls(&self.longest_ttls);
        Ok(Snapshot {
            stamp: Some(stamp.clone()),
            table,
            nodes: self.nodes,
            sets: self.sets.into_boxed_slice(),
            steered: self.steered,
            widest: self.widest,
            zones: self.zones,
            uppers: self.uppers,
            clusters,
            octets: self.octets.into_boxed_slice(),
            geo: Arc::default(),
        })
    }
}

fn counted(count: usize) -> Option<NonZeroU16> {
    u16::try_from(count).ok().and_then(NonZeroU16::new)
}

fn fixed_set(
    set: &RecordSet<'_>,
    body: Span,
    addresses: Option<Box<Addresses>>,
) -> Result<RrSet, BuildError> {
    let count = NonZeroU16::new(set.len()).ok_or(BuildError::TooLarge)?;
    Ok(RrSet {
        kind: set.kind(),
        ttl_s: set.ttl_s(),
        data: RrData::Fixed {
            count,
            body,
            addresses,
        },
    })
}
