//! Faults: what can go wrong with a machine of the fleet, and the switch that makes it so.
//!
//! ```text
//! CLI / HTTP ──FaultSpec──► Faults (registry, TTLs) ──Effects──► FaultTarget (one a cluster)
//!                              │                                    └─► Gate: the machine's sockets
//!                              └──FaultEvent──► timeline, drill
//! ```
//!
//! A [`Gate`] stands between one simulated machine and the network. [`Faults`] decides, from all faults in
//! force on a cluster, what its gates do; it belongs to the harness that runs the drill, never to the product.

pub mod effects;
mod filter;
pub mod gate;
pub mod kind;
pub mod registry;
pub mod routes;
pub mod spec;

pub use effects::{ControllerSwitch, Effects, FaultTarget};
pub use gate::{Gate, GateMode, GateState, GatedListener, GatedStream};
pub use kind::FaultKind;
pub use registry::{ActiveFault, FaultError, FaultEvent, FaultEventKind, FaultView, Faults};
pub use routes::router;
pub use spec::{FaultSpec, ScheduledFault, SpecError};
