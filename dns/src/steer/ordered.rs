//! Health, with what operators have ordered of the name.
//!
//! A part of a name that is ordered down is not answered where another can serve. Where nobody else is left, the order is lifted: an
//! order empties no answer.

use super::health::{self, Health};
use crate::gate::FULL;
use crate::gate::overrides::Action;
use crate::gate::overrides::names::NameOrder;
use crate::gate::table::GateTable;
use crate::snapshot::Candidate;

pub(super) fn apply(
    candidates: &[Candidate],
    gates: &GateTable,
    order: &NameOrder,
    effective: &mut Vec<u64>,
) -> Health {
    let health = health::apply(candidates, gates, effective);
    match order.whole {
        Some(true) => {
            health::all(candidates, effective);
            return Health::Normal;
        }
        Some(false) => return Health::LastGood,
        None => {}
    }
    let of = |candidate: &Candidate| {
        let part = order.parts.iter().find(|(slot, _)| *slot == candidate.slot);
        part.map(|(_, action)| *action)
    };
    let ups = candidates
        .iter()
        .any(|candidate| of(candidate) == Some(Action::Up));
    // An operator's word is evidence: who is ordered up is better than who is in doubt.
    let doubtful = ups && health.is_panic();
    let left = |candidate: &Candidate, weight: u64| match of(candidate) {
        Some(Action::Up) => u64::from(candidate.weight) * u64::from(FULL),
        Some(Action::Down) => 0,
        _ if doubtful => 0,
        Some(Action::Weight(percent)) => (weight * u64::from(percent) / 100).max(weight.min(1)),
        None => weight,
    };
    let mut weights = candidates.iter().zip(&*effective);
    if weights.all(|(candidate, weight)| left(candidate, *weight) == 0) {
        return health;
    }
    let mut changed = false;
    for (candidate, weight) in candidates.iter().zip(effective) {
        let ordered = left(candidate, *weight);
        changed |= ordered != *weight;
        *weight = ordered;
    }
    match health {
        Health::Normal if changed => Health::Degraded,
        Health::Held | Health::LastGood if doubtful => Health::Degraded,
        Health::Normal | Health::Degraded | Health::Spare | Health::Held | Health::LastGood => health,
    }
}
