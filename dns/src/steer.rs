//! The steering chain: small pure filters over a record set's candidates, each a file.
//!
//! ```text
//! candidates ──health──> effective weights ──geo, latency, failover, capacity──> fewer, or lower ──weighted | sticky | all──> who answers
//!              (plan weight × gate)          (in the plan's order)                                 rotation, max: which addresses
//! ```
//! Health comes first whether or not a plan lists it, as with gdnsd's plugins and Route 53's policies: no filter brings back
//! what health has taken away, and one that would leave nobody is passed over. So an answer is never empty.

pub(crate) mod addresses;
mod capacity;
pub(crate) mod client;
pub(crate) mod compile;
mod failover;
mod geo;
pub(crate) mod health;
mod latency;
mod ordered;
mod region;
mod sticky;
mod trace;
mod weighted;

use std::num::NonZeroU16;

use crate::gate::table::GateTable;
use crate::geo::GeoTable;
use crate::snapshot::{AllDown, Candidate, Steered};
use capacity::Capacity;
use client::Client;
use failover::Failover;
use geo::Geo;
use health::Health;
use latency::Latency;
use region::Located;
use sticky::Sticky;
pub(crate) use sticky::next_draw;
pub(crate) use trace::{shares, trace};

/// The compiled filters of one record set.
#[derive(Debug)]
pub(crate) struct Chain {
    narrow: Box<[Narrow]>,
    select: Select,
    rotate: bool,
    max: Option<NonZeroU16>,
}

/// A filter that lowers the weights of some candidates, down to 0.
#[derive(Debug)]
enum Narrow {
    Geo(Box<Geo>),
    Latency(Box<Latency>),
    Failover(Failover),
    Capacity(Capacity),
}

/// Who of those left is in the answer.
#[derive(Debug)]
enum Select {
    Weighted,
    Sticky(Box<Sticky>),
    All,
}

/// A field of a filter and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: String,
    pub reason: String,
}

impl Wrong {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }

    fn within(self, outer: &str) -> Self {
        let field = match self.field.as_str() {
            "" => outer.to_owned(),
            inner => format!("{outer}.{inner}"),
        };
        Self { field, ..self }
    }
}

/// What an answer depends on beside the snapshot and the gates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) client: Client,
    pub(crate) geo: &'a GeoTable,
    /// A uniform random number.
    pub(crate) draw: u64,
}

/// Which candidates one answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// One candidate; without it every candidate with a weight.
    pub(crate) only: Option<usize>,
    /// Where among the addresses the answer begins, as a part of 2^64.
    pub(crate) rotation: u64,
    /// At most so many addresses.
    pub(crate) max: usize,
    pub(crate) health: Health,
    /// How many bits of the client's address the choice depends on.
    pub(crate) scope: u8,
}

/// The weights that health leaves, or what the name has for the case that it leaves none.
pub(crate) fn effective(steered: &Steered, gates: &GateTable, weights: &mut Vec<u64>) -> Health {
    let health = gates.names.of(steered.owner, |order| match order {
        None => health::apply(&steered.candidates, gates, weights),
        Some(order) => ordered::apply(&steered.candidates, gates, order, weights),
    });
    if health.is_panic() && matches!(steered.all_down, AllDown::All) {
        health::all(&steered.candidates, weights);
    }
    health
}

/// Runs the chain. `weights` receives the weight of each candidate that is left.
pub(crate) fn choose(
    steered: &Steered,
    gates: &GateTable,
    asked: &Asked<'_>,
    weights: &mut Vec<u64>,
) -> Choice {
    let health = effective(steered, gates, weights);
    decide(steered, health, asked, weights)
}

/// The chain behind health: chooses among those that `weights` leaves, and some it must leave.
#[inline]
pub(crate) fn decide(steered: &Steered, health: Health, asked: &Asked<'_>, weights: &mut [u64]) -> Choice {
    let chain = &steered.chain;
    let mut draw = asked.draw;
    let mut located = Located::new(&asked.client, asked.geo);
    for filter in &chain.narrow {
        match filter {
            Narrow::Geo(geo) => {
                geo.apply(&mut located, weights);
            }
            Narrow::Latency(latency) => {
                latency.apply(&asked.client, &mut located, weights);
            }
            Narrow::Failover(failover) => draw = failover.apply(&steered.candidates, weights, draw),
            Narrow::Capacity(capacity) => capacity.apply(weights),
        }
    }
    let only = match &chain.select {
        Select::Weighted => Some(weighted::pick(weights, draw)),
        Select::Sticky(sticky) => {
            located.scope = located.scope.max(sticky.prefix_len(&asked.client));
            Some(sticky.pick(&asked.client, weights))
        }
        Select::All => None,
    };
    Choice {
        only,
        rotation: match (chain.rotate, only) {
            (false, _) => 0,
            (true, None) => draw,
            // The draw has told the cluster: the address needs another.
            (true, Some(_)) => next_draw(draw),
        },
        max: chain.max.map_or(usize::MAX, |max| max.get().into()),
        health,
        scope: located.scope,
    }
}

impl Choice {
    /// Calls `emit` for the addresses of the answer, in order.
    pub(crate) fn addresses(
        &self,
        candidates: &[Candidate],
        weights: &[u64],
        mut emit: impl FnMut(addresses::Run),
    ) {
        let count = |index: usize| candidates.get(index).map_or(0, |of| of.count.get().into());
        match self.only {
            None => addresses::runs(count, weights, self.rotation, self.max, emit),
            Some(index) if self.rotation == 0 => emit(addresses::Run {
                candidate: index,
                from: 0,
                to: count(index).min(self.max),
            }),
            Some(index) => addresses::runs(
                |_| count(index),
                &[1],
                self.rotation,
                self.max,
                |run| {
                    emit(addresses::Run {
                        candidate: index,
                        ..run
                    });
                },
            ),
        }
    }
}

#[cfg(test)]
mod tests;
