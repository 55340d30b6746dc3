//! Simulated Kubernetes clusters, fault injection, drills, and the engine of deterministic simulation.
//!
//! [`apiserver`] is a Kubernetes API that kubectl and kube-rs talk to, [`member`] runs workloads behind it,
//! [`fault`] breaks the sockets both listen on, [`drill`] measures from outside what users saw, and [`simulate`] runs
//! worlds in virtual time.

pub mod apiserver;
pub mod drill;
pub mod fault;
pub mod member;
pub mod simulate;
