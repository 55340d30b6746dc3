//! The drop-all socket filter: how a socket on loopback becomes as silent as a machine without power.
//!
//! A classic BPF program of one instruction, `ret 0`, tells the kernel to drop every segment that arrives for
//! the socket. On a listener that means no SYN-ACK; on a connection no ACK, FIN or RST. A closed port would
//! answer RST, and a listener that merely stops accepting still completes handshakes. No privilege is needed.

use std::io;

use socket2::{SockFilter, SockRef};

/// `BPF_RET | BPF_K`: return the constant, here the number of bytes to keep.
const RETURN_CONSTANT: u16 = 0x06;

/// Drops everything that arrives at the socket from now on.
pub(crate) fn attach(socket: &SockRef<'_>) -> io::Result<()> {
    socket.attach_filter(&[SockFilter::new(RETURN_CONSTANT, 0, 0, 0)])
}

/// Lets segments through again; a socket that has no filter is left as it is.
pub(crate) fn detach(socket: &SockRef<'_>) -> io::Result<()> {
    match socket.detach_filter() {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}
