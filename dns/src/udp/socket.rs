//! Binds the UDP sockets of one listen address, one a thread.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::{WAKE_EVERY, mmsg};
use crate::proxy::ProxyFrom;

/// Room for what 100,000 queries a second are in the 30 ms that a thread may not be scheduled; the kernel grants what it allows
/// (`net.core.rmem_max`).
const RECEIVE_BUFFER_OCTETS: usize = 4 << 20;

pub(crate) struct UdpListener {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    /// The socket listens on all addresses: each answer is sent from the one its query came to.
    pub(crate) pktinfo: bool,
    /// Whose PROXY headers say who the client is.
    pub(crate) proxy: Option<ProxyFrom>,
}

/// Binds `threads` sockets to one address. The first bind is exclusive, so that a second server on the same address
/// is an error and not a silent partner of `SO_REUSEPORT`.
pub(crate) fn bind(
    address: SocketAddr,
    threads: usize,
    proxy: Option<&ProxyFrom>,
) -> io::Result<Vec<UdpListener>> {
    let exclusive = open(address, false)?;
    if threads <= 1 {
        return Ok(vec![listener(exclusive, proxy)?]);
    }
    let bound = exclusive.local_addr()?.as_socket().unwrap_or(address);
    drop(exclusive);
    (0..threads)
        .map(|_| open(bound, true).and_then(|socket| listener(socket, proxy)))
        .collect()
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listener(socket: Socket, proxy: Option<&ProxyFrom>) -> io::Result<UdpListener> {
    let address = socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the socket has no internet address"))?;
    socket.set_read_timeout(Some(WAKE_EVERY))?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS) {
        tracing::debug!(%error, "receive buffer left as it is");
    }
    let socket: UdpSocket = socket.into();
    let pktinfo = address.ip().is_unspecified();
    if pktinfo {
        mmsg::enable_pktinfo(&socket, address.is_ipv6())?;
    }
    mmsg::never_fragment(&socket, address.is_ipv6());
    Ok(UdpListener {
        socket,
        address,
        pktinfo,
        proxy: proxy.cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9715 §3.1. 5 is OMIT in linux/in.h and linux/in6.h.
    #[test]
    fn path_mtu_messages_are_not_believed() {
        for (address, v6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let listeners = match bind(address.parse().unwrap(), 2, None) {
                Ok(listeners) => listeners,
                // A machine may have no IPv6.
                Err(error) if v6 && error.kind() == io::ErrorKind::AddrNotAvailable => continue,
                Err(error) => panic!("{address}: {error}"),
            };
            for listener in listeners {
                assert_eq!(mmsg::mtu_discovery(&listener.socket, v6), 5, "{address}");
            }
        }
    }
}
