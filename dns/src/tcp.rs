//! TCP (RFC 7766): one thread with its own runtime; pipelined queries are answered in order, idle and slow
//! connections are closed, the number of connections is bounded, in all and by client.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::Cache;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::answer::{Outcome, QueryMeta, Scratch, Transport, answer};
use crate::metrics::Counters;
use crate::server::shared::Shared;
use crate::snapshot::Snapshot;

/// What one server spends on TCP clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// Connections open at a time, over all addresses; more are closed at once.
    pub connections: usize,
    /// Of these, connections of one client: an IPv4 address or an IPv6 /64. More are closed at once, so that no
    /// client takes the places of all others.
    pub per_client: usize,
    /// How long a connection may be silent between queries (RFC 7766 §6.2.3).
    pub idle: Duration,
    /// How long a query may take from its first octet to its last, and a client to take its answers.
    pub message: Duration,
}

const CONNECTIONS: usize = 1_200;
/// One client has at most this part of all connections. RFC 7766 §6.2.2 asks a client for one or two; many clients
/// may stand behind one address.
const CLIENT_SHARE: usize = 8;

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            per_client: CONNECTIONS / CLIENT_SHARE,
            idle: Duration::from_secs(10),
            message: Duration::from_secs(3),
        }
    }
}

/// Answers to pipelined queries are sent together up to this many octets.
const FLUSH_OCTETS: usize = 64 << 10;
const MAX_MESSAGE: usize = 65_535;

/// What all connections of the thread share; never borrowed across an await.
struct Worker {
    scratch: Scratch,
    rng: fastrand::Rng,
    snapshots: Cache<Arc<arc_swap::ArcSwap<Snapshot>>, Arc<Snapshot>>,
    out: Box<[u8]>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    connections: usize,
    /// Connections by client; none is 0.
    clients: BTreeMap<IpAddr, usize>,
    limits: TcpLimits,
}

/// Serves the listeners until `stop` is cancelled. Runs on its own thread.
pub(crate) fn serve(
    listeners: Vec<std::net::TcpListener>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    seed: u64,
    limits: TcpLimits,
    stop: &CancellationToken,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    if !shared.readiness.wait(|| shared.stopping()) {
        return Ok(());
    }
    let worker = Rc::new(RefCell::new(Worker {
        scratch: Scratch::new(),
        rng: fastrand::Rng::with_seed(seed),
        snapshots: Cache::new(Arc::clone(&shared.snapshot)),
        out: vec![0; MAX_MESSAGE].into_boxed_slice(),
        shared,
        counters,
        connections: 0,
        clients: BTreeMap::new(),
        limits,
    }));
    let tasks = LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        for listener in listeners {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(accept(listener, Rc::clone(&worker)));
        }
        stop.cancelled().await;
        Ok(())
    }))
}

async fn accept(listener: TcpListener, worker: Rc<RefCell<Worker>>) {
    let local = listener
        .local_addr()
        .map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |address| {
            address.ip()
        });
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely: connections that end make room.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !worker.borrow_mut().admit(client(peer.ip())) {
            continue;
        }
        let worker = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            // A connection that fails is the client's loss; there is nobody to tell.
            let _ = connection(stream, peer, local, &worker).await;
            worker.borrow_mut().leave(client(peer.ip()));
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of connections")]
async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    local: IpAddr,
    worker: &RefCell<Worker>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let TcpLimits {
        connections: _,
        per_client: _,
        idle,
        message: slowest,
    } = worker.borrow().limits;
    let mut input: Vec<u8> = Vec::with_capacity(512);
    let mut output: Vec<u8> = Vec::new();
    let mut deadline = Instant::now() + idle;
    loop {
        let mut used = 0;
        let mut close = false;
        while let Some(message) = next_message(&input, used) {
            used += 2 + message.len();
            close = !worker.borrow_mut().answer(message, peer.ip(), local, &mut output);
            if close || output.len() >= FLUSH_OCTETS {
                break;
            }
        }
        input.drain(..used);
        if !output.is_empty() {
            timeout(slowest, stream.write_all(&output)).await??;
            output.clear();
        }
        if close {
            return Ok(());
        }
        if used > 0 {
            if next_message(&input, 0).is_some() {
                continue;
            }
            deadline = Instant::now() + if input.is_empty() { idle } else { slowest };
        }
        let was_empty = input.is_empty();
        if timeout_at(deadline, stream.read_buf(&mut input)).await?? == 0 {
            return Ok(());
        }
        if was_empty {
            deadline = Instant::now() + slowest;
        }
    }
}

/// The first whole message from `at`: two octets of length, then the message (RFC 1035 §4.2.2).
fn next_message(input: &[u8], at: usize) -> Option<&[u8]> {
    let length = crate::wire::u16_at(input, at)?;
    input.get(at + 2..at + 2 + usize::from(length))
}

/// Who counts as one client: whoever has an IPv6 address has its whole /64.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

impl Worker {
    /// Takes a place for a connection, where there is one.
    fn admit(&mut self, client: IpAddr) -> bool {
        let own = self.clients.get(&client).copied().unwrap_or(0);
        let refused = if self.connections >= self.limits.connections {
            &self.counters.connections_refused
        } else if own >= self.limits.per_client {
            &self.counters.client_connections_refused
        } else {
            self.connections += 1;
            self.clients.insert(client, own + 1);
            return true;
        };
        refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    fn leave(&mut self, client: IpAddr) {
        self.connections -= 1;
        let own = self.clients.remove(&client).unwrap_or(0);
        if own > 1 {
            self.clients.insert(client, own - 1);
        }
    }

    /// Appends the answer to `output`; false when the connection should end.
    fn answer(&mut self, packet: &[u8], client: IpAddr, local: IpAddr, output: &mut Vec<u8>) -> bool {
        let snapshot = self.snapshots.load();
        self.scratch.fit(snapshot);
        let meta = QueryMeta {
            client,
            local,
            transport: Transport::Tcp,
            now: self.shared.clock.now(),
            ecs: self.shared.ecs.covers(client),
            draw: self.rng.u64(..),
        };
        let outcome = answer(
            &mut self.scratch,
            packet,
            &meta,
            snapshot,
            &self.shared.gates,
            &mut self.out,
        );
        self.counters.count(&outcome);
        match outcome {
            Outcome::Reply(reply) => {
                output.extend_from_slice(&u16::try_from(reply.len).unwrap_or(u16::MAX).to_be_bytes());
                output.extend_from_slice(self.out.get(..reply.len).unwrap_or_default());
                true
            }
            Outcome::Dropped => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_64() {
        fn check(address: &str, expected: &str) {
            assert_eq!(
                client(address.parse().unwrap()),
                expected.parse::<IpAddr>().unwrap()
            );
        }
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
