//! The steering chain: small pure filters over a record set's candidates. Each filter is a file; the chain is
//! `health → weighted | failover | all`.
//!
//! ```text
//! candidates ──health──> effective weights (plan weight × gate) ──policy──> the candidates of this answer
//! ```

pub(crate) mod all;
pub(crate) mod failover;
pub(crate) mod health;
pub(crate) mod weighted;

use crate::gate::table::GateTable;
use crate::snapshot::{Policy, Steered};
use health::Health;

/// Which candidates one answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// All addresses of one candidate.
    One(usize),
    /// Every candidate with an effective weight, beginning at the `rotation`-th address, at most `max` addresses.
    All { rotation: u64, max: usize },
}

/// Runs the chain. `effective` receives the weight of each candidate after the health filter.
pub(crate) fn choose(
    steered: &Steered,
    gates: &GateTable,
    draw: u64,
    effective: &mut Vec<u64>,
) -> (Choice, Health) {
    let health = health::apply(&steered.candidates, gates, effective);
    let choice = match steered.policy {
        Policy::Weighted => Choice::One(weighted::pick(effective, draw)),
        Policy::Failover => Choice::One(failover::pick(&steered.candidates, effective, draw)),
        Policy::All { max } => Choice::All {
            rotation: draw,
            max: max.map_or(usize::MAX, usize::from),
        },
    };
    (choice, health)
}

/// The share of answers each candidate is in, for the effective weights of the health filter.
pub(crate) fn shares(steered: &Steered, effective: &[u64]) -> Vec<f64> {
    match steered.policy {
        Policy::Weighted => weighted::shares(effective),
        Policy::Failover => failover::shares(&steered.candidates, effective),
        Policy::All { max } => {
            let counts: Vec<usize> = steered
                .candidates
                .iter()
                .map(|candidate| candidate.count.get().into())
                .collect();
            all::shares(&counts, effective, max.map_or(usize::MAX, usize::from))
        }
    }
}

#[cfg(test)]
mod tests;
