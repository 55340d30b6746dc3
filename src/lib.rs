//! Lifeboat: federated failover and traffic scheduling for applications on many Kubernetes clusters.
//!
//! ```text
//! template + policies ─ propagate ─> binding ─ schedule ─> works ─ member ─> clusters
//!                                       ▲                                      │
//! verdicts (health) ──────── failover ──┘          steer <──── ready replicas ─┘
//!                                                    └──> steering plan ──> dns
//! ```
pub mod api;
pub mod cli;
pub mod controller;
mod counted;
pub mod demo;
pub mod failover;
pub mod interpret;
pub mod member;
pub mod nameserver;
pub mod observe;
pub mod propagate;
pub mod schedule;
pub mod serve;
pub mod simulate;
pub mod steer;
pub mod store;
pub mod timeline;
mod yaml;
