//! The first usable candidate of the order. One that ramps up after its return takes its share of the answers, the
//! rest go on to the next.

use crate::gate::FULL;
use crate::snapshot::Candidate;

/// How much of the answers that reach it a candidate takes, in millionths.
fn takes(candidate: &Candidate, effective: u64) -> u64 {
    // Without a plan weight the effective weight is the gate itself.
    (effective / u64::from(candidate.weight.max(1))).min(u64::from(FULL))
}

pub(crate) fn pick(candidates: &[Candidate], effective: &[u64], draw: u64) -> usize {
    let mut rest = draw;
    let mut last = None;
    for (index, (candidate, weight)) in candidates.iter().zip(effective).enumerate() {
        let takes = takes(candidate, *weight);
        if takes == 0 {
            continue;
        }
        last = Some(index);
        // The integer part of draw × 10^6 / 2^64 decides here, the fraction is the draw for the next.
        let product = u128::from(rest) * u128::from(FULL);
        if u64::try_from(product >> 64).unwrap_or(0) < takes {
            return index;
        }
        rest = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(0);
    }
    // Only ramping candidates are left: the first of them takes what nobody took.
    effective
        .iter()
        .position(|weight| *weight > 0)
        .or(last)
        .unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
pub(crate) fn shares(candidates: &[Candidate], effective: &[u64]) -> Vec<f64> {
    let mut left = 1.0;
    let mut shares: Vec<f64> = candidates
        .iter()
        .zip(effective)
        .map(|(candidate, weight)| {
            let share = left * takes(candidate, *weight) as f64 / f64::from(FULL);
            left -= share;
            share
        })
        .collect();
    if let Some(first) = effective.iter().position(|weight| *weight > 0)
        && let Some(share) = shares.get_mut(first)
    {
        *share += left;
    }
    shares
}
