//! The first tier with a usable candidate. A tier that ramps up after its return, or whose capacity is less than what all
//! ask for, takes its part of the answers; the rest go on to the next. A trickle keeps the next tier warm.

use super::{Wrong, compile::Names};
use crate::gate::FULL;
use crate::input;
use crate::snapshot::Candidate;

/// More than half of the answers is not a trickle.
const MAX_TRICKLE_PERMILLE: u16 = 500;

/// The tiers of one record set, whose candidates stand in their order.
#[derive(Debug)]
pub(crate) struct Failover {
    /// Where each tier ends among the candidates.
    ends: Box<[u16]>,
    /// By candidate, millionths of all answers that it can take; empty where nobody is limited.
    limits: Box<[u32]>,
    trickle_millionths: u32,
}

pub(super) fn check(input: &input::Failover) -> Result<(), Wrong> {
    let mut listed: Vec<&String> = Vec::new();
    for (tier, clusters) in input.tiers.iter().enumerate() {
        if clusters.is_empty() {
            return Err(Wrong::new(
                format!("tiers[{tier}]"),
                "is empty; at least one cluster is needed",
            ));
        }
        for (index, cluster) in clusters.iter().enumerate() {
            if listed.contains(&cluster) {
                let reason = format!("the cluster {cluster} is listed twice");
                return Err(Wrong::new(format!("tiers[{tier}][{index}]"), reason));
            }
            listed.push(cluster);
        }
    }
    if input.trickle > MAX_TRICKLE_PERMILLE {
        let reason = format!(
            "is {}; 0 to {MAX_TRICKLE_PERMILLE} thousandths are allowed",
            input.trickle
        );
        return Err(Wrong::new("trickle", reason));
    }
    Ok(())
}

/// The tier of a cluster, counted from 0; those not listed come after all that are.
pub(super) fn tier_of(input: &input::Failover, cluster: &str) -> Option<usize> {
    input
        .tiers
        .iter()
        .position(|tier| tier.iter().any(|listed| listed == cluster))
}

impl Failover {
    /// For candidates of these clusters, in the order of their tiers.
    pub(super) fn compile(input: &input::Failover, clusters: Names<'_>, limits: Box<[u32]>) -> Self {
        let mut ends = Vec::new();
        for (index, cluster) in clusters.iter().enumerate() {
            let tier = tier_of(input, cluster);
            let next = clusters.get(index + 1).map(|next| tier_of(input, next));
            if tier.is_none() || next != Some(tier) {
                ends.push(u16::try_from(index + 1).unwrap_or(u16::MAX));
            }
        }
        Self {
            ends: ends.into_boxed_slice(),
            limits,
            trickle_millionths: u32::from(input.trickle) * 1_000,
        }
    }

    /// Leaves one tier its weights; returns the rest of the draw.
    pub(super) fn apply(&self, candidates: &[Candidate], weights: &mut [u64], draw: u64) -> u64 {
        let mut rest = draw;
        let mut chosen = None;
        let mut first = None;
        for (from, to, takes) in self.takes(candidates, weights) {
            first = first.or(Some((from, to)));
            // The integer part of draw × 10^6 / 2^64 decides here, the fraction is the draw for what comes next.
            let product = u128::from(rest) * u128::from(FULL);
            let point = u64::try_from(product >> 64).unwrap_or(0);
            if point < takes {
                // What decided is uniform below `takes`, and so is the fraction: together they are a draw again.
                rest = spread(point, takes, product);
                chosen = Some((from, to));
                break;
            }
            rest = spread(point - takes, u64::from(FULL) - takes, product);
        }
        // Only tiers that take a part are left: the first of them takes what nobody took.
        if let Some((from, to)) = chosen.or(first) {
            for (index, weight) in weights.iter_mut().enumerate() {
                if index < from || index >= to {
                    *weight = 0;
                }
            }
        }
        rest
    }

    /// The usable tiers as ranges of candidates, and what each takes of the answers that reach it, in millionths.
    fn takes<'a>(
        &'a self,
        candidates: &'a [Candidate],
        weights: &'a [u64],
    ) -> impl Iterator<Item = (usize, usize, u64)> {
        let mut from = 0;
        let mut primary = true;
        let last = weights.iter().rposition(|weight| *weight > 0);
        self.ends.iter().filter_map(move |end| {
            let (start, to) = (from, usize::from(*end));
            from = to;
            let mut takes = self.open(candidates, weights, start, to);
            if takes == 0 {
                return None;
            }
            if std::mem::replace(&mut primary, false) && last >= Some(to) {
                takes = takes.min(u64::from(FULL - self.trickle_millionths));
            }
            Some((start, to, takes))
        })
    }

    /// How far the most open candidate of a tier is, within what the tier can take.
    fn open(&self, candidates: &[Candidate], weights: &[u64], from: usize, to: usize) -> u64 {
        let mut open = 0;
        let mut limit: u64 = 0;
        for index in from..to {
            let (Some(candidate), Some(&weight)) = (candidates.get(index), weights.get(index)) else {
                break;
            };
            if weight == 0 {
                continue;
            }
            // Without a plan weight the effective weight is the gate itself.
            open = (weight / u64::from(candidate.weight.max(1))).max(1).max(open);
            limit += u64::from(self.limits.get(index).copied().unwrap_or(FULL));
        }
        open.min(limit).min(u64::from(FULL))
    }

    /// The probability of each tier, and the weights it leaves.
    #[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
    pub(super) fn branches(&self, candidates: &[Candidate], weights: &[u64]) -> Vec<(f64, Vec<u64>)> {
        let mut left = 1.0;
        let mut branches: Vec<(f64, Vec<u64>)> = Vec::new();
        for (from, to, takes) in self.takes(candidates, weights) {
            let probability = left * takes as f64 / f64::from(FULL);
            left -= probability;
            let within = |(index, weight): (usize, &u64)| {
                if (from..to).contains(&index) { *weight } else { 0 }
            };
            branches.push((probability, weights.iter().enumerate().map(within).collect()));
        }
        if let Some((probability, _)) = branches.first_mut() {
            *probability += left;
        }
        branches
    }

    /// What the filter does, for people.
    pub(super) fn told(&self) -> String {
        let mut told = "the first tier that has a usable cluster".to_owned();
        if self.trickle_millionths > 0 {
            let percent = f64::from(self.trickle_millionths) / 10_000.0;
            told.push_str(&format!("; {percent:.1} % go to the next, to keep it warm"));
        }
        if !self.limits.is_empty() {
            told.push_str("; what exceeds a tier's capacity goes on to the next");
        }
        told
    }
}

/// `(point + fraction) / of` as a draw: `product` is uniform where its high half is known to lie below `of`.
fn spread(point: u64, of: u64, product: u128) -> u64 {
    let fraction = product & u128::from(u64::MAX);
    let value = (u128::from(point) << 64 | fraction) / u128::from(of.max(1));
    u64::try_from(value).unwrap_or(u64::MAX)
}
