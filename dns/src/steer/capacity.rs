//! No candidate gets a larger part of the answers than its replicas can take: what exceeds goes to the others, in
//! proportion to their weights, until they are full too. Where all are full each gets its part of the whole capacity.
//! The parts are found by progressive filling, as for max-min fairness with weights (Bertsekas and Gallager, Data
//! Networks, §6.5.2).

use super::{Wrong, compile::Names};
use crate::gate::FULL;
use crate::input;

/// A candidate without a limit.
const UNLIMITED: u32 = u32::MAX;

pub(super) fn check(input: &input::Capacity) -> Result<(), Wrong> {
    if input.clusters.is_empty() {
        return Err(Wrong::new("clusters", "is empty; at least one cluster is needed"));
    }
    for (cluster, capacity) in &input.clusters {
        if capacity.headroom >= 1_000 {
            let reason = format!("is {}; 0 to 999 thousandths are allowed", capacity.headroom);
            return Err(Wrong::new(format!("clusters.{cluster}.headroom"), reason));
        }
    }
    if input.demand == Some(0) {
        return Err(Wrong::new("demand", "is 0; 1 or more, or nothing, is allowed"));
    }
    Ok(())
}

#[derive(Debug)]
pub(crate) struct Capacity {
    limits: Box<[u32]>,
}

/// By candidate, millionths of all answers that it can take.
pub(super) fn limits(input: &input::Capacity, clusters: Names<'_>) -> Box<[u32]> {
    // In thousandths of a replica.
    let usable = |of: &input::ClusterCapacity| u64::from(of.ready) * u64::from(1_000 - of.headroom.min(999));
    let demand = input.demand.map_or_else(
        || input.clusters.values().map(usable).sum(),
        |demand| u64::from(demand) * 1_000,
    );
    clusters
        .iter()
        .map(|cluster| match input.clusters.get(*cluster) {
            None => UNLIMITED,
            Some(of) => {
                let share = u128::from(usable(of)) * u128::from(FULL) / u128::from(demand.max(1));
                u32::try_from(share).unwrap_or(UNLIMITED).min(UNLIMITED - 1)
            }
        })
        .collect()
}

impl Capacity {
    pub(super) fn new(limits: Box<[u32]>) -> Self {
        Self { limits }
    }

    pub(super) fn apply(&self, weights: &mut [u64]) {
        let limit = |index: usize| self.limits.get(index).copied().unwrap_or(UNLIMITED);
        let mut full: u64 = 0;
        // Millionths of the answers that are not yet promised to a full candidate, and the weight they go by.
        let mut left = u64::from(FULL);
        loop {
            let open = |(index, _): &(usize, &u64)| full >> index & 1 == 0;
            let total: u128 = weights
                .iter()
                .enumerate()
                .filter(open)
                .map(|(_, w)| u128::from(*w))
                .sum();
            let mut newly: u64 = 0;
            let mut promised = 0;
            for (index, weight) in weights.iter().enumerate().filter(open).filter(|(_, w)| **w > 0) {
                let exceeds = limit(index) != UNLIMITED
                    && u128::from(*weight) * u128::from(left) > u128::from(limit(index)) * total;
                if exceeds {
                    newly |= 1 << index;
                    promised += u64::from(limit(index));
                }
            }
            full |= newly;
            if newly == 0 {
                break;
            }
            left = left.saturating_sub(promised);
        }
        if full == 0 {
            return;
        }
        let open: u128 = weights
            .iter()
            .enumerate()
            .filter(|(index, _)| full >> index & 1 == 0)
            .map(|(_, weight)| u128::from(*weight))
            .sum();
        let any = open > 0 || (0..weights.len()).any(|index| full >> index & 1 == 1 && limit(index) > 0);
        if !any {
            // Nobody has room for anything: the weights are as good as any other rule.
            return;
        }
        // Weights from here on are parts of an answer in 2^-20 millionths, so that small ones keep their proportion.
        for (index, weight) in weights.iter_mut().enumerate() {
            let share = if full >> index & 1 == 1 {
                u128::from(limit(index)) << 20
            } else {
                (u128::from(*weight) * (u128::from(left) << 20))
                    .checked_div(open)
                    .unwrap_or(0)
            };
            *weight = u64::try_from(share).unwrap_or(u64::MAX);
        }
    }

    /// What the filter does, for people.
    pub(super) fn told(&self) -> String {
        "what exceeds a cluster's ready replicas, less their headroom, goes to the others".to_owned()
    }
}
