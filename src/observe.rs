//! What observers probe and consumers decide about: the targets that Cluster objects ask for.
//!
//! ```text
//! Cluster objects ── targets ──> Vec<Target> ── follow ──> every observer, every consumer
//! ```
//! `process` is `lifeboat observer`: one observer as its configuration file says. `passive` is where users' requests are
//! reported to it.

pub mod config;
mod files;
mod follow;
pub mod passive;
pub mod process;
pub mod targets;

pub use config::ObserverFile;
pub use follow::follow;
