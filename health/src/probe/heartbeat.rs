//! The heartbeat check: agents inside the clusters send, the observer listens.
//!
//! ```text
//! agent ── beat {boot, seq, nonce, stopping?} ──UDP──> Heartbeats ──> Agent: the last beat
//!   └─<── challenge {nonce} ── where the nonce is not the one for this boot ┘      └── each T ──> hit or miss
//! ```
//! Every message is signed with a key that the agent and the observers share (HMAC-SHA-256, RFC 2104). A beat counts
//! when it carries the nonce that this observer gave to this boot of the agent, and a number above the last one's. So a
//! recorded beat counts with no other observer, in no later process of this one, after no later start of the agent, and
//! not twice. A challenge is shorter than the beat that asks for it, and only a signed beat gets one.

mod sender;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use super::file::{Reloaded, Source};
use super::{Failure, Took};
use crate::clock::MonoClock;
use crate::detector::Rtt;
use crate::evidence::Hard;
use crate::metrics::{ObserverMetrics, ObserverResultLabel};
use crate::profile::Profile;
use crate::target::Family;
use crate::time::MonoTime;

pub use sender::{HeartbeatError, HeartbeatSender};

use wire::{Beat, Challenge, NONCE_BYTES, Nonce};

/// By name and family; several where checks name different keys.
type Agents = BTreeMap<(String, Family), Vec<Arc<Agent>>>;

/// All agents that an observer expects, and the socket that hears them.
pub struct Heartbeats {
    clock: MonoClock,
    /// Makes nonces that nobody else can make.
    secret: hmac::Key,
    agents: Mutex<Agents>,
    /// Sockets that are heard.
    ears: AtomicUsize,
    counts: Counts,
}

struct Counts {
    accepted: Counter,
    challenged: Counter,
    replayed: Counter,
    unknown: Counter,
    forged: Counter,
    /// The agent's key is not read yet, or cannot be.
    no_key: Counter,
    malformed: Counter,
}

/// What one agent sent last, as one key signs it.
pub(super) struct Agent {
    name: String,
    key_file: PathBuf,
    key: Arc<Reloaded<hmac::Key>>,
    heard: Mutex<Heard>,
}

struct Heard {
    /// Boot, the nonce it has, and the number of its last beat.
    current: Option<(u64, Nonce, u64)>,
    /// How many boots there were; nonces of earlier ones are void.
    boots: u64,
    /// When the last beat came, or since when one is waited for.
    at: MonoTime,
    stopping: bool,
    pauses: Rtt,
}

/// What becomes of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reception {
    Accepted,
    Challenged(Nonce),
    Replayed,
}

