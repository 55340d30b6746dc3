//! Talks to member clusters (push mode): carries out their works, collects what became of them.
//!
//! ```text
//! works in karmada-es-<cluster> ── apply ──> member API
//! Work.status, Cluster.status   <── collect, summary ── watches on the member
//! ```
//! One [`Links`] holds one link a cluster; a link ends while the cluster's control path is Down and
//! begins anew, with fresh connections and fresh lists, when it is back.
mod apply;
mod collect;
mod endpoint;
mod link;
mod links;
mod summary;

pub use links::Links;
