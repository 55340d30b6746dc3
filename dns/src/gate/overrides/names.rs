//! Orders about single names, as answers read them. Nearly always there are none, which one load tells.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use lifeboat_health::{Family, MonoTime};

use super::{Action, Overrides};
use crate::gate::table::{GateTable, SlotId};
use crate::snapshot::owner_hash;

/// What is ordered of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameOrder {
    /// Of the name itself: whether all its candidates count as healthy, or none.
    pub(crate) whole: Option<bool>,
    /// Of single clusters in its answers.
    pub(crate) parts: Vec<(SlotId, Action)>,
    /// Each order with its reason, for people.
    pub(crate) told: Vec<String>,
}

/// By the hash of the name.
type Orders = BTreeMap<u64, NameOrder>;

/// Where answers find them.
#[derive(Debug, Default)]
pub(crate) struct NameOrders {
    any: AtomicBool,
    orders: ArcSwap<Orders>,
}

impl NameOrders {
    /// Calls `read` with what is ordered of a name. Takes no lock.
    #[inline]
    pub(crate) fn of<R>(&self, owner: u64, read: impl FnOnce(Option<&NameOrder>) -> R) -> R {
        if !self.any.load(Ordering::Relaxed) {
            return read(None);
        }
        read(self.orders.load().get(&owner))
    }

    /// Puts in force what stands at `now`; whether that is something else than before.
    pub(crate) fn follow(&self, overrides: &Overrides, now: MonoTime, table: &GateTable) -> bool {
        let stand = overrides.standing.iter().filter(|standing| now < standing.until);
        let mut orders = Orders::new();
        for standing in stand {
            let Some((name, cluster)) = standing.subject.name() else {
                continue;
            };
            let what = &standing.what;
            let order = orders.entry(owner_hash(name.wire())).or_default();
            order.told.push(format!(
                "override of {} {}: {}",
                what.of, what.action, what.reason
            ));
            let Some(cluster) = cluster else {
                order.whole = Some(what.action == Action::Up);
                continue;
            };
            let slots = [Family::V4, Family::V6].map(|family| table.intern(cluster, family));
            let parts = slots.into_iter().flatten().map(|slot| (slot, what.action));
            order.parts.extend(parts);
        }
        if **self.orders.load() == orders {
            return false;
        }
        let any = !orders.is_empty();
        self.orders.store(orders.into());
        self.any.store(any, Ordering::Release);
        true
    }
}
