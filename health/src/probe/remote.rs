//! The address to connect to: given, or looked up beside the probes and kept for as long as nothing newer is known.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use std::{future::Future, io, pin::Pin};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::check::Remote;
use crate::clock::MonoClock;
use crate::target::Family;
use crate::time::MonoTime;

/// An address is looked up again after this long.
const KEEP: Duration = Duration::from_secs(30);
/// And after this long where the lookup failed.
const RETRY: Duration = Duration::from_secs(2);
/// A first lookup without an end is told after this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// A problem is told as it is for this long, whatever other errors come meanwhile.
const TOLD_FOR: Duration = Duration::from_secs(60);
/// Lookups under way at once, of one observer.
const MOST_LOOKUPS: usize = 64;

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// How one observer looks names up.
pub(super) struct Names {
    look_up: Box<dyn Fn(String) -> Found + Send + Sync>,
    keep: Duration,
    under_way: Semaphore,
}

impl Default for Names {
    fn default() -> Names {
        Names::new(|at| Box::pin(look_up(at)), KEEP)
    }
}

impl Names {
    pub(super) fn new(look_up: impl Fn(String) -> Found + Send + Sync + 'static, keep: Duration) -> Names {
        Names {
            look_up: Box::new(look_up),
            keep,
            under_way: Semaphore::new(MOST_LOOKUPS),
        }
    }

    async fn look_up(&self, at: String) -> io::Result<Vec<SocketAddr>> {
        // It is never closed.
        let _permit = self.under_way.acquire().await;
        (self.look_up)(at).await
    }
}

/// The addresses of `HOST:PORT`, as the system finds them. On a thread that nobody waits for: a resolver that hangs holds up
/// neither the end of a runtime nor its other blocking work.
///
/// # Errors
/// The lookup failed, or no thread could be had.
pub async fn look_up(at: String) -> io::Result<Vec<SocketAddr>> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("look-up".to_owned())
        .spawn(move || {
            // Nobody may be listening any more.
            let _ = tell.send(at.to_socket_addrs().map(Iterator::collect));
        })?;
    told.await
        .unwrap_or_else(|_| Err(io::Error::other("the lookup had no result")))
}

pub(super) struct Address {
    remote: Remote,
    family: Family,
    names: Arc<Names>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    known: Option<SocketAddr>,
    /// One lookup at a time, whoever asks.
    looking: bool,
    began: MonoTime,
    next: Option<MonoTime>,
    problem: Option<(String, MonoTime)>,
}

impl Address {
    pub(super) fn new(remote: Remote, family: Family, names: Arc<Names>) -> Address {
        Address {
            remote,
            family,
            names,
            state: Arc::default(),
        }
    }

    /// The address as it was last found: the resolver's fault is not the target's. Never waits; what is due is looked up
    /// meanwhile.
    ///
    /// # Errors
    /// There never was one: why, unless the first lookup is still under way.
    pub(super) fn get(&self, clock: MonoClock) -> Result<SocketAddr, Option<String>> {
        let (name, port) = match &self.remote {
            Remote::Address(address) => return Ok(*address),
            Remote::Name { name, port } => (name, *port),
        };
        let now = clock.now();
        let mut state = self.state.lock();
        if !state.looking && state.next.is_none_or(|next| now >= next) {
            (state.looking, state.began) = (true, now);
            self.look(name.clone(), port, clock);
        }
        if state.looking && state.problem.is_none() && now.saturating_since(state.began) >= PATIENCE {
            let told = format!(
                "{name} was never resolved: no answer for {} s",
                PATIENCE.as_secs()
            );
            state.problem = Some((told, now));
        }
        let problem = || state.problem.as_ref().map(|(problem, _)| problem.clone());
        state.known.ok_or_else(problem)
    }

    /// As it is given, or was last found.
    pub(super) fn known(&self) -> Option<SocketAddr> {
        match self.remote {
            Remote::Address(address) => Some(address),
            Remote::Name { .. } => self.state.lock().known,
        }
    }

    fn look(&self, name: String, port: u16, clock: MonoClock) {
        let (names, state, family) = (Arc::clone(&self.names), Arc::clone(&self.state), self.family);
        tokio::spawn(async move {
            let found = names.look_up(format!("{name}:{port}")).await;
            let found = found.map_err(|error| error.to_string()).and_then(|all| {
                let fits = |address: &SocketAddr| Family::of(address.ip()) == family;
                let first = all.into_iter().find(fits);
                first.ok_or_else(|| format!("it has no {family} address"))
            });
            let now = clock.now();
            let mut state = state.lock();
            state.looking = false;
            match found {
                Ok(address) => {
                    if state.problem.take().is_some() {
                        tracing::info!(name, %address, "a name is resolved again");
                    }
                    (state.known, state.next) = (Some(address), Some(now + names.keep));
                }
                Err(error) => {
                    state.next = Some(now + RETRY.min(names.keep));
                    let told = state.problem.as_ref();
                    if told.is_none_or(|(_, at)| now.saturating_since(*at) >= TOLD_FOR) {
                        if let Some(address) = state.known {
                            tracing::warn!(name, %error, %address, "a name is not resolved; its last address stays");
                        }
                        state.problem = Some((format!("{name} was never resolved: {error}"), now));
                    }
                }
            }
        });
    }
}
