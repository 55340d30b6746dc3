//! Template and policies to binding to works, and statuses on the way back.
//!
//! ```text
//! template, policies ── policy ──> the one it follows ── binding ──> ResourceBinding
//!                                                     scheduler, failover ──> spec.clusters, eviction tasks
//! template, binding ── works ────> one Work a cluster ── member ──> what became of it
//! binding ── dependencies ──> bindings of what its object needs, for the same clusters
//! works ── status ──> the binding's aggregatedStatus ── status ──> the template's status
//! ```
//! All of it pure; `reconcile` is what turns an index into writes.

pub mod binding;
pub mod dependencies;
pub mod eviction;
pub mod names;
pub mod policy;
pub mod reconcile;
pub mod status;
pub mod works;

#[cfg(test)]
mod tests;
