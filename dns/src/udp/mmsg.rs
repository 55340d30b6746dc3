//! The system calls that `std` does not have: `recvmmsg`, `sendmmsg` and two socket options.
//!
//! Architecture Invariant: this is the only module of the crate with `unsafe`. Every pointer it hands to the kernel
//! points into a buffer owned by the [`Batch`] that outlives the call.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use crate::snapshot::AHEAD;
use crate::wire::EDNS_UDP_PAYLOAD;

/// Packets a call moves at most.
const BATCH: usize = AHEAD;
/// Longer queries are cut off by the kernel and then malformed. Not a power of two: the first lines of all buffers would share
/// a few places of the processor's cache.
const QUERY_OCTETS: usize = 2_048 + 64;
const REPLY_OCTETS: usize = EDNS_UDP_PAYLOAD as usize;
/// Room for one `in6_pktinfo` control message.
const CONTROL_OCTETS: usize = 64;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_OCTETS]);

pub(crate) enum Ready {
    Packets,
    /// The wait timed out or was interrupted.
    Nothing,
}

/// Buffers for one batch of queries and their replies.
pub(crate) struct Batch {
    queries: Vec<[u8; QUERY_OCTETS]>,
    replies: Vec<[u8; REPLY_OCTETS]>,
    reply_lens: [usize; BATCH],
    peers: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    received: usize,
    /// Headers that are not as a call to receive needs them: those that the last batch has used.
    used: usize,
    pktinfo: bool,
}

impl Batch {
    pub(crate) fn new(pktinfo: bool) -> Self {
        // SAFETY: both are plain C structs of integers and pointers, for which all zeroes is a value.
        let (peer, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            queries: vec![[0; QUERY_OCTETS]; BATCH],
            replies: vec![[0; REPLY_OCTETS]; BATCH],
            reply_lens: [0; BATCH],
            peers: vec![peer; BATCH],
            controls: vec![Control([0; CONTROL_OCTETS]); BATCH],
            iovecs: vec![
                libc::iovec {
                    iov_base: ptr::null_mut(),
                    iov_len: 0
                };
                BATCH
            ],
            headers: vec![header; BATCH],
            received: 0,
            used: BATCH,
            pktinfo,
        }
    }