impl Heartbeats {
    pub(super) fn new(observer: &str, metrics: &ObserverMetrics) -> Heartbeats {
        let count = |result| {
            metrics.heartbeats.get_or_create_owned(&ObserverResultLabel {
                observer: observer.to_owned(),
                result,
            })
        };
        let mut secret = [0; 32];
        if SystemRandom::new().fill(&mut secret).is_err() {
            tracing::error!(observer.name = %observer, "no randomness: heartbeats can be replayed after a restart");
        }
        Heartbeats {
            clock: MonoClock::new(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            agents: Mutex::default(),
            ears: AtomicUsize::new(0),
            counts: Counts {
                accepted: count("accepted"),
                challenged: count("challenged"),
                replayed: count("replayed"),
                unknown: count("unknown"),
                forged: count("forged"),
                no_key: count("no-key"),
                malformed: count("malformed"),
            },
        }
    }

    /// The agent of a check; checks that name the same agent and key share it.
    pub(super) fn agent(&self, name: &str, family: Family, key_file: PathBuf, now: MonoTime) -> Arc<Agent> {
        let mut agents = self.agents.lock();
        // Whoever is left here alone has no prober any more.
        agents.retain(|_, all| {
            all.retain(|agent| Arc::strong_count(agent) > 1);
            !all.is_empty()
        });
        let all = agents.entry((name.to_owned(), family)).or_default();
        if let Some(known) = all.iter().find(|agent| agent.key_file == key_file) {
            return Arc::clone(known);
        }
        let agent = Arc::new(Agent {
            name: name.to_owned(),
            key: Reloaded::new(Source::File(key_file.clone()), wire::key),
            key_file,
            heard: Mutex::new(Heard {
                current: None,
                boots: 0,
                at: now,
                stopping: false,
                pauses: Rtt::new(0, u32::MAX),
            }),
        });
        all.push(Arc::clone(&agent));
        agent
    }

    /// Hear beats on `socket` until `stop`.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub async fn listen(&self, socket: UdpSocket, stop: CancellationToken) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let mut bytes = [0; wire::MOST_BYTES + 1];
        self.ears.fetch_add(1, Ordering::Relaxed);
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => {
                    self.ears.fetch_sub(1, Ordering::Relaxed);
                    return Ok(());
                }
                received = socket.recv_from(&mut bytes) => received,
            };
            // An error of an earlier answer's way shows here; there is nobody to tell.
            let Ok((length, from)) = received else {
                tokio::task::yield_now().await;
                continue;
            };
            let answer = self.hear(bytes.get(..length).unwrap_or_default(), from, self.clock.now());
            if let Some(challenge) = answer {
                // A full send buffer loses it; the next beat asks again.
                let _ = socket.try_send_to(&challenge, from);
            }
        }
    }

    /// Take in a datagram; with what to answer, if anything.
    fn hear(&self, bytes: &[u8], from: SocketAddr, now: MonoTime) -> Option<Vec<u8>> {
        let Some(beat) = Beat::decode(bytes) else {
            self.counts.malformed.inc();
            return None;
        };
        let family = Family::of(from.ip().to_canonical());
        let agents = self.agents.lock();
        let Some(known) = agents.get(&(beat.agent.to_owned(), family)) else {
            self.counts.unknown.inc();
            return None;
        };
        let keys: Vec<_> = known
            .iter()
            .filter_map(|agent| Some((agent, agent.key.peek(self.clock)?.ok()?)))
            .collect();
        if keys.is_empty() {
            self.counts.no_key.inc();
            return None;
        }
        let Some((agent, key)) = keys.into_iter().find(|(_, key)| beat.is_signed_by(key)) else {
            self.counts.forged.inc();
            return None;
        };
        let reception = agent.heard.lock().take(&beat, now, |boots| {
            let of = [
                &beat.boot.to_be_bytes(),
                &boots.to_be_bytes(),
                beat.agent.as_bytes(),
            ]
            .concat();
            let mut nonce = [0; NONCE_BYTES];
            let tag = hmac::sign(&self.secret, &of);
            nonce
                .iter_mut()
                .zip(tag.as_ref())
                .for_each(|(to, from)| *to = *from);
            nonce
        });
        match reception {
            Reception::Accepted => {
                self.counts.accepted.inc();
                None
            }
            Reception::Replayed => {
                self.counts.replayed.inc();
                None
            }
            Reception::Challenged(nonce) => {
                self.counts.challenged.inc();
                let Beat { boot, seq, .. } = beat;
                Some(Challenge { boot, seq, nonce }.encode(&key))
            }
        }
    }
}

impl Heard {
    /// `nonce` makes the one for this boot after so many others.
    fn take(&mut self, beat: &Beat<'_>, now: MonoTime, nonce: impl FnOnce(u64) -> Nonce) -> Reception {
        match &mut self.current {
            Some((boot, given, seq)) if *boot == beat.boot => {
                if *given != beat.nonce {
                    return Reception::Challenged(*given);
                }
                if beat.seq <= *seq {
                    return Reception::Replayed;
                }
                *seq = beat.seq;
                self.pauses.sample(now.saturating_since(self.at));
            }
            _ => {
                let given = nonce(self.boots);
                if given != beat.nonce {
                    return Reception::Challenged(given);
                }
                self.current = Some((beat.boot, given, beat.seq));
                self.boots += 1;
            }
        }
        self.at = now;
        self.stopping = beat.stopping;
        Reception::Accepted
    }

    /// `None` while beats come, with a pause that is usual for them, within what the profile allows.
    fn missing(&self, now: MonoTime, profile: &Profile) -> Option<Hard> {
        let slowest = profile.interval_ms + profile.interval_ms * profile.jitter_percent / 100;
        let [least, most] = [profile.timeout_min_ms, profile.timeout_max_ms]
            .map(|timeout| Duration::from_millis((slowest + timeout).into()));
        if self.stopping {
            Some(Hard::STOPPING)
        } else if now.saturating_since(self.at) > self.pauses.timeout().clamp(least.min(most), most) {
            Some(Hard::NONE)
        } else {
            None
        }
    }
}

impl Agent {
    pub(super) async fn probe(&self, attempt: &Attempt) -> Result<(), Failure> {
        let around = &attempt.prober().around;
        let problem = if around.heartbeats.ears.load(Ordering::Relaxed) == 0 {
            Some("the observer has no address to hear heartbeats on".to_owned())
        } else {
            let key = self.key.get(around.clock).await;
            key.err()
                .map(|problem| format!("keyFile of agent {}: {problem}", self.name))
        };
        if let Some(problem) = problem {
            attempt.tell(problem);
            // Time that no beat could be read in is not held against the agent.
            self.heard.lock().at = around.clock.now();
            return Err(Failure::Unusable);
        }
        if attempt.late > around.profile.loop_lag() {
            return Err(Failure::Lag(attempt.late));
        }
        // What has already arrived is read first.
        tokio::task::yield_now().await;
        let missing = self
            .heard
            .lock()
            .missing(around.clock.now(), attempt.prober().profile());
        match missing {
            None => attempt.good(Took::default()),
            Some(hard) => attempt.miss(hard),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
