//! What a probe asks of a target, as an operator writes it, and the parsed form that the probers use.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Family;

/// How a target is probed.
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
        /// `http://HOST[:PORT]/PATH`.
        url: String,
        /// The `Host` header, where it differs from the URL's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Status codes that count as success.
        #[serde(default)]
        expect: StatusRange,
    },
    /// A TCP handshake.
    Tcp {
        /// `ADDRESS:PORT`.
        address: SocketAddr,
    },
}

/// An inclusive range of HTTP status codes, written `200-399` or `204`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// # Errors
    /// Bounds outside 100..=599 or in the wrong order.
    pub fn new(first: u16, last: u16) -> Result<StatusRange, CheckError> {
        if (100..=599).contains(&first) && (first..=599).contains(&last) {
            Ok(StatusRange { first, last })
        } else {
            Err(CheckError::Expect {
                given: format!("{first}-{last}"),
            })
        }
    }

    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl Default for StatusRange {
    /// 200-399.
    fn default() -> StatusRange {
        StatusRange {
            first: 200,
            last: 399,
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for StatusRange {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<StatusRange, CheckError> {
        let wrong = || CheckError::Expect {
            given: text.to_owned(),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |part: &str| part.trim().parse::<u16>().map_err(|_| wrong());
        StatusRange::new(parse(first)?, parse(last)?).map_err(|_| wrong())
    }
}

impl TryFrom<String> for StatusRange {
    type Error = CheckError;

    fn try_from(text: String) -> Result<StatusRange, CheckError> {
        text.parse()
    }
}

impl From<StatusRange> for String {
    fn from(range: StatusRange) -> String {
        range.to_string()
    }
}

/// Why a check cannot be probed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error(
        "expect {given:?} is not a status range: allowed is CODE or FIRST-LAST with codes from 100 to 599"
    )]
    Expect { given: String },
    #[error("url {given:?}: {problem}; allowed is http://HOST[:PORT]/PATH")]
    Url { given: String, problem: &'static str },
    #[error("host {given:?}: a Host header is 1 to 255 visible ASCII characters without spaces or slashes")]
    Host { given: String },
    #[error("address {address} is not of the target's family {family}")]
    Family { address: IpAddr, family: Family },
    #[error("address {address}: port 0 cannot be probed")]
    Port { address: SocketAddr },
}

/// A check, parsed: what to connect to and what to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Http {
        at: Remote,
        host: String,
        path: String,
        expect: StatusRange,
    },
    Tcp {
        at: SocketAddr,
    },
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

impl Check {
    /// Parse for probing over `family`.
    ///
    /// # Errors
    /// The field at fault and what is allowed.
    pub fn parse(&self, family: Family) -> Result<Probe, CheckError> {
        match self {
            Check::Http { url, host, expect } => {
                let (authority, path) = split_url(url)?;
                let at = remote(url, authority)?;
                if let Remote::Address(address) = &at {
                    same_family(address.ip(), family)?;
                }
                let host = host.clone().unwrap_or_else(|| authority.to_owned());
                if host.is_empty()
                    || host.len() > 255
                    || !host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
                {
                    return Err(CheckError::Host { given: host });
                }
                Ok(Probe::Http {
                    at,
                    host,
                    path: path.to_owned(),
                    expect: *expect,
                })
            }
            Check::Tcp { address } => {
                same_family(address.ip(), family)?;
                if address.port() == 0 {
                    return Err(CheckError::Port { address: *address });
                }
                Ok(Probe::Tcp { at: *address })
            }
        }
    }

    /// The family of the address the check names, if it names one; a host name has none.
    pub fn family(&self) -> Option<Family> {
        let ip = match self {
            Check::Tcp { address } => Some(address.ip()),
            Check::Http { url, .. } => split_url(url)
                .and_then(|(authority, _)| remote(url, authority))
                .ok()
                .and_then(|at| {
                    if let Remote::Address(address) = at {
                        Some(address.ip())
                    } else {
                        None
                    }
                }),
        };
        ip.map(Family::of)
    }
}

fn same_family(address: IpAddr, family: Family) -> Result<(), CheckError> {
    if Family::of(address) == family {
        Ok(())
    } else {
        Err(CheckError::Family { address, family })
    }
}

/// `(authority, path and query)`.
fn split_url(url: &str) -> Result<(&str, &str), CheckError> {
    let wrong = |problem| CheckError::Url {
        given: url.to_owned(),
        problem,
    };
    if url.len() > 2_048 {
        return Err(CheckError::Url {
            given: format!("{:.40}…", url),
            problem: "longer than 2048 bytes",
        });
    }
    if !url.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("characters other than visible ASCII"));
    }
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| wrong("the scheme is not http"))?;
    if rest.contains('#') {
        return Err(wrong("a fragment cannot be sent"));
    }
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) if rest.as_bytes().get(at) == Some(&b'?') => return Err(wrong("the path is missing")),
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if authority.contains('@') {
        return Err(wrong("user information is not sent"));
    }
    Ok((authority, path))
}

fn remote(url: &str, authority: &str) -> Result<Remote, CheckError> {
    let wrong = |problem| CheckError::Url {
        given: url.to_owned(),
        problem,
    };
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return if address.port() == 0 {
            Err(wrong("port 0"))
        } else {
            Ok(Remote::Address(address))
        };
    }
    let bare = authority
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(authority);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(Remote::Address(SocketAddr::new(ip, 80)));
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (
            name,
            port.parse::<u16>()
                .map_err(|_| wrong("the port is not a number"))?,
        ),
        None => (authority, 80),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(plain) {
        return Err(wrong("the host is neither an address nor a host name"));
    }
    if port == 0 {
        return Err(wrong("port 0"));
    }
    Ok(Remote::Name {
        name: name.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests;
