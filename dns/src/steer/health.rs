//! The health filter: effective weight = plan weight × gate × what gray failure leaves, in millionths.
//!
//! Never empty. Where health leaves nothing, those serve that are positively healthy and only held back for flapping;
//! where there are none, the last good set, which is what was withdrawn in the latest episode that touched this record
//! set; where even that is empty, the plan's weights. Where the plan gives this address family no weight at all, every
//! candidate counts alike.

use crate::gate::FULL;
use crate::gate::table::GateTable;
use crate::snapshot::Candidate;

/// Which weights an answer was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Every candidate with a weight is let through in full.
    Normal,
    /// Some are, others are withdrawn or ramp up after their return.
    Degraded,
    /// Nobody else can serve: those that are healthy and held back for flapping do.
    Spare,
    /// Candidates serve only because nobody is known to be better.
    Held,
    /// Every candidate is withdrawn: the last good set serves.
    LastGood,
}

impl Health {
    /// PANIC is on for this record set.
    pub(crate) fn is_panic(self) -> bool {
        match self {
            Self::Normal | Self::Degraded | Self::Spare => false,
            Self::Held | Self::LastGood => true,
        }
    }
}

pub(crate) fn apply(candidates: &[Candidate], gates: &GateTable, effective: &mut Vec<u64>) -> Health {
    if let Some(health) = gated(candidates, gates, plan_weight, effective) {
        return health;
    }
    if candidates.iter().any(|candidate| candidate.weight > 0) {
        return withdrawn(candidates, gates, plan_weight, effective);
    }
    gated(candidates, gates, |_| 1, effective)
        .unwrap_or_else(|| withdrawn(candidates, gates, |_| 1, effective))
}

fn plan_weight(candidate: &Candidate) -> u64 {
    u64::from(candidate.weight)
}

/// The weights that health lets through; `None` when it lets nothing through.
fn gated(
    candidates: &[Candidate],
    gates: &GateTable,
    weight: impl Fn(&Candidate) -> u64,
    effective: &mut Vec<u64>,
) -> Option<Health> {
    effective.clear();
    let mut any = false;
    let mut sound = false;
    let mut whole = true;
    for candidate in candidates {
        let value = gates.load(candidate.slot);
        let weight = weight(candidate);
        let through = weight * value.through();
        whole &= weight == 0 || (value.gate == FULL && !value.held);
        any |= through > 0;
        sound |= through > 0 && !value.held;
        effective.push(through);
    }
    any.then_some(match (sound, whole) {
        (false, _) => Health::Held,
        (true, false) => Health::Degraded,
        (true, true) => Health::Normal,
    })
}

/// Everyone with a weight, whatever health says.
pub(super) fn all(candidates: &[Candidate], weights: &mut [u64]) {
    let any = candidates.iter().any(|candidate| candidate.weight > 0);
    for (into, candidate) in weights.iter_mut().zip(candidates) {
        let weight = if any { plan_weight(candidate) } else { 1 };
        *into = weight * u64::from(FULL);
    }
}

/// Who serves when everyone is withdrawn.
fn withdrawn(
    candidates: &[Candidate],
    gates: &GateTable,
    weight: impl Fn(&Candidate) -> u64,
    effective: &mut [u64],
) -> Health {
    let mut any = false;
    for (into, candidate) in effective.iter_mut().zip(candidates) {
        let open = if gates.load(candidate.slot).spare { FULL } else { 0 };
        *into = weight(candidate) * u64::from(open);
        any |= *into > 0;
    }
    if any {
        return Health::Spare;
    }
    last_good(candidates, gates, weight, effective);
    Health::LastGood
}

fn last_good(
    candidates: &[Candidate],
    gates: &GateTable,
    weight: impl Fn(&Candidate) -> u64,
    effective: &mut [u64],
) {
    let latest = candidates
        .iter()
        .filter(|candidate| weight(candidate) > 0)
        .map(|candidate| gates.load(candidate.slot).episode)
        .max()
        .unwrap_or(0);
    let mut any = false;
    for (into, candidate) in effective.iter_mut().zip(candidates) {
        let value = gates.load(candidate.slot);
        *into = if value.episode == latest {
            weight(candidate) * u64::from(value.last_good)
        } else {
            0
        };
        any |= *into > 0;
    }
    if !any {
        for (into, candidate) in effective.iter_mut().zip(candidates) {
            *into = weight(candidate) * u64::from(FULL);
        }
    }
}
