//! HTTPS and SVCB records of a steered name (RFC 9460): first the name itself, its hints the addresses that A and AAAA answer
//! this very client, then the clusters that these would answer if those before were gone, each by a name of its own.
//!
//! ```text
//! A    ──health──> pool ──decide──> hints of priority 1 ──what is left──> decide ──> priority 2, ...
//! AAAA ──health──> pool ──decide──────────┘
//! ```

use super::Room;
use super::respond::told;
use crate::gate::table::GateTable;
use crate::invariants;
use crate::snapshot::{AllDown, Candidate, RrData, RrSet, Service, Snapshot, Steered};
use crate::steer::health::Health;
use crate::steer::{self, Asked};
use crate::wire::writer::{End, Section, Writer, pointer};
use crate::wire::{Rcode, body, rtype};

/// The target that is the owner itself (RFC 9460 §2.5.2).
const OWNER: &[u8] = &[0];

/// The addresses of one family, as far as no record has them yet.
struct Pool<'a> {
    kind: u16,
    steered: &'a Steered,
    health: Health,
    /// By candidate, the weight that health leaves, and 0 once a record has its addresses.
    left: &'a mut Vec<u64>,
}

/// What all records of an answer have in common.
struct Common<'a> {
    snapshot: &'a Snapshot,
    service: &'a Service,
    owner: usize,
    kind: u16,
    ttl_s: u32,
}

