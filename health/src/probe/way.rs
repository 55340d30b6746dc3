//! Whether this host has a way to an address at all: an address of its own of that family, and a route.
//!
//! A UDP connect sends no packet. It has the kernel look up the route and pick a source address, so it fails only of what
//! this host lacks, and at once: what a router answers from afar (ICMP) is no part of it. The port that it takes is none of
//! TCP's, so it works on while those are used up.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::error::is_exhaustion;

/// Why nothing can be sent to `to` from here; `None` where it can, and where there is nothing left to ask with.
pub(super) fn lack(to: SocketAddr) -> Option<io::Error> {
    let lacks = |error: &io::Error| !is_exhaustion(error);
    any_port(to)
        .and_then(|socket| socket.connect(to))
        .err()
        .filter(lacks)
}

fn any_port(to: SocketAddr) -> io::Result<UdpSocket> {
    if to.is_ipv4() {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_to_a_link_that_is_not_named() {
        let to = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(lack(to("127.0.0.1:1")).is_none(), "closed, and within reach");
        assert!(lack(to("127.0.0.1:0")).is_none(), "an echo has no port");
        assert!(lack(to("[fe80::1]:80")).is_some());
    }
}
