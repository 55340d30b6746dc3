//! The chain told step by step: the same filters an answer runs, with the probability of every branch instead of a draw.

use super::{Asked, Chain, Located, Narrow, Select, addresses, weighted};
use crate::snapshot::Steered;

/// One filter and what it left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traced {
    pub(crate) filter: &'static str,
    /// What the filter does and why it did so, for people.
    pub(crate) told: String,
    /// By candidate, its share of the answers if the filters behind this one left everything as it is.
    pub(crate) shares: Vec<f64>,
}

/// Weights that stand with a probability.
type Branch = (f64, Vec<u64>);

/// All steps after health, whose weights are given. Without `asked`, of a client of which nothing is known.
pub(crate) fn trace(steered: &Steered, effective: &[u64], asked: Option<&Asked<'_>>) -> Vec<Traced> {
    let mut branches = vec![(1.0, effective.to_vec())];
    let mut steps = Vec::new();
    for filter in &steered.chain.narrow {
        let told = narrow(filter, steered, &mut branches, asked);
        steps.push(Traced {
            filter: filter.name(),
            told,
            shares: mixed(&branches, weighted::shares),
        });
    }
    steps.extend(selected(steered, &branches, asked));
    steps
}

/// The share of answers each candidate is in.
pub(crate) fn shares(steered: &Steered, effective: &[u64], asked: Option<&Asked<'_>>) -> Vec<f64> {
    trace(steered, effective, asked)
        .pop()
        .map_or_else(|| weighted::shares(effective), |last| last.shares)
}

fn narrow(
    filter: &Narrow,
    steered: &Steered,
    branches: &mut Vec<Branch>,
    asked: Option<&Asked<'_>>,
) -> String {
    match filter {
        Narrow::Geo(geo) => by_client(branches, asked, |asked, weights| {
            geo.apply(&mut Located::new(&asked.client, asked.geo), weights)
                .told()
        }),
        Narrow::Latency(latency) => by_client(branches, asked, |asked, weights| {
            let mut located = Located::new(&asked.client, asked.geo);
            latency.apply(&asked.client, &mut located, weights).told()
        }),
        Narrow::Failover(failover) => {
            let split = |(probability, weights): &Branch| -> Vec<Branch> {
                failover
                    .branches(&steered.candidates, weights)
                    .into_iter()
                    .map(|(part, weights)| (part * probability, weights))
                    .collect()
            };
            *branches = branches.iter().flat_map(split).collect();
            failover.told()
        }
        Narrow::Capacity(capacity) => {
            for (_, weights) in branches.iter_mut() {
                capacity.apply(weights);
            }
            capacity.told()
        }
    }
}

/// A filter that looks at the client; each branch may come out for a reason of its own.
fn by_client(
    branches: &mut [Branch],
    asked: Option<&Asked<'_>>,
    apply: impl Fn(&Asked<'_>, &mut [u64]) -> String,
) -> String {
    let Some(asked) = asked else {
        return "depends on the client".to_owned();
    };
    let mut told: Vec<String> = branches
        .iter_mut()
        .map(|(_, weights)| apply(asked, weights))
        .collect();
    told.dedup();
    told.join("; or ")
}

fn selected(steered: &Steered, branches: &[Branch], asked: Option<&Asked<'_>>) -> Vec<Traced> {
    let Chain {
        select, rotate, max, ..
    } = &*steered.chain;
    let most = max.map_or(usize::MAX, |max| max.get().into());
    let counts: Vec<usize> = steered
        .candidates
        .iter()
        .map(|candidate| candidate.count.get().into())
        .collect();
    let step = |filter, told: String, shares| Traced { filter, told, shares };
    let mut steps = vec![match select {
        Select::Weighted => step(
            "weighted",
            "one cluster, drawn anew for every query in proportion".to_owned(),
            mixed(branches, weighted::shares),
        ),
        Select::Sticky(sticky) => step(
            "sticky",
            sticky.told(),
            mixed(branches, |weights| match asked {
                None => weighted::shares(weights),
                Some(asked) => {
                    let picked = sticky.pick(&asked.client, weights);
                    (0..weights.len())
                        .map(|index| if index == picked { 1.0 } else { 0.0 })
                        .collect()
                }
            }),
        ),
        Select::All => step(
            "all",
            "every usable cluster".to_owned(),
            mixed(branches, |weights| {
                addresses::shares(&counts, weights, *rotate, usize::MAX)
            }),
        ),
    }];
    let last = |steps: &[Traced]| steps.last().map(|step| step.shares.clone()).unwrap_or_default();
    if *rotate {
        let shares = last(&steps);
        steps.push(step(
            "rotation",
            "each answer begins at another address".to_owned(),
            shares,
        ));
    }
    if let Some(max) = max {
        let shares = match select {
            Select::All => mixed(branches, |weights| {
                addresses::shares(&counts, weights, *rotate, most)
            }),
            Select::Weighted | Select::Sticky(_) => last(&steps),
        };
        steps.push(step("max", format!("at most {max} addresses"), shares));
    }
    steps
}

fn mixed(branches: &[Branch], shares: impl Fn(&[u64]) -> Vec<f64>) -> Vec<f64> {
    let mut mixed: Vec<f64> = Vec::new();
    for (probability, weights) in branches {
        let shares = shares(weights);
        mixed.resize(shares.len(), 0.0);
        for (into, share) in mixed.iter_mut().zip(shares) {
            *into += probability * share;
        }
    }
    mixed
}

impl Narrow {
    fn name(&self) -> &'static str {
        match self {
            Self::Geo(_) => "geo",
            Self::Latency(_) => "latency",
            Self::Failover(_) => "failover",
            Self::Capacity(_) => "capacity",
        }
    }
}

impl Chain {
    /// Whether every answer holds exactly one candidate.
    pub(crate) fn chooses_one(&self) -> bool {
        match self.select {
            Select::Weighted | Select::Sticky(_) => true,
            Select::All => false,
        }
    }
}
