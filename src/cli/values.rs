//! Values of arguments that more than one subcommand takes.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;
use lifeboat_chaos::fault::spec::parse_duration;

/// A length of time such as `500ms`, `10s` or `1m30s`.
///
/// Its arguments are declared with `allow_hyphen_values`, so that `-3s` is refused by what is allowed rather than
/// taken for a flag.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "not an address; allowed: IPv4 such as 192.0.2.1, IPv6 such as 2001:db8::1".to_owned())
}

pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| {
        "not a prefix; allowed: IPv4 such as 192.0.2.0/24, IPv6 such as 2001:db8::/56".to_owned()
    })
}

pub(super) fn listener(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "not an address with a port; allowed: 127.0.0.1:8080, [::1]:8080 and the like".to_owned()
    })
}
