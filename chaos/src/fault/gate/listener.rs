//! A listener of a simulated machine: closed while the machine refuses, deaf while it is silent.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::{Gate, GateMode, GatedStream};
use crate::fault::filter;

const BACKLOG: i32 = 1024;
const REBIND_PAUSE: Duration = Duration::from_millis(20);
/// After a failed accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener; `axum::serve` takes it as it is.
pub struct GatedListener {
    gate: Gate,
    id: u64,
    core: Arc<ListenerCore>,
}

/// What the accept loop and the gate share.
pub(super) struct ListenerCore {
    address: SocketAddr,
    state: Mutex<ListenerState>,
}

struct ListenerState {
    mode: GateMode,
    socket: Listening,
    acceptor: Option<Waker>,
}

enum Listening {
    Closed,
    /// Bound outside a runtime; the next accept registers it.
    Bound(std::net::TcpListener),
    Registered(TcpListener),
}

enum Step {
    Accepted(TcpStream, SocketAddr),
    Failed(io::Error),
    /// The port is to be open and could not be bound yet.
    Unbound,
}

impl GatedListener {
    pub(super) fn new(gate: Gate, id: u64, core: Arc<ListenerCore>) -> Self {
        Self { gate, id, core }
    }

    /// The address bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.core.address
    }

    /// The next connection; waits through silences and refusals, and retries failures of the system.
    pub async fn accept(&self) -> (GatedStream, SocketAddr) {
        loop {
            match poll_fn(|cx| self.core.poll_step(cx)).await {
                Step::Accepted(socket, peer) => {
                    if let Err(error) = socket.set_nodelay(true) {
                        tracing::debug!(%error, %peer, "could not set TCP_NODELAY");
                    }
                    if let Some(stream) = self.gate.admit(socket) {
                        return (stream, peer);
                    }
                }
                Step::Failed(error) => {
                    tracing::warn!(%error, address = %self.core.address, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                Step::Unbound => {
                    tokio::time::sleep(REBIND_PAUSE).await;
                    self.core.rebind();
                }
            }
        }
    }
}

impl axum::serve::Listener for GatedListener {
    type Io = GatedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (GatedStream, SocketAddr) {
        Self::accept(self).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.core.address)
    }
}

impl Drop for GatedListener {
    fn drop(&mut self) {
        self.gate.forget_listener(self.id);
    }
}

impl std::fmt::Debug for GatedListener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GatedListener")
            .field("address", &self.core.address)
            .finish_non_exhaustive()
    }
}

impl ListenerCore {
    pub(super) fn bind(address: SocketAddr, mode: GateMode) -> io::Result<Self> {
        let socket = open(address, mode == GateMode::Silent)?;
        let address = socket.local_addr()?;
        let socket = match mode {
            GateMode::Open | GateMode::Silent => Listening::Bound(socket),
            GateMode::Refusing => Listening::Closed,
        };
        Ok(Self {
            address,
            state: Mutex::new(ListenerState {
                mode,
                socket,
                acceptor: None,
            }),
        })
    }

    pub(super) fn set_mode(&self, mode: GateMode) {
        let mut state = self.state.lock();
        state.mode = mode;
        if mode == GateMode::Refusing {
            // Connections still in the accept queue are reset by the kernel.
            state.socket = Listening::Closed;
        }
        let silent = mode == GateMode::Silent;
        let result = match &state.socket {
            Listening::Closed => Ok(()),
            Listening::Bound(socket) => set_filter(&SockRef::from(socket), silent),
            Listening::Registered(socket) => set_filter(&SockRef::from(socket), silent),
        };
        if let Err(error) = result {
            tracing::warn!(%error, address = %self.address, silent, "could not change the filter of a listener");
        }
        drop(state);
        self.rebind();
        let acceptor = self.state.lock().acceptor.take();
        if let Some(waker) = acceptor {
            waker.wake();
        }
    }

    /// Opens the port again when it is closed and should not be; the accept loop tries again after a failure.
    fn rebind(&self) {
        let mut state = self.state.lock();
        if state.mode == GateMode::Refusing || !matches!(state.socket, Listening::Closed) {
            return;
        }
        match open(self.address, state.mode == GateMode::Silent) {
            Ok(socket) => state.socket = Listening::Bound(socket),
            Err(error) => tracing::debug!(%error, address = %self.address, "could not bind again yet"),
        }
    }

    fn poll_step(&self, cx: &mut Context<'_>) -> Poll<Step> {
        let mut state = self.state.lock();
        state.acceptor = Some(cx.waker().clone());
        let socket = match std::mem::replace(&mut state.socket, Listening::Closed) {
            Listening::Closed => {
                return if state.mode == GateMode::Refusing {
                    Poll::Pending
                } else {
                    Poll::Ready(Step::Unbound)
                };
            }
            Listening::Bound(socket) => match TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(error) => return Poll::Ready(Step::Failed(error)),
            },
            Listening::Registered(socket) => socket,
        };
        let polled = socket.poll_accept(cx);
        state.socket = Listening::Registered(socket);
        polled.map(|accepted| match accepted {
            Ok((stream, peer)) => Step::Accepted(stream, peer),
            Err(error) => Step::Failed(error),
        })
    }
}

/// A listening socket, with the filter in place before the first SYN can arrive.
fn open(address: SocketAddr, silent: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if silent {
        filter::attach(&SockRef::from(&socket))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn set_filter(socket: &SockRef<'_>, silent: bool) -> io::Result<()> {
    if silent {
        filter::attach(socket)
    } else {
        filter::detach(socket)
    }
}
