//! Evidence on the network: observers dial, consumers listen, QUIC datagrams over mutual TLS.
//!
//! ```text
//! Observer (own thread): probers ─rows─> table ─each 100 ms─> Dialler ══QUIC══> Consumer (own thread): Quorum ─> sink
//! ```
//! Each runs on an OS thread of its own with its own runtime, so that none stalls another.

mod authority;
mod consumer;
mod dialler;
mod expiry;
mod identity;
mod observer;
mod role;
mod thread;
mod tls;
mod window;

pub use authority::{Authority, AuthorityError, IdentityError, Issued};
pub use consumer::{Consumer, ConsumerConfig, ConsumerError, Listed};
pub use expiry::RENEWAL_WARNING_DAYS;
pub use identity::{Identity, PemError};
pub use observer::{Observer, ObserverConfig, ObserverError};
pub use role::Role;
pub use tls::TlsError;

/// The application protocol of evidence.
pub const ALPN: &[u8] = b"lifeboat-evidence/1";

/// The name in the certificate of everyone who may listen for evidence; observers ask for it when they dial.
pub const CONSUMER_NAME: &str = "lifeboat-evidence";

#[cfg(test)]
mod tests;
