//! Bindings and traffic policies to a steering plan.
//!
//! ```text
//! TrafficPolicies ─┐
//! Zones ───────────┤
//! ready replicas ──┼─> compile ─> SnapshotInput ─> shard::cut ─> head + shards ─> API
//! VIPs, verdicts ──┤                  │                                            │
//! previous plan ───┘                  └─> conditions         dns <─ shard::assemble┘
//! ```
//! Pure: the same inputs give the same plan, and a plan whose content did not change keeps its stamp.
pub mod assembler;
pub mod compile;
pub mod follow;
pub mod invariants;
pub mod publisher;
pub mod read;
pub mod shard;
