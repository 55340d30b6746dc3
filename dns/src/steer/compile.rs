//! From the filters of a plan to the chain of a snapshot: what names clusters becomes positions among the candidates.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use super::capacity::{self, Capacity};
use super::failover::{self, Failover};
use super::geo::{self, Geo};
use super::latency::{self, Latency};
use super::sticky::{self, Sticky};
use super::{Chain, Narrow, Select, Wrong, weighted};
use crate::input::{EndpointInput, Filter};

/// Filters that keep a bit for each candidate take no more.
const MAX_CLUSTERS: usize = 64;

/// The clusters of a record set's candidates, in their order.
pub(crate) type Names<'a> = &'a [&'a str];

impl Filter {
    /// Whether these filters can steer a name that all clusters serve that they name.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn check(filters: &[Filter]) -> Result<(), Wrong> {
        let named = |cluster: &str| EndpointInput {
            cluster: cluster.to_owned(),
            addresses: Vec::new(),
            weight: 1,
        };
        let clusters: BTreeSet<&str> = filters.iter().flat_map(Filter::clusters).collect();
        let endpoints: Vec<EndpointInput> = clusters.into_iter().map(named).collect();
        check(filters, &endpoints)
    }
}

/// Whether these filters can steer a name with these endpoints.
pub(crate) fn check(filters: &[Filter], endpoints: &[EndpointInput]) -> Result<(), Wrong> {
    for (index, filter) in filters.iter().enumerate() {
        let at = |wrong: Wrong| wrong.within(&format!("steer[{index}].{}", key(filter)));
        let before = filters.get(..index).unwrap_or_default();
        stands_well(filter, before).map_err(|reason| at(Wrong::new("", reason)))?;
        match filter {
            Filter::Health {} | Filter::All {} | Filter::Rotation {} => Ok(()),
            Filter::Failover(input) => failover::check(input),
            Filter::Geo(_) | Filter::Capacity(_) if endpoints.len() > MAX_CLUSTERS => Err(Wrong::new(
                "",
                format!(
                    "the name has {} clusters; at most {MAX_CLUSTERS} are allowed with this filter",
                    endpoints.len()
                ),
            )),
            Filter::Geo(input) => geo::check(input),
            Filter::Latency(input) => latency::check(input),
            Filter::Capacity(input) => capacity::check(input),
            Filter::Weighted(weights) => weighted::check(weights, endpoints),
            Filter::Sticky(input) => sticky::check(*input),
            Filter::Max(0) => Err(Wrong::new("", "is 0; at least one address is needed")),
            Filter::Max(_) => Ok(()),
        }
        .map_err(at)?;
    }
    Ok(())
}

/// The key of a filter in a plan.
fn key(filter: &Filter) -> &'static str {
    match filter {
        Filter::Health {} => "health",
        Filter::Geo(_) => "geo",
        Filter::Latency(_) => "latency",
        Filter::Failover(_) => "failover",
        Filter::Capacity(_) => "capacity",
        Filter::Weighted(_) => "weighted",
        Filter::Sticky(_) => "sticky",
        Filter::All {} => "all",
        Filter::Rotation {} => "rotation",
        Filter::Max(_) => "max",
    }
}

/// Where in the chain a filter belongs: it narrows the candidates, chooses among them, or orders the addresses.
fn place(filter: &Filter) -> u8 {
    match filter {
        Filter::Health {} => 0,
        Filter::Geo(_) | Filter::Latency(_) | Filter::Failover(_) | Filter::Capacity(_) => 1,
        Filter::Weighted(_) => 2,
        Filter::Sticky(_) | Filter::All {} => 3,
        Filter::Rotation {} | Filter::Max(_) => 4,
    }
}

