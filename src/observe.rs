//! What observers probe and consumers decide about: the targets that Cluster objects ask for.
//!
//! ```text
//! Cluster objects ── targets ──> Vec<Target> ── follow ──> every observer, every consumer
//! ```

mod follow;
pub mod targets;

pub use follow::follow;
