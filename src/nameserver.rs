//! `lifeboat dns`: the authoritative server with steering, as its configuration file says, by itself or fed from a control plane.
//!
//! ```text
//! config ─┬─ entries ──> clusters ── targets ──> observers, consumer ── verdicts ──> gates ─┐
//!         │                 └── plan ──> SnapshotInput ──────────────────────────────> Server ──> answers
//!         └─ zones (master files) ─┘
//! ```
//! Pure: `config`, `entries`, `targets`, `plan`, `unchecked`. IO: `zones` and `protocol` read files, `hearing` observes, `admin` tells, `control` takes
//! orders (`overrides`), `kubernetes` follows a control plane in place of `entries` and `zones`, `keeper` looks for changes, `process` holds it together.

mod admin;
mod background;
pub mod check;
pub mod config;
mod control;
mod entries;
mod hearing;
mod keeper;
mod kubernetes;
mod last;
mod metrics;
mod overrides;
mod plan;
mod privileges;
pub mod process;
mod protocol;
mod running;
mod start;
mod status;
mod targets;
mod unchecked;
mod zones;

pub use config::DnsFile;
pub(crate) use control::SOCKET;
