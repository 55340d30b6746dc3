//! The controllers of a member cluster, as pure functions from the [`World`] to the [`Write`]s they want.

pub(crate) mod daemon_set;
pub(crate) mod deployment;
pub(crate) mod job;
pub(crate) mod pods;
pub(crate) mod replica_set;
pub(crate) mod rollout;
pub(crate) mod service;
pub(crate) mod stateful_set;
#[cfg(test)]
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one kind of write it is about"
)]
mod tests;

use super::world::{World, Write};

/// What all controllers want now; nothing means that they are at rest.
pub(crate) fn wants(world: &World, draw: &mut fastrand::Rng) -> Vec<Write> {
    let mut writes = deployment::wants(world);
    writes.extend(replica_set::wants(world, draw));
    writes.extend(stateful_set::wants(world));
    writes.extend(daemon_set::wants(world, draw));
    writes.extend(job::wants(world, draw));
    writes.extend(service::wants(world));
    writes
}
