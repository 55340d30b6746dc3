//! How many replicas a cluster can take, from its resource summary (`pkg/estimator/client/general.go`).

use super::resources::Resources;
use crate::api::Quantity;
use crate::api::cluster::ResourceSummary;
use crate::api::quantity::Nanos;

/// What an estimate says when there is nothing to count.
pub const UNLIMITED: i32 = i32::MAX;

/// Allocatable less allocated less allocating. A quantity that cannot be read counts as none.
pub(crate) fn free(summary: &ResourceSummary) -> Resources {
    let amount = |found: Option<&Quantity>| {
        found
            .and_then(|quantity| Nanos::parse(&quantity.0).ok())
            .unwrap_or_default()
    };
    let mut free = Resources::default();
    for (name, allocatable) in &summary.allocatable {
        let taken = amount(summary.allocated.get(name)) + amount(summary.allocating.get(name));
        free.set(name, amount(Some(allocatable)) - taken);
    }
    free
}

/// Replicas that fit into what is free: pods, and for each request above 0 the amount divided by it.
pub fn max_replicas(free: &Resources, each: &Resources) -> i32 {
    let by_request = each
        .positive()
        .map(|(name, amount)| free.get(name).max(0) / amount);
    let fit = by_request.fold(free.pods.max(0), i64::min);
    i32::try_from(fit).unwrap_or(UNLIMITED)
}
