//! The Kubernetes API as our state store: watches keep an in-memory index, one writer changes objects.
//!
//! ```text
//! kube API ──watch──> Index ──list──> pure functions ──Vec<Write>──> Writer ──> kube API
//!                       ▲                                              │
//!                       └────────── the object as written ─────────────┘
//! ```
//! Objects are raw JSON here. Typed structs are views made from them, so that a field unknown to us
//! survives every change we make.
mod access;
mod backoff;
pub mod conditions;
mod discover;
mod failures;
mod index;
mod kinds;
pub mod merge;
mod objects;
mod patient;
mod watch;
mod write;

pub use access::access;
pub use backoff::Backoff;
pub use discover::{Discovery, Served};
pub use index::{Index, Key};
pub use kinds::Kind;
pub use objects::{
    annotation, generation, label, name, namespace, pointer_i64, pointer_str, resource_version, uid,
};
pub use patient::PatientWriter;
pub use watch::{Watches, connect};
pub use write::{CONCURRENCY, Op, Outcome, Write, WriteError, WriteLabel, Writer, Writes, reason};
