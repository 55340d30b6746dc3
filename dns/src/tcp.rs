//! TCP (RFC 7766): one thread with its own runtime; pipelined queries are answered in order, idle and slow
//! connections are closed, the number of connections is bounded, in all and by client.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::answer::{Outcome, QueryMeta, Scratch, Transport, answer};
use crate::metrics::{Counters, bump};
use crate::proxy::{self, Proxied, ProxyFrom};
use crate::server::shared::Shared;

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

/// One bound listener.
pub(crate) struct Listening {
    pub(crate) listener: std::net::TcpListener,
    /// Whose PROXY headers say who the client is.
    pub(crate) proxy: Option<ProxyFrom>,
}

/// What is to become of a connection after a query.
enum After {
    GoOn,
    /// The client was told that it may be idle for so long (RFC 7828).
    IdleFor(Duration),
    Close,
}

/// What all connections of the thread share; never borrowed across an await.
struct Worker {
    scratch: Scratch,
    rng: fastrand::Rng,
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
    listeners: Vec<Listening>,
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
        out: vec![0; MAX_MESSAGE].into_boxed_slice(),
        shared,
        counters,
        connections: 0,
        clients: BTreeMap::new(),
        limits,
    }));
    let tasks = LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        for Listening { listener, proxy } in listeners {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(accept(listener, proxy, Rc::clone(&worker)));
        }
        stop.cancelled().await;
        Ok(())
    }))
}

async fn accept(listener: TcpListener, proxy: Option<ProxyFrom>, worker: Rc<RefCell<Worker>>) {
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
        let client = match &proxy {
            None => Some(peer.ip()),
            Some(from) if from.covers(peer.ip()) => None,
            Some(_) => {
                bump(&worker.borrow().counters.proxy_refused);
                continue;
            }
        };
        if !worker.borrow_mut().admit(client) {
            continue;
        }
        let worker = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            // A connection that fails is the client's loss; there is nobody to tell.
            let _ = match client {
                Some(client) => {
                    let ended = connection(stream, Vec::with_capacity(512), client, local, &worker).await;
                    worker.borrow_mut().leave_client(client);
                    ended
                }
                None => proxied(stream, peer.ip(), local, &worker).await,
            };
            worker.borrow_mut().leave();
        });
    }
}

/// A connection that begins with the header of a load balancer.
async fn proxied(
    mut stream: TcpStream,
    peer: IpAddr,
    local: IpAddr,
    worker: &RefCell<Worker>,
) -> io::Result<()> {
    let slowest = worker.borrow().limits.message;
    let mut input: Vec<u8> = Vec::with_capacity(512);
    let header = timeout(slowest, header(&mut stream, &mut input)).await;
    let Ok(Ok(Some(Proxied { client, len: _ }))) = header else {
        bump(&worker.borrow().counters.proxy_refused);
        return Ok(());
    };
    let client = client.unwrap_or(peer);
    if !worker.borrow_mut().admit_client(client) {
        return Ok(());
    }
    let ended = connection(stream, input, client, local, worker).await;
    worker.borrow_mut().leave_client(client);
    ended
}

