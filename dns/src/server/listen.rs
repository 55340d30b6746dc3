//! Binds UDP and TCP on every listen address, both on the same port.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Listen, ServerConfig, StartError};
use crate::tcp;
use crate::udp::{self, UdpListener};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Attempts to find a port that is free for both transports, where the kernel chooses.
const PORT_ATTEMPTS: usize = 16;

pub(super) struct Listening {
    pub(super) udp: Vec<UdpListener>,
    pub(super) tcp: Vec<tcp::Listening>,
}

pub(super) fn bind(config: &ServerConfig) -> Result<Listening, StartError> {
    let mut listening = Listening {
        udp: Vec::new(),
        tcp: Vec::new(),
    };
    for listen in &config.listen {
        let (sockets, listener) = bind_both(listen)?;
        listening.udp.extend(sockets);
        listening.tcp.extend(listener.map(|listener| tcp::Listening {
            listener,
            proxy: listen.proxy.clone(),
        }));
    }
    Ok(listening)
}

fn bind_both(
    &Listen {
        address,
        udp_threads,
        tcp,
        ref proxy,
    }: &Listen,
) -> Result<(Vec<UdpListener>, Option<TcpListener>), StartError> {
    let mut attempt = 1;
    loop {
        let sockets = udp::bind(address, udp_threads, proxy.as_ref()).map_err(|source| StartError::Bind {
            address,
            transport: "UDP",
            source,
        })?;
        let bound = sockets.first().map_or(address, udp::local_address);
        if !tcp {
            return Ok((sockets, None));
        }
        match bind_tcp(bound) {
            Ok(listener) => return Ok((sockets, Some(listener))),
            Err(source) if address.port() != 0 || attempt == PORT_ATTEMPTS => {
                return Err(StartError::Bind {
                    address: bound,
                    transport: "TCP",
                    source,
                });
            }
            Err(_) => attempt += 1,
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a server that has just stopped do not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