    /// Waits for one packet, at most the socket's read timeout, and takes what else is there.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Ready> {
        for index in 0..self.used {
            self.iovecs[index] = libc::iovec {
                iov_base: self.queries[index].as_mut_ptr().cast(),
                iov_len: QUERY_OCTETS,
            };
            let message = &mut self.headers[index].msg_hdr;
            message.msg_name = ptr::from_mut(&mut self.peers[index]).cast();
            message.msg_namelen = socklen(size_of::<libc::sockaddr_storage>());
            message.msg_iov = ptr::from_mut(&mut self.iovecs[index]);
            message.msg_iovlen = 1;
            message.msg_control = ptr::null_mut();
            message.msg_controllen = 0;
            message.msg_flags = 0;
            if self.pktinfo {
                message.msg_control = self.controls[index].0.as_mut_ptr().cast();
                message.msg_controllen = CONTROL_OCTETS;
            }
        }
        self.received = 0;
        self.used = 0;
        // SAFETY: the headers, and all buffers their pointers name, are owned by `self` and have the lengths given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(0) => Ok(Ready::Nothing),
            Ok(count) => {
                self.received = count.min(BATCH);
                self.used = self.received;
                Ok(Ready::Packets)
            }
            Err(_) => match io::Error::last_os_error() {
                error
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    Ok(Ready::Nothing)
                }
                error => Err(error),
            },
        }
    }

    /// How many packets were received.
    pub(crate) fn len(&self) -> usize {
        self.received
    }

    /// The packets received.
    pub(crate) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let received = self.queries.iter().zip(&self.headers).take(self.received);
        received.map(|(query, header)| {
            let len = usize::try_from(header.msg_len).unwrap_or(0);
            query.get(..len).unwrap_or_default()
        })
    }

    /// Calls `reply` with each packet received; it fills the reply's buffer and returns its length, 0 for none.
    pub(crate) fn answer_each(&mut self, mut reply: impl FnMut(&[u8], IpAddr, &mut [u8]) -> usize) {
        for index in 0..self.received {
            let header = &self.headers[index];
            let cut_off = header.msg_hdr.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
            let len = usize::try_from(header.msg_len).unwrap_or(0).min(QUERY_OCTETS);
            self.reply_lens[index] = match address(&self.peers[index]) {
                Some(client) if !cut_off => {
                    reply(&self.queries[index][..len], client, &mut self.replies[index])
                }
                Some(_) | None => 0,
            };
        }
    }

    /// Sends the replies and returns how many the kernel did not take.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> u64 {
        // The replies go out through the headers they came with: peer and, with pktinfo, local address are in place.
        let mut count = 0;
        for index in 0..self.received {
            let len = self.reply_lens[index].min(REPLY_OCTETS);
            if len == 0 {
                continue;
            }
            self.iovecs[index] = libc::iovec {
                iov_base: self.replies[index].as_mut_ptr().cast(),
                iov_len: len,
            };
            if count < index {
                self.headers[count] = self.headers[index];
            }
            let message = &mut self.headers[count].msg_hdr;
            if message.msg_controllen == 0 {
                message.msg_control = ptr::null_mut();
            }
            message.msg_flags = 0;
            count += 1;
        }
        let mut sent = 0;
        let mut lost = 0;
        while sent < count {
            let rest = &mut self.headers[sent..count];
            // SAFETY: as in `receive`; each header's iovec names a reply of `self` with its length.
            let done = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    libc::c_uint::try_from(rest.len()).unwrap_or(0),
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(done) {
                Ok(done) if done > 0 => sent += done,
                Ok(_) | Err(_) => {
                    // The first of the rest cannot be sent: pass over it.
                    lost += 1;
                    sent += 1;
                }
            }
        }
        lost
    }
}

fn socklen(len: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(len).unwrap_or(0)
}

fn address(peer: &libc::sockaddr_storage) -> Option<IpAddr> {
    match libc::c_int::from(peer.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the kernel wrote a `sockaddr_in`, which is smaller than the storage.
            let v4 = unsafe { ptr::from_ref(peer).cast::<libc::sockaddr_in>().read() };
            Some(IpAddr::V4(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes())))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for `sockaddr_in6`.
            let v6 = unsafe { ptr::from_ref(peer).cast::<libc::sockaddr_in6>().read() };
            Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

fn set_option(
    socket: &UdpSocket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option's value is an int that lives during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast(),
            socklen(size_of::<libc::c_int>()),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for the address each packet was sent to.
pub(crate) fn enable_pktinfo(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    if v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

#[cfg(test)]
pub(super) fn mtu_discovery(socket: &UdpSocket, v6: bool) -> libc::c_int {
    let (level, option) = mtu_option(v6);
    let (mut value, mut length) = (-1, socklen(size_of::<libc::c_int>()));
    // SAFETY: the kernel writes an int into `value`, whose size `length` says; both live during the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    assert_eq!(result, 0);
    value
}

fn mtu_option(v6: bool) -> (libc::c_int, libc::c_int) {
    if v6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    } else {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    }
}

/// Neither trusts path MTU messages nor fragments below the interface's MTU (RFC 9715 §3.1). Best effort.
pub(crate) fn never_fragment(socket: &UdpSocket, v6: bool) {
    let (level, option) = mtu_option(v6);
    let never = if v6 {
        libc::IPV6_PMTUDISC_OMIT
    } else {
        libc::IP_PMTUDISC_OMIT
    };
    let result = set_option(socket, level, option, never);
    if let Err(error) = result {
        tracing::debug!(%error, "path MTU handling left as it is");
    }
}
