//! One candidate an answer, exactly in proportion to the effective weights, drawn anew for every query.

use std::collections::BTreeMap;

use super::Wrong;
use crate::input::EndpointInput;

/// Weights stand in the candidates of a snapshot; a cluster of the name must be left with one.
pub(super) fn check(weights: &BTreeMap<String, u32>, endpoints: &[EndpointInput]) -> Result<(), Wrong> {
    if weights.is_empty() || endpoints.iter().any(|endpoint| weight_of(weights, endpoint) > 0) {
        return Ok(());
    }
    let clusters: Vec<&str> = endpoints
        .iter()
        .filter(|endpoint| endpoint.weight > 0)
        .map(|endpoint| endpoint.cluster.as_str())
        .collect();
    let reason = format!(
        "gives no cluster of the name a weight; at least one of {} needs one above 0",
        clusters.join(", ")
    );
    Err(Wrong::new("", reason))
}

/// The weight of an endpoint under these weights.
pub(super) fn weight_of(weights: &BTreeMap<String, u32>, endpoint: &EndpointInput) -> u32 {
    match endpoint.weight {
        0 => 0,
        own if weights.is_empty() => own,
        _ => weights.get(&endpoint.cluster).copied().unwrap_or(0),
    }
}

/// Maps a uniform draw onto the weights. Falls on the first candidate where all weights are 0.
pub(super) fn pick(weights: &[u64], draw: u64) -> usize {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    // Floor of draw/2^64 × total: each unit of weight has the same share of all draws, to within 1 in 2^64.
    let mut point = scaled(draw, total);
    for (index, weight) in weights.iter().enumerate() {
        let weight = u128::from(*weight);
        if point < weight {
            return index;
        }
        point -= weight;
    }
    0
}

/// floor(draw × total / 2^64) for a total below 2^96.
fn scaled(draw: u64, total: u128) -> u128 {
    let low = total & u128::from(u64::MAX);
    let high = total >> 64;
    let draw = u128::from(draw);
    draw * high + ((draw * low) >> 64)
}

#[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
pub(super) fn shares(weights: &[u64]) -> Vec<f64> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    weights
        .iter()
        .map(|weight| {
            if total == 0 {
                0.0
            } else {
                *weight as f64 / total as f64
            }
        })
        .collect()
}
