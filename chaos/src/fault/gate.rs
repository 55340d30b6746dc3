//! One simulated machine's connection to the network.
//!
//! Every listener of the machine is bound through its [`Gate`], so that one call makes all of its sockets
//! silent, refusing, slow or well again, those accepted long before included:
//!
//! | mode | a connect | an established connection |
//! |---|---|---|
//! | `Open` | accepted | works |
//! | `Silent` | no SYN-ACK, times out | no data, ACK, FIN or RST; works on after the silence |
//! | `Refusing` | RST | reset when the mode begins |
//!
//! An open gate costs one uncontended lock a read or write and nothing at rest.

mod listener;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use socket2::SockRef;
use tokio::net::TcpStream;

pub use self::{listener::GatedListener, stream::GatedStream};
use self::{listener::ListenerCore, stream::StreamCore};

/// Connections the machine closed while it was silent; more than these are closed at once, which shows a FIN.
const PARKED_MAX: usize = 4096;

/// What the machine's sockets do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateMode {
    /// Everything passes.
    #[default]
    Open,
    /// Nothing passes in either direction, and nothing says so.
    Silent,
    /// Connects are answered by RST and established connections are reset.
    Refusing,
}

/// The whole state of a [`Gate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GateState {
    /// Whether and how sockets answer.
    pub mode: GateMode,
    /// Added before the first byte of each burst that the machine sends; handshakes are not delayed.
    pub delay: Duration,
}

/// The switch for all sockets of one simulated machine; clones share the machine.
#[derive(Clone, Default)]
pub struct Gate {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    state: GateState,
    /// The machine lost its connections while nobody could be told: reset them when the gate opens.
    reset_on_open: bool,
    next_id: u64,
    listeners: BTreeMap<u64, Weak<ListenerCore>>,
    streams: BTreeMap<u64, Weak<StreamCore>>,
    parked: Vec<TcpStream>,
    parked_dropped: u64,
}

impl Gate {
    /// An open gate with no sockets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a listener whose sockets obey this gate; needs a tokio runtime.
    ///
    /// With port 0 the port chosen here is kept for the life of the listener, through refusals too.
    ///
    /// # Errors
    /// The operating system's, such as an address in use.
    pub fn bind(&self, address: SocketAddr) -> io::Result<GatedListener> {
        let mut table = self.table.lock();
        let core = Arc::new(ListenerCore::bind(address, table.state.mode)?);
        let id = table.next_id();
        table.listeners.insert(id, Arc::downgrade(&core));
        drop(table);
        Ok(GatedListener::new(self.clone(), id, core))
    }

    /// The state asked for last.
    pub fn state(&self) -> GateState {
        self.table.lock().state
    }

    /// Connections accepted and not yet closed.
    pub fn connections(&self) -> usize {
        self.table.lock().streams.len()
    }

    /// Connections that had to be closed during a silence because too many were being kept.
    pub fn parked_dropped(&self) -> u64 {
        self.table.lock().parked_dropped
    }

    /// Drops everything in both directions; no SYN-ACK, RST or FIN.
    pub fn silence(&self) {
        let delay = self.state().delay;
        self.apply(GateState {
            mode: GateMode::Silent,
            delay,
        });
    }

    /// Closes the listeners, so that connects get RST, and resets the connections.
    pub fn refuse(&self) {
        let delay = self.state().delay;
        self.apply(GateState {
            mode: GateMode::Refusing,
            delay,
        });
    }

    /// Ends a silence or a refusal; the delay stays.
    pub fn restore(&self) {
        let delay = self.state().delay;
        self.apply(GateState {
            mode: GateMode::Open,
            delay,
        });
    }

    /// Delays the first byte of each response burst from now on; zero ends it.
    pub fn set_delay(&self, delay: Duration) {
        let mode = self.state().mode;
        self.apply(GateState { mode, delay });
    }

    /// Resets every connection, as a machine does that has rebooted and knows none of them.
    ///
    /// A silent machine cannot send a reset: the connections are then reset when the silence ends.
    pub fn reset_connections(&self) {
        let mut table = self.table.lock();
        match table.state.mode {
            GateMode::Silent => table.reset_on_open = true,
            GateMode::Open | GateMode::Refusing => table.reset_streams(),
        }
    }

    /// Moves all sockets of the machine to `state`; done when this returns.
    ///
    /// A listener whose port cannot be bound again at once keeps trying.
    pub fn apply(&self, state: GateState) {
        let mut table = self.table.lock();
        table.state = state;
        match state.mode {
            GateMode::Open => {
                if std::mem::take(&mut table.reset_on_open) {
                    table.reset_streams();
                }
                table.parked.clear();
            }
            GateMode::Silent => {}
            GateMode::Refusing => {
                table.reset_on_open = false;
                table.reset_streams();
            }
        }
        for listener in table.listeners.values().filter_map(Weak::upgrade) {
            listener.set_mode(state.mode);
        }
        for stream in table.streams.values().filter_map(Weak::upgrade) {
            stream.set(state.mode == GateMode::Silent, state.delay);
        }
    }

    /// Takes an accepted socket in; `None` when the machine refuses connections.
    fn admit(&self, socket: TcpStream) -> Option<GatedStream> {
        let mut table = self.table.lock();
        if table.state.mode == GateMode::Refusing {
            reset(socket);
            return None;
        }
        let core = Arc::new(StreamCore::new(socket));
        core.set(table.state.mode == GateMode::Silent, table.state.delay);
        let id = table.next_id();
        table.streams.insert(id, Arc::downgrade(&core));
        drop(table);
        Some(GatedStream::new(self.clone(), id, core))
    }

    /// Forgets a stream that its owner has dropped; during a silence the socket is kept, so that no FIN shows.
    fn release(&self, id: u64, core: &StreamCore) {
        let mut table = self.table.lock();
        table.streams.remove(&id);
        let Some(socket) = core.take() else { return };
        if table.state.mode == GateMode::Silent {
            if table.parked.len() < PARKED_MAX {
                table.parked.push(socket);
                return;
            }
            table.parked_dropped += 1;
        }
        drop(table);
        drop(socket);
    }

    fn forget_listener(&self, id: u64) {
        self.table.lock().listeners.remove(&id);
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = self.table.lock();
        formatter
            .debug_struct("Gate")
            .field("state", &table.state)
            .field("listeners", &table.listeners.len())
            .field("streams", &table.streams.len())
            .finish()
    }
}

impl Table {
    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn reset_streams(&mut self) {
        for stream in self.streams.values().filter_map(Weak::upgrade) {
            if let Some(socket) = stream.take() {
                reset(socket);
            }
        }
        for socket in self.parked.drain(..) {
            reset(socket);
        }
    }
}

/// Closes a connection by RST instead of FIN.
fn reset(socket: TcpStream) {
    if let Err(error) = SockRef::from(&socket).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "could not set linger before a reset");
    }
    drop(socket);
}