/// Puts the records of `set`, whose name has the other `sets` too. By itself, so that answers with addresses stay short.
#[inline(never)]
pub(super) fn put(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    (set, service, sets): (&RrSet, &Service, &[RrSet]),
    (gates, asked, room): (&GateTable, &Asked<'_>, &mut Room),
    (owner, end): (usize, &mut End<'_>),
) {
    let Room { weights, left } = room;
    let mut ttl_s = set.ttl_s;
    let mut pool = |kind, left| {
        let set = sets.iter().find(|set| set.kind == kind)?;
        let RrData::Steered(steered) = &set.data else {
            return None;
        };
        let pool = Pool::new(kind, steered, gates, left);
        ttl_s = ttl_s.min(set.ttl_s(steered, pool.health));
        Some(pool)
    };
    let [left4, left6] = left;
    let mut pools = [pool(rtype::A, left4), pool(rtype::AAAA, left6)];
    end.metered.name = pools
        .iter()
        .flatten()
        .map(|pool| pool.steered.meter)
        .next()
        .unwrap_or(0);
    if let Some(doubtful) = pools.iter().flatten().find(|pool| pool.health.is_panic()) {
        end.told = Some(told(doubtful.steered.all_down));
    }
    if pools.iter().flatten().all(Pool::is_mute) {
        end.rcode = Rcode::ServFail;
        end.authoritative = false;
        return;
    }
    let common = Common {
        snapshot,
        service,
        owner,
        kind: set.kind,
        ttl_s,
    };
    let mut scope = 0;
    let mut hints = 0;
    common.record(writer, 1, OWNER, |writer, family| {
        if let Some(Some(pool)) = pools.get_mut(family) {
            let (put, of) = pool.answer(writer, snapshot, asked, weights);
            hints += put;
            scope = scope.max(of);
        }
    });
    debug_assert!(
        invariants::s1_answer_not_empty(hints),
        "a live name was answered without an address"
    );
    let mut draw = asked.draw;
    for priority in (2..).take(service.alternates.into()) {
        // The draw has told who comes first.
        draw = steer::next_draw(draw);
        let asked = Asked { draw, ..*asked };
        let next = next(&pools, &asked, weights, &mut scope);
        let Some((cluster, target)) = next.and_then(|cluster| service.target(cluster)) else {
            break;
        };
        common.record(writer, priority, snapshot.octets(target), |writer, family| {
            if let Some(Some(pool)) = pools.get_mut(family) {
                pool.give(writer, snapshot, cluster);
            }
        });
    }
    end.ecs = end.ecs.map(|(subnet, _)| (subnet, scope));
}

/// The cluster that would be answered if those were gone that records have already. A family whose health is in doubt has no say
/// beside one that is well.
fn next(
    pools: &[Option<Pool<'_>>; 2],
    asked: &Asked<'_>,
    weights: &mut Vec<u64>,
    scope: &mut u8,
) -> Option<u32> {
    let well = pools.iter().flatten().any(|pool| !pool.health.is_panic());
    let mut pools = pools.iter().flatten();
    pools.find_map(|pool| {
        let asked = Some(asked).filter(|_| pool.health.is_panic() != well)?;
        let (cluster, of) = pool.first(asked, weights)?;
        *scope = (*scope).max(of);
        Some(cluster)
    })
}

impl Common<'_> {
    /// One record; `hints` puts those of the family of a number, IPv4 first. Keys stand in ascending order (RFC 9460 §2.2).
    fn record(
        &self,
        writer: &mut Writer<'_>,
        priority: u16,
        target: &[u8],
        mut hints: impl FnMut(&mut Writer<'_>, usize),
    ) {
        let (owner, priority) = (pointer(self.owner), priority.to_be_bytes());
        let start = writer.put_record(Section::Answer, owner, self.kind, self.ttl_s, &priority);
        writer.put(Section::Answer, 0, target);
        writer.put(
            Section::Answer,
            0,
            self.snapshot.octets(self.service.before_hints),
        );
        hints(writer, 0);
        writer.put(Section::Answer, 0, self.snapshot.octets(self.service.ech));
        hints(writer, 1);
        writer.patch_length(start + body::RDATA);
    }
}

impl<'a> Pool<'a> {
    fn new(kind: u16, steered: &'a Steered, gates: &GateTable, left: &'a mut Vec<u64>) -> Self {
        let health = steer::effective(steered, gates, left);
        Self {
            kind,
            steered,
            health,
            left,
        }
    }

    /// SERVFAIL is what its own type is answered.
    fn is_mute(&self) -> bool {
        self.health.is_panic() && matches!(self.steered.all_down, AllDown::ServFail)
    }

    /// Puts the addresses that its own type is answered as hints; gives their number, and how many bits of the client's address
    /// they depend on.
    fn answer(
        &mut self,
        writer: &mut Writer<'_>,
        snapshot: &Snapshot,
        asked: &Asked<'_>,
        weights: &mut Vec<u64>,
    ) -> (usize, u8) {
        let mut hint = Hint::of(self.kind);
        if self.health.is_panic() {
            match self.steered.all_down {
                AllDown::LastGood | AllDown::All => {}
                AllDown::Fallback { body, .. } => {
                    self.left.fill(0);
                    hint.add(writer, snapshot.octets(body));
                    return (hint.end(writer), 0);
                }
                AllDown::ServFail => {
                    self.left.fill(0);
                    return (0, 0);
                }
            }
        }
        weights.clone_from(self.left);
        let choice = steer::decide(self.steered, self.health, asked, weights);
        let (candidates, len) = (&self.steered.candidates, body::address_len(self.kind));
        choice.addresses(candidates, weights, |run| {
            if let Some((candidate, left)) = candidates
                .get(run.candidate)
                .zip(self.left.get_mut(run.candidate))
            {
                *left = 0;
                hint.add(writer, snapshot.addresses(candidate, run.from..run.to, len));
            }
        });
        (hint.end(writer), choice.scope)
    }

    /// The cluster of the first address that its own type would be answered if nobody were there but those that are left, and
    /// how many bits of the client's address that depends on.
    fn first(&self, asked: &Asked<'_>, weights: &mut Vec<u64>) -> Option<(u32, u8)> {
        if self.left.iter().all(|weight| *weight == 0) {
            return None;
        }
        weights.clone_from(self.left);
        let choice = steer::decide(self.steered, self.health, asked, weights);
        let mut first = None;
        choice.addresses(&self.steered.candidates, weights, |run| {
            first = first.or(Some(run.candidate));
        });
        let candidate = self.steered.candidates.get(first?)?;
        Some((candidate.cluster, choice.scope))
    }

    /// Puts the addresses of a cluster, if they are left, as hints.
    fn give(&mut self, writer: &mut Writer<'_>, snapshot: &Snapshot, cluster: u32) {
        let of = |candidate: &Candidate| candidate.cluster == cluster;
        let index = self.steered.candidates.iter().position(of);
        let Some(index) = index.filter(|index| self.left.get(*index).is_some_and(|left| *left > 0)) else {
            return;
        };
        if let Some((candidate, left)) = self.steered.candidates.get(index).zip(self.left.get_mut(index)) {
            *left = 0;
            let all = 0..usize::from(candidate.count.get());
            let mut hint = Hint::of(self.kind);
            hint.add(
                writer,
                snapshot.addresses(candidate, all, body::address_len(self.kind)),
            );
            hint.end(writer);
        }
    }
}

/// A parameter with the addresses of one family (RFC 9460 §7.3); none at all without an address.
struct Hint {
    key: u8,
    record_len: usize,
    start: Option<usize>,
    count: usize,
}

/// Octets of a parameter's key and length.
const HEAD: usize = 4;

impl Hint {
    fn of(kind: u16) -> Self {
        Self {
            key: if kind == rtype::A { 4 } else { 6 },
            record_len: body::address_len(kind),
            start: None,
            count: 0,
        }
    }

    /// Adds the addresses of ready-made records.
    fn add(&mut self, writer: &mut Writer<'_>, records: &[u8]) {
        for record in records.chunks_exact(self.record_len) {
            if self.start.is_none() {
                self.start = Some(writer.put(Section::Answer, 0, &[0, self.key, 0, 0]));
            }
            writer.put(Section::Answer, 0, record.get(body::RDATA..).unwrap_or_default());
            self.count += 1;
        }
    }

    /// Ends it; gives the number of addresses.
    fn end(self, writer: &mut Writer<'_>) -> usize {
        if let Some(start) = self.start {
            writer.patch_length(start + HEAD);
        }
        self.count
    }
}
