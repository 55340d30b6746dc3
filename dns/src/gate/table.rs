//! The gate table: one atomic word a slot, a slot for each (cluster, address family). Slots are interned and never
//! reused in a process, so a snapshot can keep their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use lifeboat_health::Family;
use parking_lot::Mutex;

use super::FULL;
use super::overrides::names::NameOrders;

/// Slots in a table: 2,048 clusters of two families.
const CAPACITY: usize = 4_096;

const GATE_BITS: u32 = 20;
const GATE_MASK: u64 = (1 << GATE_BITS) - 1;
const EPISODE_BITS: u32 = 22;
const EPISODE_MASK: u64 = (1 << EPISODE_BITS) - 1;
const SPARE_BIT: u64 = 1 << 62;
const HELD_BIT: u64 = 1 << 63;

/// A weight that gray failure does not lower.
const WHOLE: u32 = 1_000;

/// The number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotId(u16);

/// What a slot holds; fits in one word, so a reader never sees half of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateValue {
    /// Millionths of the plan weight let through now.
    pub gate: u32,
    /// What `gate` was just before the withdrawal.
    pub last_good: u32,
    /// The episode of the last withdrawal; 0 when there was none.
    pub episode: u32,
    /// Kept in the answers only because of PANIC.
    pub held: bool,
    /// What gray failure leaves of the weight, in thousandths; 1000 is all of it. Beside the word, since it follows its
    /// own course: a reader that sees one of the two change before the other sees what was or what will be true.
    pub factor_permille: u32,
    /// Withdrawn, and positively healthy all the same: held back for flapping. It serves where nobody else can.
    pub spare: bool,
}

impl Default for GateValue {
    fn default() -> Self {
        Self {
            gate: FULL,
            last_good: FULL,
            episode: 0,
            held: false,
            factor_permille: WHOLE,
            spare: false,
        }
    }
}

impl GateValue {
    /// Millionths of the plan weight let through, lowered by gray failure; 0 only where the gate is.
    pub(crate) fn through(self) -> u64 {
        let lowered = u64::from(self.gate) * u64::from(self.factor_permille) / u64::from(WHOLE);
        lowered.max(u64::from(self.gate.min(1)))
    }

    fn pack(self) -> u64 {
        let episode = u64::from(self.episode).min(EPISODE_MASK);
        u64::from(self.gate.min(FULL))
            | u64::from(self.last_good.min(FULL)) << GATE_BITS
            | episode << (2 * GATE_BITS)
            | if self.spare { SPARE_BIT } else { 0 }
            | if self.held { HELD_BIT } else { 0 }
    }

    fn unpack(word: u64) -> Self {
        let field = |shift: u32, mask: u64| u32::try_from((word >> shift) & mask).unwrap_or(0);
        Self {
            gate: field(0, GATE_MASK),
            last_good: field(GATE_BITS, GATE_MASK),
            episode: field(2 * GATE_BITS, EPISODE_MASK),
            held: word & HELD_BIT != 0,
            factor_permille: WHOLE,
            spare: word & SPARE_BIT != 0,
        }
    }
}

/// Gates by slot. Readers take no lock.
#[derive(Debug)]
pub struct GateTable {
    words: Box<[AtomicU64]>,
    /// What gray failure leaves of each slot's weight, in thousandths.
    factors: Box<[AtomicU32]>,
    /// The longest TTL of the names that use a slot, in seconds.
    ttls: Box<[AtomicU32]>,
    interned: Mutex<BTreeMap<(String, Family), SlotId>>,
    /// What operators have ordered of single names.
    pub(crate) names: NameOrders,
}

impl Default for GateTable {
    fn default() -> Self {
        Self::new()
    }
}

