//! A connection of a simulated machine: a TCP stream that stops when its gate says so.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use super::Gate;
use crate::fault::filter;

/// An accepted connection; reads and writes wait while the gate is silent and fail once it was reset.
pub struct GatedStream {
    gate: Gate,
    id: u64,
    core: Arc<StreamCore>,
}

/// What the owner of the stream and the gate share.
pub(super) struct StreamCore {
    state: Mutex<StreamState>,
}

struct StreamState {
    /// `None` once the connection was reset.
    socket: Option<TcpStream>,
    silent: bool,
    delay: Duration,
    reader: Option<Waker>,
    writer: Option<Waker>,
    burst: Burst,
}

/// Where in a burst of writes the stream stands; a burst starts after a read, or after a pause of the delay.
#[derive(Default)]
struct Burst {
    read_since_write: bool,
    last_write: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl GatedStream {
    pub(super) fn new(gate: Gate, id: u64, core: Arc<StreamCore>) -> Self {
        Self { gate, id, core }
    }

    /// Runs one socket operation, or waits, or fails, as the gate has it.
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        operation: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut guard = self.core.state.lock();
        let state = &mut *guard;
        let Some(socket) = state.socket.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let waker = match side {
            Side::Read => &mut state.reader,
            Side::Write => &mut state.writer,
        };
        // Kept even when the socket itself would wake us: a reset closes the socket under the waiting task.
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        if state.silent {
            return Poll::Pending;
        }
        if side == Side::Write {
            ready!(state.burst.poll_begin(state.delay, cx));
        }
        operation(Pin::new(socket), cx)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Read,
    Write,
}

impl StreamCore {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            state: Mutex::new(StreamState {
                socket: Some(socket),
                silent: false,
                delay: Duration::ZERO,
                reader: None,
                writer: None,
                burst: Burst::default(),
            }),
        }
    }

    pub(super) fn set(&self, silent: bool, delay: Duration) {
        let mut state = self.state.lock();
        if silent != state.silent
            && let Some(socket) = state.socket.as_ref()
        {
            let socket = SockRef::from(socket);
            let result = if silent {
                filter::attach(&socket)
            } else {
                filter::detach(&socket)
            };
            if let Err(error) = result {
                tracing::warn!(%error, silent, "could not change the filter of a connection");
            }
        }
        let wake = (state.silent && !silent) || state.delay != delay;
        state.silent = silent;
        if state.delay != delay {
            state.delay = delay;
            state.burst.pause = None;
        }
        if wake {
            state.wake();
        }
    }

    /// Takes the socket away from its owner, who then reads and writes an error.
    pub(super) fn take(&self) -> Option<TcpStream> {
        let mut state = self.state.lock();
        let socket = state.socket.take();
        state.wake();
        socket
    }
}

impl StreamState {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Burst {
    /// Waits out the delay when a write starts a burst.
    fn poll_begin(&mut self, delay: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if delay.is_zero() {
            return Poll::Ready(());
        }
        let rested = self.last_write.is_none_or(|last| last.elapsed() >= delay);
        if self.pause.is_none() && (self.read_since_write || rested) {
            self.pause = Some(Box::pin(tokio::time::sleep(delay)));
        }
        if let Some(pause) = self.pause.as_mut() {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        self.read_since_write = false;
        self.last_write = Some(Instant::now());
        Poll::Ready(())
    }
}

impl AsyncRead for GatedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = self.poll_io(cx, Side::Read, |socket, cx| socket.poll_read(cx, buf));
        if buf.filled().len() > before {
            self.core.state.lock().burst.read_since_write = true;
        }
        result
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Side::Write, |socket, cx| socket.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Side::Write, |socket, cx| socket.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(cx, Side::Write, |socket, cx| socket.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(cx, Side::Write, |socket, cx| socket.poll_shutdown(cx))
    }
}

impl Drop for GatedStream {
    fn drop(&mut self) {
        self.gate.release(self.id, &self.core);
    }
}

impl std::fmt::Debug for GatedStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GatedStream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
