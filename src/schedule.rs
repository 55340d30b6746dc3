//! Which clusters get how many replicas. Pure: filter → score → spread → divide.
//!
//! ```text
//! clusters ─ filter ─> feasible ─ estimate ─> candidates ─ spread ─> chosen ─ divide ─> Decision
//!            why not, by cluster    what each can take      by cluster or region
//! ```
//!
//! The answers are Karmada's for the same inputs, `pkg/scheduler/core`; `tests/karmada_vectors.rs` holds the proof.
//! The tie-break of a division is by the workload's UID, so that equal clusters share the odd replicas fairly
//! over many workloads.

mod affinity;
mod assign;
mod candidate;
mod divide;
mod estimate;
mod filter;
pub mod reconcile;
mod resources;
mod round;
mod score;
mod spread;
mod taint;
mod unknown;
mod view;
mod webster;

pub use affinity::{cluster_matches, selector_matches};
pub(crate) use affinity::{valid_key, valid_subdomain, valid_value};
pub use assign::{Assignment, assign_replicas};
pub use candidate::Candidate;
pub use divide::{Mode, Short, Strategy, divide_dynamic, divide_static, duplicate, strategy_of};
pub use estimate::{UNLIMITED, max_replicas};
pub use filter::filter;
pub use resources::Resources;
pub use round::{Decision, Reason, Request, ScheduleError, feasible, round, schedule, select};
pub use score::score;
pub use spread::{Group, SpreadError, group_score, select_clusters, select_groups, sort_candidates};
pub use taint::{TolerationTime, matching_tolerations, min_toleration_time, tolerates};
pub use unknown::unknown_clusters;
pub use view::ClusterView;
pub use webster::{Party, TieBreaker, allocate_seats, dispense};

#[cfg(test)]
mod tests;
