//! Simulated Kubernetes clusters, fault injection and drills.
//!
//! [`apiserver`] is a Kubernetes API that kubectl and kube-rs talk to, [`member`] runs workloads behind it,
//! [`fault`] breaks the sockets both listen on, and [`drill`] measures from outside what users saw.

pub mod apiserver;
pub mod drill;
pub mod fault;
pub mod member;
