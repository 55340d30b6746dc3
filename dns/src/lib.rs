//! Authoritative DNS server with health steering.
//!
//! ```text
//! master file ──zonefile──┐
//! steering plan ──────────┴─Catalog──> Snapshot (immutable, swapped whole) ─┐
//!                                                                           ├──answer──> response      one thread a core
//! FleetView ──Gates──> GateTable (atomics, one store moves all) ────────────┘
//! ```
//! Pure: `wire`, `name`, `zone`, `zonefile`, `serial`, `catalog`, `snapshot`, `gate`, `geo` (but for reading its files), `steer`, `answer`, `cookie`, `limit`, `proxy`, `invariants`. IO: `server`, `udp`, `tcp`,
//! `lkg`, `background`.
//!
//! Architecture Invariant: nothing between a query and its answer waits: no lock, no disk, no log line, no allocation,
//! no call to anything that steers.

mod answer;
mod background;
mod catalog;
mod cookie;
mod gate;
mod geo;
mod hash;
mod input;
pub mod invariants;
mod limit;
mod lkg;
mod meter;
mod metrics;
mod name;
mod nonempty;
mod protocol;
mod proxy;
mod sample;
mod serial;
mod server;
mod snapshot;
mod stamp;
mod steer;
mod tcp;
mod udp;
mod wire;
mod zone;
pub mod zonefile;

pub use answer::{Outcome, QueryMeta, Reply, Scratch, Transport, answer};
pub use background::give_way;
pub use catalog::{Applied, Catalog, Held, Problem, Refused};
pub use cookie::{CookieRules, CookieSecrets, CookieSecretsError, CookieSeen};
pub use gate::table::{GateTable, GateValue};
pub use gate::{Action, FULL, GateView, Gates, HeldBack, OrderView, Override, OverrideRefused, Ramp};
pub use geo::{GeoError, GeoSources, GeoTable, MmdbError, NetworkInput, RowError};
pub use input::{
    BrokenZone, Capacity, ClusterCapacity, Degrees, EndpointInput, Failover, Filter, Geo, Latency,
    LatencyRow, Location, NameInput, NameServerInput, OnAllDown, RecordInput, ServiceInput, ServiceKey,
    SnapshotInput, SoaInput, Sticky, ZoneInput,
};
pub use limit::{Ladder, LadderError, LimitRules, Limiter, Rung, Verdict as LimitVerdict};
pub use lkg::FileError;
pub use metrics::register_all;
pub use name::{Name, NameError};
pub use protocol::{Identity, PLAIN, Protocol, Version};
pub use proxy::{Proxied, ProxyFrom};
pub use sample::Sampling;
pub use server::explain::{ExplainError, Explanation, Step, StepCandidate};
pub use server::shares::{AnswerShare, NameShares};
pub use server::sink::{GateSink, Notice};
pub use server::status::{LkgStatus, PlanSource, QueryCount, Status};
pub use server::{EcsFrom, Listen, Server, ServerConfig, StartError};
pub use snapshot::Snapshot;
pub use snapshot::build::BuildError;
pub use stamp::Stamp;
pub use steer::Wrong as FilterProblem;
pub use tcp::TcpLimits;
pub use wire::Rcode;
pub use zone::{RecordSet, Zone};
