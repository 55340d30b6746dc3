//! The generic part of deterministic simulation: virtual time, seeded draws, a queue of events, a trace with a hash,
//! timed faults in two phases, and a shrinker. A [`World`] says what happens.
//!
//! ```text
//! seed ─Draws─> world, faults ──run──> safety phase (faults come and go) ─> calm ─> liveness phase ──> Ended{hash}
//!                     └────────────────────── shrink: fewer faults that still fail <───────┘
//! ```
//! No thread, no socket, no wall clock: the same world, faults and phases give the same trace and the same hash.

mod draw;
mod queue;
mod run;
mod shrink;
mod trace;

pub use draw::{Draws, mix};
pub use queue::Queue;
pub use run::{Ended, Phases, Progress, Sim, Timed, World, run};
pub use shrink::shrink;
pub use trace::Trace;
