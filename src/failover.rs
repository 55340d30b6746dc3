//! Evictions, placements and failback as immutable plans.
//!
//! ```text
//! verdicts ─┐
//! holds ────┼─> brakes ── lost clusters ──> evacuate ─┐
//! bindings ─┤                                │ ledger  ├─> FailoverPlan ──> executor
//! capacity ─┘        companions, tasks <── failback <──┘
//! ```
//! Everything here is pure: [`plan`] takes what is known, the time and its own explicit memory, and
//! returns what should be written. The same inputs always give the same plan, so two leaders agree and
//! a preview is the real thing. The executor makes no choices.
mod brakes;
mod companions;
mod evacuate;
mod failback;
mod hindsight;
mod ledger;
mod place;
mod planner;
mod tasks;

pub mod budget;
pub mod executor;
pub mod intents;
pub mod invariants;
pub mod output;
pub mod standing;
pub mod state;
pub mod world;

pub use hindsight::{Hindsight, Judged};
pub use output::{
    Eviction, Extension, FailoverPlan, HoldNotice, HoldReason, Intent, MovementStep, NoFeasibleTarget,
    TaskEnd, TaskEndReason,
};
pub use planner::plan;
pub use standing::{Standing, if_lost};
pub use state::State;
pub use world::{
    BindingId, BindingView, ClusterHealth, Failback, HoldSubject, Movement, OperatorHold, Phase, Settings,
    TaskView, World,
};

/// `producer` of the eviction tasks this planner writes. It alone ends them.
pub const PRODUCER: &str = "lifeboat-failover";

#[cfg(test)]
mod tests;
