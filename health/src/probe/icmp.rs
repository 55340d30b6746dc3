//! The ICMP check: an echo each T over a datagram socket, which needs no privilege but a group in
//! `net.ipv4.ping_group_range` (ping(7), icmp(7)). The kernel fills in identifier and checksum and hands back only
//! answers to this socket's own echoes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::attempt::Attempt;
use super::error::classify;
use super::wait::Waited;
use super::{Failure, Took};
use crate::detector::Phase;

const HEADER_BYTES: usize = 8;
const NONCE_BYTES: usize = 16;

pub(super) async fn probe(attempt: &Attempt, ip: IpAddr) -> Result<(), Failure> {
    let socket = match open(ip) {
        Ok(socket) => socket,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            attempt.tell(not_permitted(&error));
            return Err(Failure::Unusable);
        }
        Err(error) => return Err(classify(&error)),
    };
    let mut nonce = [0; NONCE_BYTES];
    if SystemRandom::new().fill(&mut nonce).is_err() {
        return Err(Failure::Local);
    }
    let exchange = async {
        socket.connect(SocketAddr::new(ip, 0)).await?;
        socket.send(&echo(ip, nonce)).await?;
        let mut bytes = [0; 128];
        loop {
            let length = socket.recv(&mut bytes).await?;
            if is_reply(ip, nonce, bytes.get(..length).unwrap_or_default()) {
                return Ok::<_, io::Error>(());
            }
        }
    };
    match attempt.wait(Phase::Warm, exchange).await? {
        Waited::InTime(Ok(()), took) => attempt.good(Took {
            first_byte: Some(took),
            ..Took::default()
        }),
        Waited::InTime(Err(error), _) => return Err(classify(&error)),
        Waited::Late(Ok(()), took) => attempt.learn_late(Phase::Warm, took),
        Waited::Late(Err(_), _) => {}
    }
    Ok(())
}

fn not_permitted(error: &io::Error) -> String {
    format!("ICMP is not permitted: {error}; the observer's group must be in net.ipv4.ping_group_range")
}

/// A datagram socket is one to the kernel's system calls whatever its protocol.
fn open(ip: IpAddr) -> io::Result<UdpSocket> {
    let (domain, protocol) = if ip.is_ipv4() {
        (Domain::IPV4, Protocol::ICMPV4)
    } else {
        (Domain::IPV6, Protocol::ICMPV6)
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// An echo request (RFC 792, RFC 4443 §4.1).
fn echo(ip: IpAddr, nonce: [u8; NONCE_BYTES]) -> [u8; HEADER_BYTES + NONCE_BYTES] {
    let mut packet = [0; HEADER_BYTES + NONCE_BYTES];
    packet[0] = if ip.is_ipv4() { 8 } else { 128 };
    packet[7] = 1;
    packet[HEADER_BYTES..].copy_from_slice(&nonce);
    packet
}

fn is_reply(ip: IpAddr, nonce: [u8; NONCE_BYTES], packet: &[u8]) -> bool {
    let reply = if ip.is_ipv4() { 0 } else { 129 };
    packet.first() == Some(&reply) && packet.get(HEADER_BYTES..) == Some(&nonce[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        for (ip, request, reply) in [("127.0.0.1", 8, 0), ("::1", 128, 129)] {
            let ip: IpAddr = ip.parse().unwrap();
            let mut packet = echo(ip, [7; NONCE_BYTES]);
            assert_eq!(packet[0], request);
            assert!(!is_reply(ip, [7; NONCE_BYTES], &packet), "the request itself");
            packet[0] = reply;
            assert!(is_reply(ip, [7; NONCE_BYTES], &packet));
            assert!(!is_reply(ip, [8; NONCE_BYTES], &packet));
            assert!(!is_reply(ip, [7; NONCE_BYTES], &packet[..20]));
        }
        assert!(!is_reply([127, 0, 0, 1].into(), [0; NONCE_BYTES], &[]));
    }

    #[test]
    fn a_missing_permission_is_explained() {
        let text = not_permitted(&io::Error::from_raw_os_error(libc::EACCES));
        assert!(text.contains("net.ipv4.ping_group_range"), "{text}");
    }
}
