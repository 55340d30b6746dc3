//! Worlds for the deterministic simulator of `lifeboat-chaos`: they drive our real cores in virtual time.
//!
//! [`detection`]: observers, evidence, quorums and gates.

pub mod detection;
