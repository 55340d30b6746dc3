//! Last-known-good: what the server answers after a restart without a controller.
//!
//! A plan goes to disk only after it has served for the soak time with the process alive, so a plan that kills the
//! server never becomes its past. All of it happens on a thread of its own, off the answer path.

pub(crate) mod body;
mod file;
mod folder;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use parking_lot::{Condvar, Mutex};

use crate::catalog::Catalog;
use crate::gate::kept::KeptGate;
use crate::stamp::Stamp;
pub use file::FileError;
pub(crate) use folder::{Folder, HighWater, Loaded};

/// What the keeper has done, for status and metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeeperState {
    pub(crate) saved: Option<Stamp>,
    pub(crate) saves: u64,
    pub(crate) failures: u64,
    pub(crate) last_error: Option<String>,
}

#[derive(Default)]
struct Work {
    /// The newest plan and when it began to serve. An older one that waited here is replaced.
    latest: Option<(Catalog, Instant)>,
    high_water: Option<HighWater>,
    /// Gates that have moved; older ones that waited here are replaced.
    gates: Option<Vec<KeptGate>>,
    stop: bool,
    ended: bool,
    state: KeeperState,
}

struct Shared {
    work: Mutex<Work>,
    wake: Condvar,
}

/// How long the end of the server waits for a write that is under way.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// The thread that writes last-known-good.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    pub(crate) fn spawn(
        name: &str,
        folder: Folder,
        soak: Duration,
        saved: Option<Stamp>,
    ) -> io::Result<Self> {
        let state = KeeperState {
            saved,
            ..KeeperState::default()
        };
        let shared = Arc::new(Shared {
            work: Mutex::new(Work {
                state,
                ..Work::default()
            }),
            wake: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(format!("{name}-lkg"))
            .spawn(move || {
                crate::give_way();
                let _told = TellsItsEnd(&theirs);
                keep(&theirs, &folder, soak);
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// A plan has begun to serve.
    #[expect(clippy::disallowed_methods, reason = "times the soak, off the answer path")]
    pub(crate) fn served(&self, catalog: Catalog) {
        let high_water = catalog.stamp().map(|stamp| HighWater {
            stamp: stamp.clone(),
            serials: catalog.serials(),
        });
        let mut work = self.shared.work.lock();
        work.high_water = high_water;
        work.latest = Some((catalog, Instant::now()));
        self.shared.wake.notify_one();
    }

    /// Gates have moved: these are not open.
    pub(crate) fn moved(&self, gates: Vec<KeptGate>) {
        self.shared.work.lock().gates = Some(gates);
        self.shared.wake.notify_one();
    }

    pub(crate) fn state(&self) -> KeeperState {
        self.shared.work.lock().state.clone()
    }

    /// Ends it within a second or so, also while a slow disk holds up a write: what was saved before stays whole, since files take
    /// their name when they are complete.
    pub(crate) fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        let mut work = self.shared.work.lock();
        work.stop = true;
        self.shared.wake.notify_all();
        let waiting = |work: &mut Work| !work.ended;
        if self
            .shared
            .wake
            .wait_while_for(&mut work, waiting, STOP_WITHIN)
            .timed_out()
        {
            tracing::warn!("writing last-known-good takes long and is left; what was saved before stays");
            return;
        }
        drop(work);
        if thread.join().is_err() {
            tracing::error!("the last-known-good thread had failed");
        }
    }
}

/// However the thread ends.
struct TellsItsEnd<'a>(&'a Shared);

impl Drop for TellsItsEnd<'_> {
    fn drop(&mut self) {
        self.0.work.lock().ended = true;
        self.0.wake.notify_all();
    }
}

#[expect(clippy::disallowed_methods, reason = "times the soak, off the answer path")]
fn keep(shared: &Shared, folder: &Folder, soak: Duration) {
    let mut soaking: Option<(Catalog, Instant)> = None;
    loop {
        let (high_water, gates, stop) = {
            let mut work = shared.work.lock();
            loop {
                // A plan that soaks is not displaced by a newer one, so a stream of plans still gets to disk.
                if soaking.is_none() {
                    soaking = work.latest.take();
                }
                let due = soaking.as_ref().map(|(_, since)| *since + soak);
                let given = work.high_water.is_some() || work.gates.is_some();
                if work.stop || given || due.is_some_and(|due| due <= Instant::now()) {
                    break (work.high_water.take(), work.gates.take(), work.stop);
                }
                match due {
                    Some(due) => {
                        shared.wake.wait_until(&mut work, due);
                    }
                    None => shared.wake.wait(&mut work),
                }
            }
        };
        if let Some(high_water) = high_water {
            record(shared, folder.path(), folder.write_high_water(&high_water), None);
        }
        if let Some(gates) = gates {
            record(shared, folder.path(), folder.write_gates(&gates), None);
        }
        let ripe = soaking.take_if(|(_, since)| *since + soak <= Instant::now());
        if let Some((catalog, _)) = ripe {
            let stamp = catalog.stamp().cloned();
            record(shared, folder.path(), folder.write_good(&catalog), stamp);
        }
        if stop {
            return;
        }
    }
}

fn record(shared: &Shared, path: &Path, result: io::Result<()>, saved: Option<Stamp>) {
    let mut work = shared.work.lock();
    match result {
        Ok(()) => {
            work.state.saves += u64::from(saved.is_some());
            work.state.saved = saved.or_else(|| work.state.saved.take());
        }
        Err(error) => {
            let message = format!("writing last-known-good to {}: {error}", path.display());
            tracing::error!(error = %message, "what serves stays; a restart would not find it");
            work.state.failures += 1;
            work.state.last_error = Some(message);
        }
    }
}
