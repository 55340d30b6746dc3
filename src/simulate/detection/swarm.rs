//! Many seeds: each by itself on one thread, several at a time, summed up in the order of seeds.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lifeboat_chaos::simulate::mix;
use lifeboat_health::Preset;
use parking_lot::Mutex;

use super::chamber::{self, Stay};
use super::exam::{Exam, examine};
use super::report::Totals;

/// Failing seeds that are shrunk and shown; later ones are counted.
pub(super) const MOST_SHOWN: usize = 10;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub first_seed: u64,
    pub seeds: u64,
    /// Instead of the one each seed draws.
    pub preset: Option<Preset>,
    /// Virtual seconds of lost probes for each seed; 0 leaves the false alarms out.
    pub loss_seconds: u64,
    pub threads: Option<NonZeroUsize>,
}

/// What became of the seeds.
pub struct Swarm {
    pub settings: Settings,
    pub totals: Totals,
    /// The first failing seeds.
    pub failed: Vec<Exam>,
    pub trace_hash: u64,
    /// Wall time; nothing in the run depends on it.
    pub took: Duration,
}

impl Swarm {
    /// Run every seed. `progress` is told how many are done.
    #[expect(clippy::disallowed_methods, reason = "how long the run took, for people")]
    pub fn run(settings: Settings, progress: impl Fn(u64) + Sync) -> Swarm {
        let started = Instant::now();
        let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let sums = Mutex::new((Totals::default(), BTreeMap::new(), BTreeMap::new()));
        let threads = settings
            .threads
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= settings.seeds {
                            return;
                        }
                        let seed = settings.first_seed.wrapping_add(index);
                        let exam = examine(seed, settings.preset, false);
                        let stay = (settings.loss_seconds > 0).then(|| {
                            chamber::stay(seed, settings.preset.unwrap_or_default(), settings.loss_seconds)
                        });
                        let mut sums = sums.lock();
                        let (totals, hashes, failed) = &mut *sums;
                        hashes.insert(index, hash(&exam, stay.as_ref()));
                        totals.add(&exam, stay.as_ref());
                        if exam.outcome.finding.is_some() {
                            failed.insert(index, exam);
                            if failed.len() > MOST_SHOWN {
                                failed.pop_last();
                            }
                        }
                        drop(sums);
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                });
            }
        });
        let (mut totals, hashes, failed) = sums.into_inner();
        totals.settle();
        Swarm {
            settings,
            totals,
            failed: failed.into_values().collect(),
            trace_hash: hashes.values().fold(0, |sum, hash| mix(sum ^ *hash)),
            took: started.elapsed(),
        }
    }
}

fn hash(exam: &Exam, stay: Option<&Stay>) -> u64 {
    exam.outcome.hash ^ stay.map_or(0, |stay| stay.hash.rotate_left(32))
}
