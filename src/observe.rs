//! What observers probe and consumers decide about: the targets that Cluster objects ask for.
//!
//! ```text
//! Cluster objects ── targets ──> Vec<Target> ── follow ──> every observer, every consumer
//! ```
//! `agent` is `lifeboat agent`: in a member, it sends the heartbeats that a check of observers may wait for.
//! `process` is `lifeboat observer`: one observer as its configuration file says. `passive` is where users' requests are
//! reported to it.
//! `departed` says what a DNS server goes on deciding about while it answers with clusters that nothing asks for any more.
//! `roster` follows Observer objects: consumers count those that are named, an observer takes its consumers from its own.

pub mod agent;
pub(crate) mod anchors;
pub mod check;
pub mod config;
mod departed;
pub(crate) mod files;
mod follow;
mod host_port;
mod names;
pub mod passive;
pub mod process;
mod roster;
pub mod targets;

pub use config::ObserverFile;
pub use departed::with_departed;
pub use follow::follow;
pub use roster::{Roster, follow_observers, listed};
