//! What people and other systems see: the JSON API, the event stream, metrics and the web console.
//!
//! ```text
//! index, verdicts, dns servers ── view ──> State ──> /api/*  /api/stream (SSE)  console
//! ```
//! The server only reads. Requests that change something come from routers merged in by the caller
//! (the demo's fault endpoint) and pass the same [`guard`].
mod console;
pub mod evidence;
pub mod explain;
mod guard;
mod history;
mod metrics;
pub(crate) mod query;
mod refusal;
mod router;
pub mod state;
mod stream;
pub mod view;

pub use guard::{Guard, Reached};
pub use history::History;
pub use metrics::open_metrics;
pub use refusal::Refusal;
pub use router::{Inquiries, Sources, router};
