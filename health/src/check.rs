//! What a probe asks of a target, as an operator writes it, and the parsed form that the probers use.

mod address;
mod dns;
mod error;
mod parse;
mod status;
mod tls;
mod url;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use dns::{Rcode, RecordType};
pub use error::CheckError;
pub use status::StatusRange;
pub use tls::{EXPIRY_WARNING_DAYS, Roots, TlsOptions, TlsProbe};

/// How a target is probed.
///
/// A field of one name means the same in every kind that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Check {
    /// GET over HTTP/1.1 on persistent connections.
    Http {
        /// `http://HOST[:PORT]/PATH`, with `https` for kinds that use TLS.
        url: String,
        /// The `Host` header, where it differs from the URL's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Status codes that count as success.
        #[serde(default)]
        expect: StatusRange,
    },
    /// GET over HTTP/1.1 and TLS on persistent connections.
    Https {
        /// `http://HOST[:PORT]/PATH`, with `https` for kinds that use TLS.
        url: String,
        /// The `Host` header, where it differs from the URL's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Status codes that count as success.
        #[serde(default)]
        expect: StatusRange,
        /// How the certificate is verified; TLS needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<TlsOptions>,
    },
    /// A TCP handshake.
    Tcp {
        /// `ADDRESS:PORT`.
        #[serde(deserialize_with = "address::socket")]
        address: SocketAddr,
    },
    /// A TCP and a TLS handshake.
    Tls {
        /// `ADDRESS:PORT`.
        #[serde(deserialize_with = "address::socket")]
        address: SocketAddr,
        /// How the certificate is verified; TLS needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<TlsOptions>,
    },
    /// `grpc.health.v1.Health/Check` over HTTP/2, with TLS where the URL's scheme is `https`.
    Grpc {
        /// `http://HOST[:PORT]/PATH`, with `https` for kinds that use TLS.
        url: String,
        /// The service asked for; empty asks for the whole server.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        /// How the certificate is verified; TLS needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<TlsOptions>,
    },
    /// A DNS query over UDP.
    Dns {
        /// `ADDRESS:PORT`.
        #[serde(deserialize_with = "address::socket")]
        address: SocketAddr,
        /// The name asked for.
        name: String,
        /// The type of record asked for.
        #[serde(default)]
        record_type: RecordType,
        /// The response code that counts as success.
        #[serde(default)]
        rcode: Rcode,
        /// Data that one of the answer's records must have, as in a zone file: `192.0.2.1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
    },
    /// An ICMP echo. The observer's group must be in `net.ipv4.ping_group_range`.
    Icmp {
        /// The address that is pinged.
        #[serde(deserialize_with = "address::ip")]
        ip: IpAddr,
    },
    /// A program on the observer, started each T without a shell, that prints `{"ok": true}`.
    Program {
        /// The program's absolute path and its arguments.
        command: Vec<String>,
        /// Its whole environment; nothing is inherited.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// `/readyz` of a Kubernetes API server. A 5xx is hard evidence.
    Readyz {
        /// `http://HOST[:PORT]/PATH`, with `https` for kinds that use TLS.
        url: String,
        /// Absolute path of a file with a bearer token; read again when it changes. Without it no token is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_file: Option<String>,
        /// How the certificate is verified; TLS needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<TlsOptions>,
    },
    /// An agent inside the cluster that sends the observer a heartbeat each T.
    Heartbeat {
        /// The agent's name.
        agent: String,
        /// Absolute path of a file with the key, of 32 bytes or more, that the agent signs with; read again when
        /// it changes.
        key_file: String,
    },
}

/// A check, parsed: what to connect to and what to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Http(HttpProbe),
    Tcp {
        at: SocketAddr,
    },
    Tls {
        at: SocketAddr,
        tls: TlsProbe,
    },
    Grpc {
        at: Remote,
        authority: String,
        service: String,
        tls: Option<TlsProbe>,
    },
    Dns {
        at: SocketAddr,
        name: String,
        record_type: RecordType,
        rcode: Rcode,
        answer: Option<String>,
    },
    Icmp {
        ip: IpAddr,
    },
    Program {
        program: PathBuf,
        arguments: Vec<String>,
        env: BTreeMap<String, String>,
    },
    Heartbeat {
        agent: String,
        key_file: PathBuf,
    },
}

/// What HTTP, HTTPS and `readyz` checks ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    pub at: Remote,
    pub host: String,
    pub path: String,
    pub expect: StatusRange,
    pub tls: Option<TlsProbe>,
    pub token_file: Option<PathBuf>,
    /// A 5xx is hard evidence whatever path the target stands for.
    pub readyz: bool,
}

/// Where an HTTP check connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    Address(SocketAddr),
    /// Resolved by the prober, to addresses of the target's family alone.
    Name {
        name: String,
        port: u16,
    },
}

fn absolute(field: &'static str, path: &str) -> Result<(), CheckError> {
    if path.starts_with('/') && path.len() <= 4_096 && !path.contains('\0') {
        Ok(())
    } else {
        Err(CheckError::File {
            field,
            given: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
