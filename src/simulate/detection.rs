//! Detection in virtual time: real detectors, schedules, self-checks, datagrams, quorums and gates; only the network, the
//! clusters and the clocks are made up.
//!
//! ```text
//! Fleet, faults ──> World: observers ──links──> clusters          seed ─ draw ─> Fleet, faults
//!                          │ datagrams                            scenario file ─┘
//!                          ▼
//!                   consumers: Quorum, Gates ──> Watch: invariants against the truth
//! ```

mod chamber;
mod conditions;
mod consumer;
mod exam;
mod false_alarms;
mod fault;
mod fleet;
pub mod formula;
mod observer;
mod outcome;
mod report;
mod scenario;
mod setting;
mod swarm;
mod watch;
mod world;

pub use exam::{Exam, examine};
pub use false_alarms::FalseAlarms;
pub use fault::{Fault, timed};
pub use fleet::Fleet;
pub use outcome::{Finding, Outcome, Sometimes};
pub use report::{Report, Totals};
pub use scenario::{Scenario, ScenarioError};
pub use setting::{MOST_SECONDS, loss_seconds};
pub use swarm::{Settings, Swarm};
