//! Why a check cannot be probed: the field, what was given, what is allowed.

use std::net::{IpAddr, SocketAddr};

use crate::target::Family;

/// Why a check cannot be probed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error(
        "expect {given:?} is not a status range: allowed is CODE or FIRST-LAST with codes from 100 to 599"
    )]
    Expect { given: String },
    #[error("url {given:?}: {problem}; allowed is {allowed}")]
    Url {
        given: String,
        problem: &'static str,
        allowed: &'static str,
    },
    #[error("host {given:?}: a Host header is 1 to 255 visible ASCII characters without spaces or slashes")]
    Host { given: String },
    #[error("address {given:?}: allowed is ADDRESS:PORT, as 192.0.2.1:80 or [2001:db8::1]:80")]
    Socket { given: String },
    #[error("ip {given:?}: allowed is an IPv4 or IPv6 address")]
    Ip { given: String },
    #[error("address {address} is not of the target's family {family}")]
    Family { address: IpAddr, family: Family },
    #[error("address {address}: port 0 cannot be probed")]
    Port { address: SocketAddr },
    #[error("tls.roots: {problem}; allowed is {{file: PATH}} or {{pem: CERTIFICATES}}")]
    Roots { problem: &'static str },
    #[error("tls is given, but the url's scheme is http; allowed is https")]
    PlainTls,
    #[error("tls.serverName {given:?}: allowed is a host name or an address")]
    ServerName { given: String },
    #[error("service {given:?}: allowed are 0 to 255 visible ASCII characters")]
    Service { given: String },
    #[error("name {given:?}: allowed is a domain name of labels of 1 to 63 letters, digits, - and _")]
    DomainName { given: String },
    #[error("answer {given:?}: allowed are 1 to 255 visible ASCII characters or spaces")]
    Answer { given: String },
    #[error("command: {problem}; allowed is [ABSOLUTE PATH, ARGUMENT, ...]")]
    Command { problem: &'static str },
    #[error("env {given:?}: a variable's name is 1 to 128 letters, digits and _, its value has no NUL")]
    Env { given: String },
    #[error("{field} {given:?}: allowed is the absolute path of a file")]
    File { field: &'static str, given: String },
    #[error("agent {given:?}: allowed are 1 to 63 visible ASCII characters")]
    Agent { given: String },
}
