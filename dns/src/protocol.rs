//! What the server speaks beside plain DNS. All of it is off unless it is configured, and can be changed while the server runs.

use crate::cookie::CookieRules;
use crate::limit::LimitRules;

/// The settings in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// DNS cookies (RFC 7873, RFC 9018).
    pub cookies: Option<CookieRules>,
    /// Response rate limiting over UDP.
    pub rate_limit: Option<LimitRules>,
    pub identity: Identity,
    /// How long a TCP connection may be idle whose client asks for the option edns-tcp-keepalive (RFC 7828), in tenths of a
    /// second. Where there is none, the option is not answered.
    pub keepalive_tenths: Option<u16>,
}

/// What the server says of itself to who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Told in the NSID option to who asks for it (RFC 5001): octets, 1 to 128.
    pub nsid: Option<Vec<u8>>,
    /// `id.server` and `hostname.bind` in class CHAOS (RFC 4892 §3); refused where there is none.
    pub name: Option<String>,
    /// `version.server` and `version.bind` in class CHAOS.
    pub version: Version,
}

/// What is told of the version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Ours.
    #[default]
    Own,
    Text(String),
    /// Nothing: the question is refused.
    Hidden,
}

/// Plain DNS.
pub static PLAIN: Protocol = Protocol {
    cookies: None,
    rate_limit: None,
    identity: Identity {
        nsid: None,
        name: None,
        version: Version::Own,
    },
    keepalive_tenths: None,
};
