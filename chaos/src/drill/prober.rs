//! The prober: asks every DNS server for every name, all the time, and writes down what comes.
//!
//! Each tick of 10 ms sends one query for each name to each server, as long as there are no more than eight names;
//! of more names each tick takes its turn of a third, so that every name is asked for at every server at least every
//! 30 ms. It runs on a thread of its own, so that a busy process cannot make a DNS server look slow.

mod wire;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    live::{LiveStats, Probe},
    log::DnsOutcome,
    recorder::Recorder,
};

/// A server that has not answered by then has not answered.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(10);
/// Names that are all asked for in every tick.
const NAMES_EACH_TICK: usize = 8;

/// What to probe.
#[derive(Clone, Debug)]
pub struct ProberConfig {
    /// The DNS servers.
    pub servers: Vec<SocketAddr>,
    /// The names, all asked for as A.
    pub names: Vec<String>,
}

/// Why the prober did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// Not a name DNS can be asked for.
    #[error("`{name}` is not a DNS name: {reason}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A socket or the thread could not be made.
    #[error("start the prober")]
    Io(#[from] io::Error),
}

/// The running prober; it stops when dropped.
pub struct Prober {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// Starts probing; with a recorder every probe is logged.
    ///
    /// # Errors
    /// A name that cannot be asked for, or what the operating system refuses.
    pub fn spawn(
        config: &ProberConfig,
        live: LiveStats,
        recorder: Option<Recorder>,
    ) -> Result<Self, ProberError> {
        let queries: Vec<Vec<u8>> = config
            .names
            .iter()
            .map(|name| wire::query(name))
            .collect::<Result<_, _>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sockets: Vec<std::net::UdpSocket> =
            config.servers.iter().map(connect).collect::<Result<_, _>>()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let run = move || {
            runtime.block_on(async move {
                let probes = sockets.into_iter().enumerate().map(|(server, socket)| {
                    let probe = Loop {
                        server,
                        queries: &queries,
                        waiting: BTreeMap::new(),
                        next_id: 0,
                        next_name: 0,
                        live: live.clone(),
                        recorder: recorder.clone(),
                    };
                    probe.run(socket)
                });
                tokio::select! {
                    ended = futures::future::join_all(probes) => {
                        for error in ended.into_iter().filter_map(Result::err) {
                            tracing::warn!(%error, "probing of a DNS server ended");
                        }
                    }
                    () = stopped.cancelled() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("prober".to_owned()).spawn(run)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Stops probing; the last probe is logged when this returns.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the prober's thread panicked");
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.end();
    }
}

fn connect(server: &SocketAddr) -> io::Result<std::net::UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(server)?;
    Ok(socket)
}

/// The probing of one server over one socket.
struct Loop<'a> {
    server: usize,
    queries: &'a [Vec<u8>],
    /// By id: the name asked for, and when.
    waiting: BTreeMap<u16, (usize, Instant)>,
    next_id: u16,
    next_name: usize,
    live: LiveStats,
    recorder: Option<Recorder>,
}

impl Loop<'_> {
    async fn run(mut self, socket: std::net::UdpSocket) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        let mut tick = tokio::time::interval(TICK);
        // Lost ticks are not made up for by bursts.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = [0; 1500];
        loop {
            tokio::select! {
                biased;
                ready = socket.readable() => {
                    ready?;
                    self.receive(&socket, &mut buffer);
                }
                _ = tick.tick() => {
                    // What has arrived came before this moment: it is not late.
                    self.receive(&socket, &mut buffer);
                    self.give_up();
                    self.send(&socket);
                }
            }
        }
    }

    fn send(&mut self, socket: &UdpSocket) {
        let names = self.queries.len();
        let count = if names <= NAMES_EACH_TICK {
            names
        } else {
            names.div_ceil(3)
        };
        for _ in 0..count {
            let name = self.next_name;
            self.next_name = (self.next_name + 1) % names;
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            let mut query = self.queries[name].clone();
            query[..2].copy_from_slice(&id.to_be_bytes());
            // A refused or unsent query is one without an answer, and is counted as such.
            if let Err(error) = socket.try_send(&query) {
                tracing::trace!(%error, "a probe was not sent");
            }
            if let Some((name, since)) = self.waiting.insert(id, (name, Instant::now())) {
                self.end(name, since, DnsOutcome::NoAnswer);
            }
        }
    }

    fn receive(&mut self, socket: &UdpSocket, buffer: &mut [u8]) {
        loop {
            let length = match socket.try_recv(buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A closed port answers by ICMP, one error for each query.
                Err(error) => {
                    tracing::trace!(%error, "a probe was refused");
                    continue;
                }
            };
            let Some((id, response)) = wire::response(&buffer[..length]) else {
                continue;
            };
            let Some((name, since)) = self.waiting.remove(&id) else {
                continue;
            };
            let outcome = match response {
                wire::Response::Addresses(addresses) if addresses.is_empty() => DnsOutcome::Empty,
                wire::Response::Addresses(addresses) => DnsOutcome::Answer(
                    self.recorder
                        .as_ref()
                        .map(|recorder| recorder.clusters(addresses))
                        .unwrap_or_default(),
                ),
                wire::Response::Failure => DnsOutcome::ServFail,
            };
            self.end(name, since, outcome);
        }
    }

    fn give_up(&mut self) {
        let now = Instant::now();
        let late = self
            .waiting
            .extract_if(.., |_, (_, since)| now.duration_since(*since) > ANSWER_WITHIN);
        let late: Vec<_> = late.map(|(_, waiting)| waiting).collect();
        for (name, since) in late {
            self.end(name, since, DnsOutcome::NoAnswer);
        }
    }

    fn end(&self, name: usize, since: Instant, outcome: DnsOutcome) {
        let now = Instant::now();
        let latency = now.duration_since(since);
        let probe = match outcome {
            DnsOutcome::Answer(_) => Probe::Answered(latency),
            DnsOutcome::Empty | DnsOutcome::ServFail => Probe::Bad(latency),
            DnsOutcome::NoAnswer => Probe::NoAnswer,
        };
        self.live.probe(self.server, probe);
        if let (Some(recorder), Ok(server), Ok(name)) =
            (&self.recorder, u16::try_from(self.server), u16::try_from(name))
        {
            recorder.probe(now, server, name, outcome);
        }
    }
}
