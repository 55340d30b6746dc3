//! The floor of the UDP path, for `just bench-dns`: takes packets in batches and sends each back with three A records behind
//! it. What a name server costs beyond this, its own work costs. `cargo run --release --example echo -- PORT`.
#![allow(
    unsafe_code,
    reason = "`std` has neither `recvmmsg` nor `sendmmsg`; the pointers are to arrays that live as long as the process"
)]
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on fails")]

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use socket2::SockRef;

const BATCH: usize = 64;
const PACKET: usize = 1_500;
/// 3 of `@ 5 IN A 10.0.0.1`.
const RECORDS: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\0\0\x01\
\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\0\0\x01\
\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\0\0\x01";

fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port: u16 = port.expect("usage: echo PORT");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    SockRef::from(&socket)
        .set_recv_buffer_size(4 << 20)
        .expect("the kernel grants what it allows");
    let mut buffers = vec![[0_u8; PACKET]; BATCH];
    // SAFETY: these are C structs of integers and pointers, for which all zeroes is a value.
    let mut peers: Vec<libc::sockaddr_in> = vec![unsafe { std::mem::zeroed() }; BATCH];
    let mut iovecs: Vec<libc::iovec> = vec![unsafe { std::mem::zeroed() }; BATCH];
    let mut headers: Vec<libc::mmsghdr> = vec![unsafe { std::mem::zeroed() }; BATCH];
    loop {
        for index in 0..BATCH {
            iovecs[index].iov_base = buffers[index].as_mut_ptr().cast();
            iovecs[index].iov_len = PACKET;
            let header = &mut headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut peers[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = ptr::from_mut(&mut iovecs[index]);
            header.msg_iovlen = 1;
        }
        let (fd, first) = (socket.as_raw_fd(), headers.as_mut_ptr());
        // SAFETY: `BATCH` headers, whose names and buffers have the lengths they say.
        let got = unsafe {
            libc::recvmmsg(
                fd,
                first,
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        for index in 0..usize::try_from(got).unwrap_or(0) {
            let len = (headers[index].msg_len as usize).min(PACKET - RECORDS.len());
            let packet = &mut buffers[index];
            packet[2] |= 0x84;
            packet[7] = 3;
            packet[len..len + RECORDS.len()].copy_from_slice(RECORDS);
            iovecs[index].iov_len = len + RECORDS.len();
        }
        if let Ok(count) = libc::c_uint::try_from(got) {
            // SAFETY: the first `count` headers, of which each has a peer and a filled buffer.
            unsafe { libc::sendmmsg(fd, first, count, 0) };
        }
    }
}