fn stands_well(filter: &Filter, before: &[Filter]) -> Result<(), String> {
    if before.iter().any(|other| key(other) == key(filter)) {
        return Err("stands twice; once is allowed".to_owned());
    }
    if let Some(later) = before.iter().find(|other| place(other) > place(filter)) {
        return Err(format!(
            "stands after {}; the order is health, then geo, latency, failover and capacity as wanted, then weighted, then sticky or \
             all, then rotation and max",
            key(later)
        ));
    }
    let other = |kind: &str| before.iter().any(|other| key(other) == kind);
    match filter {
        Filter::All {} if other("weighted") || other("sticky") => {
            Err("stands beside a filter that chooses one cluster; one of the two is allowed".to_owned())
        }
        Filter::Sticky(_) if other("all") => {
            Err("stands beside all, which answers with every cluster; one of the two is allowed".to_owned())
        }
        Filter::Health {}
        | Filter::Geo(_)
        | Filter::Latency(_)
        | Filter::Failover(_)
        | Filter::Capacity(_)
        | Filter::Weighted(_)
        | Filter::Sticky(_)
        | Filter::All {}
        | Filter::Rotation {}
        | Filter::Max(_) => Ok(()),
    }
}

/// The endpoints in the order in which they are candidates: that of their failover tiers.
pub(crate) fn in_order<'a>(filters: &[Filter], endpoints: &'a [EndpointInput]) -> Vec<&'a EndpointInput> {
    let mut ordered: Vec<&EndpointInput> = endpoints.iter().collect();
    let tiered = filters.iter().find_map(|filter| {
        if let Filter::Failover(failover) = filter {
            Some(failover)
        } else {
            None
        }
    });
    if let Some(failover) = tiered {
        ordered.sort_by_key(|endpoint| failover::tier_of(failover, &endpoint.cluster).unwrap_or(usize::MAX));
    }
    ordered
}

/// The plan weight of an endpoint.
pub(crate) fn weight(filters: &[Filter], endpoint: &EndpointInput) -> u32 {
    let weights = filters.iter().find_map(|filter| {
        if let Filter::Weighted(weights) = filter {
            Some(weights)
        } else {
            None
        }
    });
    weights.map_or(endpoint.weight, |weights| weighted::weight_of(weights, endpoint))
}

/// The chain for candidates of these clusters.
pub(crate) fn chain(filters: &[Filter], clusters: Names<'_>) -> Chain {
    let mut chain = Chain {
        narrow: Box::default(),
        select: Select::Weighted,
        rotate: false,
        max: None,
    };
    let mut narrow = Vec::new();
    // Limits listed before the tiers hold for each tier as a whole, and then within it.
    let mut limits: Option<Box<[u32]>> = None;
    for filter in filters {
        match filter {
            Filter::Health {} | Filter::Weighted(_) => {}
            Filter::Capacity(input) => {
                let of = capacity::limits(input, clusters);
                if narrow
                    .iter()
                    .any(|earlier| matches!(earlier, Narrow::Failover(_)))
                {
                    narrow.push(Narrow::Capacity(Capacity::new(of)));
                } else {
                    limits = Some(of);
                }
            }
            Filter::Geo(input) => narrow.push(Narrow::Geo(Box::new(Geo::compile(input, clusters)))),
            Filter::Latency(input) => {
                narrow.push(Narrow::Latency(Box::new(Latency::compile(input, clusters))));
            }
            Filter::Failover(input) => {
                let of = limits.clone().unwrap_or_default();
                narrow.push(Narrow::Failover(Failover::compile(input, clusters, of)));
            }
            Filter::Sticky(input) => {
                chain.select = Select::Sticky(Box::new(Sticky::compile(*input, clusters)))
            }
            Filter::All {} => chain.select = Select::All,
            Filter::Rotation {} => chain.rotate = true,
            Filter::Max(max) => chain.max = NonZeroU16::new(*max),
        }
    }
    if let Some(limits) = limits {
        narrow.push(Narrow::Capacity(Capacity::new(limits)));
    }
    chain.narrow = narrow.into_boxed_slice();
    chain
}