impl GateTable {
    /// A table whose every gate is open.
    #[must_use]
    pub fn new() -> Self {
        let open = GateValue::default().pack();
        Self {
            words: (0..CAPACITY).map(|_| AtomicU64::new(open)).collect(),
            factors: (0..CAPACITY).map(|_| AtomicU32::new(WHOLE)).collect(),
            ttls: (0..CAPACITY).map(|_| AtomicU32::new(0)).collect(),
            interned: Mutex::new(BTreeMap::new()),
            names: NameOrders::default(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.words.len()
    }

    /// The slot of a cluster, taking a free one the first time. `None` when all are taken.
    pub(crate) fn intern(&self, cluster: &str, family: Family) -> Option<SlotId> {
        let mut interned = self.interned.lock();
        let next = interned.len();
        if let Some(id) = interned.get(&(cluster.to_owned(), family)) {
            return Some(*id);
        }
        if next >= self.words.len() {
            return None;
        }
        let id = SlotId(u16::try_from(next).ok()?);
        interned.insert((cluster.to_owned(), family), id);
        Some(id)
    }

    /// The gate of a slot now.
    pub(crate) fn load(&self, id: SlotId) -> GateValue {
        let index = usize::from(id.0);
        let (Some(word), Some(factor)) = (self.words.get(index), self.factors.get(index)) else {
            return GateValue::default();
        };
        GateValue {
            factor_permille: factor.load(Ordering::Relaxed),
            ..GateValue::unpack(word.load(Ordering::Relaxed))
        }
    }

    pub(crate) fn store(&self, id: SlotId, value: GateValue) {
        let index = usize::from(id.0);
        if let (Some(word), Some(factor)) = (self.words.get(index), self.factors.get(index)) {
            word.store(value.pack(), Ordering::Relaxed);
            factor.store(value.factor_permille.min(WHOLE), Ordering::Relaxed);
        }
    }

    /// The gate of a cluster, where it has a slot.
    #[must_use]
    pub fn gate(&self, cluster: &str, family: Family) -> Option<GateValue> {
        let id = self.interned.lock().get(&(cluster.to_owned(), family)).copied();
        id.map(|id| self.load(id))
    }

    /// The clusters that have had a slot for a family, in order.
    pub(crate) fn clusters(&self, family: Family) -> Vec<String> {
        let interned = self.interned.lock();
        let of_family = interned.keys().filter(|(_, of)| *of == family);
        of_family.map(|(cluster, _)| cluster.clone()).collect()
    }

    /// Those that the plan answers with.
    pub(crate) fn in_use(&self, family: Family) -> BTreeSet<String> {
        let mut clusters = self.clusters(family);
        clusters.retain(|cluster| self.ttl_of(cluster, family) > 0);
        clusters.into_iter().collect()
    }

    /// Sets the longest TTL of each slot a plan uses; slots it does not use have none.
    pub(crate) fn set_ttls(&self, longest: &BTreeMap<SlotId, u32>) {
        for (index, ttl) in self.ttls.iter().enumerate() {
            let id = u16::try_from(index).ok().map(SlotId);
            ttl.store(
                id.and_then(|id| longest.get(&id)).copied().unwrap_or(0),
                Ordering::Relaxed,
            );
        }
    }

    pub(crate) fn ttl_of(&self, cluster: &str, family: Family) -> u32 {
        let id = self.interned.lock().get(&(cluster.to_owned(), family)).copied();
        id.and_then(|id| self.ttls.get(usize::from(id.0)))
            .map_or(0, |ttl| ttl.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_its_word() {
        for value in [
            GateValue::default(),
            GateValue {
                gate: 0,
                last_good: FULL,
                episode: 7,
                held: false,
                factor_permille: WHOLE,
                spare: true,
            },
            GateValue {
                gate: 250_000,
                last_good: 1,
                episode: (1 << 22) - 1,
                held: true,
                factor_permille: WHOLE,
                spare: false,
            },
        ] {
            assert_eq!(GateValue::unpack(value.pack()), value);
        }
    }

    #[test]
    fn gray_failure_lowers_and_never_shuts() {
        let table = GateTable::new();
        let slot = table.intern("a", Family::V4).unwrap();
        let check = |gate, factor_permille, expected| {
            let value = GateValue {
                gate,
                factor_permille,
                ..GateValue::default()
            };
            table.store(slot, value);
            assert_eq!(table.load(slot), value);
            assert_eq!(value.through(), expected, "{gate} × {factor_permille}");
        };
        check(FULL, 1_000, 1_000_000);
        check(FULL, 250, 250_000);
        check(250_000, 500, 125_000);
        check(1, 10, 1);
        check(FULL, 0, 1);
        check(0, 500, 0);
    }

    #[test]
    fn slots_are_interned_by_cluster_and_family() {
        let table = GateTable::new();
        let a = table.intern("a", Family::V4).unwrap();
        assert_eq!(table.intern("a", Family::V4), Some(a));
        assert_ne!(table.intern("a", Family::V6), Some(a));
        table.store(
            a,
            GateValue {
                gate: 5,
                ..GateValue::default()
            },
        );
        assert_eq!(table.gate("a", Family::V4).unwrap().gate, 5);
        assert_eq!(table.gate("a", Family::V6).unwrap().gate, FULL);
        assert_eq!(table.gate("b", Family::V4), None);
    }

    #[test]
    fn a_full_table_says_so() {
        let table = GateTable::new();
        for n in 0..table.capacity() {
            assert!(table.intern(&n.to_string(), Family::V4).is_some());
        }
        assert_eq!(table.intern("one more", Family::V4), None);
    }
}
