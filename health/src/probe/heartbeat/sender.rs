//! The agent's side: a beat to every observer each T, and "stopping" before it ends.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::wire::{Challenge, MOST_BYTES, NONCE_BYTES, Nonce, encode_beat, key};

/// How often, and how far apart, "stopping" is said: a lost datagram or two do not keep it from being heard.
const GOODBYES: u32 = 4;
const GOODBYE_EACH: Duration = Duration::from_millis(50);
/// How often the way to an observer is looked for anew.
const LOOK: Duration = Duration::from_secs(1);
/// Most observers that an agent sends to.
const MOST_OBSERVERS: usize = 64;

/// An agent that cannot send.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    #[error("agent {given:?}: allowed are 1 to 63 visible ASCII characters")]
    Agent { given: String },
    #[error("agent {agent}: its key: {problem}")]
    Key { agent: String, problem: String },
    #[error("agent {agent}: {given} observers: allowed are 1 to 64")]
    Observers { agent: String, given: usize },
    #[error("agent {agent}: no randomness")]
    Random { agent: String },
}

/// Sends heartbeats.
pub struct HeartbeatSender {
    agent: String,
    key: hmac::Key,
    observers: Vec<SocketAddr>,
    interval: Duration,
    pub(super) look: Duration,
    boot: u64,
}

impl HeartbeatSender {
    /// `key`: the content of the key's file. `interval`: the observers' T.
    ///
    /// # Errors
    /// What is wrong with a parameter.
    pub fn new(
        agent: &str,
        key_file: &[u8],
        observers: Vec<SocketAddr>,
        interval: Duration,
    ) -> Result<HeartbeatSender, HeartbeatError> {
        let agent = agent.to_owned();
        if !(1..=63).contains(&agent.len()) || !agent.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(HeartbeatError::Agent { given: agent });
        }
        if !(1..=MOST_OBSERVERS).contains(&observers.len()) {
            let given = observers.len();
            return Err(HeartbeatError::Observers { agent, given });
        }
        let mut boot = [0; 8];
        if SystemRandom::new().fill(&mut boot).is_err() {
            return Err(HeartbeatError::Random { agent });
        }
        match key(key_file) {
            Ok(key) => Ok(HeartbeatSender {
                agent,
                key,
                observers,
                interval: interval.max(Duration::from_millis(1)),
                look: LOOK,
                boot: u64::from_be_bytes(boot),
            }),
            Err(problem) => Err(HeartbeatError::Key { agent, problem }),
        }
    }

    /// Send until `stop`, then say "stopping" and end. An observer that there is no way to from here, for want of an address of its
    /// family, say, is told of and tried again; the others hear it all the same. Where this host's address changes it goes on from
    /// the new one.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut all = JoinSet::new();
        for observer in this.observers.clone() {
            let (this, stop) = (Arc::clone(&this), stop.clone());
            all.spawn(async move {
                let mut way = Way::to(observer);
                let reached = tokio::select! {
                    socket = this.reach(&mut way) => Some(socket),
                    () = stop.cancelled() => None,
                };
                if let Some(socket) = reached {
                    this.send_to(way, socket, stop).await;
                }
            });
        }
        while all.join_next().await.is_some() {}
    }

    /// A socket towards an observer, as soon as there can be one.
    async fn reach(&self, way: &mut Way) -> UdpSocket {
        loop {
            if let Some(socket) = way.open(&self.agent).await {
                return socket;
            }
            tokio::time::sleep(self.look).await;
        }
    }

    pub(super) async fn send_to(&self, mut way: Way, mut socket: UdpSocket, stop: CancellationToken) {
        let mut nonce: Nonce = [0; NONCE_BYTES];
        let mut seq = 0;
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut looks = interval(self.look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut bytes = [0; MOST_BYTES];
        loop {
            let sent = tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => self.beat(&socket, &mut seq, &nonce, false),
                _ = looks.tick() => {
                    if way.renew(&self.agent, &mut socket, false).await {
                        self.beat(&socket, &mut seq, &nonce, false)
                    } else {
                        Ok(())
                    }
                }
                received = socket.recv(&mut bytes) => match received {
                    Ok(length) => {
                        let heard = bytes.get(..length).unwrap_or_default();
                        if let Some(new) = self.nonce_in(heard, seq).filter(|new| *new != nonce) {
                            // At once, so that the observer hears of the agent one round trip after its start.
                            nonce = new;
                            self.beat(&socket, &mut seq, &nonce, false)
                        } else {
                            Ok(())
                        }
                    }
                    // The observer's port is closed: it hears the next beat, or one after it.
                    Err(_) => {
                        ticks.tick().await;
                        Ok(())
                    }
                },
            };
            if sent.is_err() {
                way.renew(&self.agent, &mut socket, true).await;
            }
        }
        for _ in 0..GOODBYES {
            // One that cannot be sent is one that was lost.
            let _ = self.beat(&socket, &mut seq, &nonce, true);
            tokio::time::sleep(GOODBYE_EACH).await;
        }
    }

    fn beat(&self, socket: &UdpSocket, seq: &mut u64, nonce: &Nonce, stopping: bool) -> io::Result<()> {
        *seq += 1;
        let bytes = encode_beat(&self.agent, (self.boot, *seq), nonce, stopping, &self.key);
        match socket.try_send(&bytes) {
            // The machine's queue is full, and another way would not empty it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// A challenge to this boot counts when it answers a beat that was sent.
    fn nonce_in(&self, heard: &[u8], seq: u64) -> Option<Nonce> {
        let challenge = Challenge::decode(heard, &self.key)?;
        (challenge.boot == self.boot && challenge.seq <= seq).then_some(challenge.nonce)
    }
}

/// The way to one observer.
///
/// A socket is connected to it, so that this host hears when its port is closed. That pins the socket's own address, which may be
/// taken from this host, or lead nowhere any more, while the system tells nothing of it.
pub(super) struct Way {
    observer: SocketAddr,
    /// The problem that was told last, until there is a way again.
    told: Option<String>,
}

impl Way {
    pub(super) fn to(observer: SocketAddr) -> Way {
        Way { observer, told: None }
    }

    /// A new socket, from the address that the system chooses now.
    async fn open(&mut self, agent: &str) -> Option<UdpSocket> {
        match connected(self.observer).await {
            Ok(socket) => {
                self.told = None;
                Some(socket)
            }
            Err(error) => {
                let error = error.to_string();
                if self.told.as_ref() != Some(&error) {
                    tracing::warn!(agent, observer.addr = %self.observer, error, "hears no heartbeats: there is no way to it");
                    self.told = Some(error);
                }
                None
            }
        }
    }

    /// Takes a new socket where the address would be another one, or where the one before has `failed`. Whether the address is
    /// another one. Without a way now the socket stays, and with it what the observer may still answer.
    async fn renew(&mut self, agent: &str, socket: &mut UdpSocket, failed: bool) -> bool {
        let Some(fresh) = self.open(agent).await else {
            return false;
        };
        let own = |socket: &UdpSocket| socket.local_addr().ok().map(|own| own.ip());
        let (before, now) = (own(socket), own(&fresh));
        let moved = before != now;
        if moved && let (Some(before), Some(now)) = (before, now) {
            tracing::warn!(agent, observer.addr = %self.observer, %before, %now, "this host's address changed: heartbeats go on from the new one");
        }
        if moved || failed {
            *socket = fresh;
        }
        moved
    }
}

async fn connected(observer: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if observer.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(observer).await?;
    // A new socket is not known to be writable, and would lose the first beat.
    socket.writable().await?;
    Ok(socket)
}