/// Reads a PROXY header and takes it out of `input`; `None` where it is not one.
async fn header(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<Proxied>> {
    loop {
        if input.len() >= proxy::HEAD_LEN {
            let Some(len) = Proxied::announced(input) else {
                return Ok(None);
            };
            if input.len() >= len {
                let header = Proxied::read(input);
                input.drain(..len);
                return Ok(header);
            }
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of connections")]
async fn connection(
    mut stream: TcpStream,
    mut input: Vec<u8>,
    client: IpAddr,
    local: IpAddr,
    worker: &RefCell<Worker>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let TcpLimits {
        connections: _,
        per_client: _,
        mut idle,
        message: slowest,
    } = worker.borrow().limits;
    let mut output: Vec<u8> = Vec::new();
    let mut deadline = Instant::now() + idle;
    let mut timer = pin!(sleep_until(deadline));
    loop {
        let mut used = 0;
        let mut close = false;
        while let Some(message) = next_message(&input, used) {
            used += 2 + message.len();
            match worker.borrow_mut().answer(message, client, local, &mut output) {
                After::GoOn => {}
                After::IdleFor(told) => idle = told,
                After::Close => close = true,
            }
            if close || output.len() >= FLUSH_OCTETS {
                break;
            }
        }
        input.drain(..used);
        if !output.is_empty() {
            // Nearly always all of it is taken at once: no clock is asked and no timer set.
            let sent = match stream.try_write(&output) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            if let Some(rest) = output.get(sent..).filter(|rest| !rest.is_empty()) {
                timeout(slowest, stream.write_all(rest)).await??;
            }
            output.clear();
        }
        if close {
            return Ok(());
        }
        if used > 0 {
            if next_message(&input, 0).is_some() {
                continue;
            }
            let idle = worker.borrow().idle(idle);
            deadline = Instant::now() + if input.is_empty() { idle } else { slowest };
        }
        let was_empty = input.is_empty();
        if until(deadline, timer.as_mut(), stream.read_buf(&mut input)).await? == 0 {
            return Ok(());
        }
        if was_empty && next_message(&input, 0).is_none() {
            deadline = Instant::now() + slowest;
        }
    }
}

/// Waits for `done`, at most until the deadline. The timer is set anew only when it has run out or would come too late: for every
/// query, that would cost as much as the answer.
async fn until<T>(
    deadline: Instant,
    mut timer: Pin<&mut Sleep>,
    done: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut done = pin!(done);
    poll_fn(|context| {
        if let Poll::Ready(result) = done.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await
}

/// The first whole message from `at`: two octets of length, then the message (RFC 1035 §4.2.2).
fn next_message(input: &[u8], at: usize) -> Option<&[u8]> {
    let length = crate::wire::u16_at(input, at)?;
    input.get(at + 2..at + 2 + usize::from(length))
}

/// Who counts as one client: whoever has an IPv6 address has its whole /64.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

impl Worker {
    /// Takes a place for a connection, and one of its client's where it is known, if there are both.
    fn admit(&mut self, client: Option<IpAddr>) -> bool {
        if self.connections >= self.limits.connections {
            bump(&self.counters.connections_refused);
            return false;
        }
        if client.is_some_and(|client| !self.admit_client(client)) {
            return false;
        }
        self.connections += 1;
        true
    }

    fn admit_client(&mut self, client: IpAddr) -> bool {
        let own = self.clients.get(&place(client)).copied().unwrap_or(0);
        if own >= self.limits.per_client {
            bump(&self.counters.client_connections_refused);
            return false;
        }
        self.clients.insert(place(client), own + 1);
        true
    }

    fn leave(&mut self) {
        self.connections -= 1;
    }

    fn leave_client(&mut self, client: IpAddr) {
        let own = self.clients.remove(&place(client)).unwrap_or(0);
        if own > 1 {
            self.clients.insert(place(client), own - 1);
        }
    }

    /// How long a connection may be idle that was told so: while more than half of all places are taken, no longer than others
    /// (RFC 7828 §3.4).
    fn idle(&self, told: Duration) -> Duration {
        if self.connections > self.limits.connections / 2 {
            told.min(self.limits.idle)
        } else {
            told
        }
    }

    /// Appends the answer to `output`.
    fn answer(&mut self, packet: &[u8], client: IpAddr, local: IpAddr, output: &mut Vec<u8>) -> After {
        // Held for this answer only: a server without TCP queries must not keep an old snapshot alive.
        let snapshot = self.shared.snapshot.load();
        self.scratch.fit(&snapshot);
        let spoken = self.shared.spoken.load();
        let meta = QueryMeta {
            client,
            local,
            transport: Transport::Tcp,
            now: self.shared.clock.now(),
            unix_s: spoken.unix_s(),
            protocol: &spoken.protocol,
            ecs: self.shared.ecs.covers(client),
            draw: self.rng.u64(..),
        };
        let outcome = answer(
            &mut self.scratch,
            packet,
            &meta,
            &snapshot,
            &self.shared.gates,
            &mut self.out,
        );
        self.counters.count(&outcome);
        match outcome {
            Outcome::Reply(reply) => {
                spoken.sample(packet, &meta, &reply);
                output.extend_from_slice(&u16::try_from(reply.len).unwrap_or(u16::MAX).to_be_bytes());
                output.extend_from_slice(self.out.get(..reply.len).unwrap_or_default());
                reply.keepalive_tenths.map_or(After::GoOn, |tenths| {
                    After::IdleFor(Duration::from_millis(100) * u32::from(tenths))
                })
            }
            Outcome::Dropped => After::Close,
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
                place(address.parse().unwrap()),
                expected.parse::<IpAddr>().unwrap()
            );
        }
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
