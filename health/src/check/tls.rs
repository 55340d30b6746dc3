//! How a check verifies the other side's certificate. There is no way to leave it unverified.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::url::is_host_name;
use super::{CheckError, Remote, absolute};

/// Days before its end from which a certificate is warned of.
pub const EXPIRY_WARNING_DAYS: u16 = 14;

/// The certificates that the other side's must descend from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Roots {
    /// Absolute path of a PEM file on the observer; read again when it changes.
    File(String),
    /// The certificates themselves, in PEM.
    Pem(String),
}

/// How the other side's certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsOptions {
    /// What the certificate must descend from: `{file: PATH}` or `{pem: CERTIFICATES}`.
    pub roots: Roots,
    /// The name sent in the handshake and looked for in the certificate, where it differs from the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// A certificate that ends within this many days is warned of in the log. It is no miss before it has ended.
    #[serde(default = "expiry_warning_days")]
    pub expiry_warning_days: u16,
}

const fn expiry_warning_days() -> u16 {
    EXPIRY_WARNING_DAYS
}

/// TLS, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProbe {
    pub roots: Roots,
    /// A host name or an address.
    pub server_name: String,
    pub expiry_warning_days: u16,
}

/// `at` gives the name where the options have none.
pub(super) fn parse(options: Option<&TlsOptions>, at: &Remote) -> Result<TlsProbe, CheckError> {
    let TlsOptions {
        roots,
        server_name,
        expiry_warning_days,
    } = options.ok_or(CheckError::Roots {
        problem: "missing, and nothing is trusted without them",
    })?;
    match roots {
        Roots::File(path) => absolute("tls.roots.file", path)?,
        Roots::Pem(pem) if pem.len() > 1 << 20 => {
            return Err(CheckError::Roots {
                problem: "longer than 1 MiB",
            });
        }
        Roots::Pem(pem) if !pem.contains("-----BEGIN CERTIFICATE-----") => {
            return Err(CheckError::Roots {
                problem: "no certificate in the PEM text",
            });
        }
        Roots::Pem(_) => {}
    }
    let server_name = server_name.clone().unwrap_or_else(|| match at {
        Remote::Address(address) => address.ip().to_string(),
        Remote::Name { name, .. } => name.clone(),
    });
    if server_name.parse::<IpAddr>().is_err() && !is_host_name(&server_name) {
        return Err(CheckError::ServerName { given: server_name });
    }
    Ok(TlsProbe {
        roots: roots.clone(),
        server_name,
        expiry_warning_days: *expiry_warning_days,
    })
}
