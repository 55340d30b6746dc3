//! The record of decisions with their evidence: a bounded ring that the console and drills read.

mod freezing;
mod notices;
mod recorder;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use lifeboat_health::{Family, MonoClock, MonoTime, Path, Transition, Verdict, Witness};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast;

pub(crate) use notices::Notices;
pub(crate) use recorder::Recorder;

/// Entries kept for a reader that joins later.
const KEPT: usize = 1000;
/// Entries a slow live reader may lag behind before it must read the ring again.
const LIVE: usize = 256;
/// The same transition told by a second consumer within this time is the same event.
const SAME_EVENT: Duration = Duration::from_secs(3);

/// One decision or observation. Times are for people; no decision reads them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: u64,
    pub at: Timestamp,
    /// Milliseconds since the process started.
    pub at_ms: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub cluster: Option<String>,
    pub detail: String,
    pub evidence: Vec<Evidence>,
}

/// What one observer had seen.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    pub observer: String,
    /// Empty for an observer that names none.
    pub region: String,
    /// `Abstain` where its rows have not said anything yet.
    pub vote: String,
    /// Counted towards the quorum; otherwise the observer abstains, or its row was too old.
    pub counted: bool,
    /// The observer finds itself at fault.
    pub abstains: bool,
    pub miss_streak: u32,
    /// Of those, the ones since anything was answered, late or with an error.
    pub silence: u32,
    pub success_streak: u32,
    pub hard: Vec<String>,
    pub age_ms: u64,
    /// How long ago its row last said Dead; null where it never did.
    pub dead_ms: Option<u64>,
    pub rtt_ms: Option<f64>,
}

impl Evidence {
    fn in_short(&self) -> String {
        let Self {
            observer,
            vote,
            miss_streak,
            success_streak,
            ..
        } = self;
        format!("{observer} {vote}, {miss_streak} misses, {success_streak} good")
    }
}

impl From<&Witness> for Evidence {
    fn from(witness: &Witness) -> Self {
        let Witness {
            observer,
            region,
            vote,
            miss_streak,
            silence,
            success_streak,
            hard,
            age_ms,
            rtt_us,
            dead_ms,
            silent_ms: _,
            counted,
            abstains,
        } = witness;
        Self {
            observer: observer.clone(),
            region: region.clone(),
            vote: format!("{vote:?}"),
            counted: *counted,
            abstains: *abstains,
            miss_streak: *miss_streak,
            silence: *silence,
            success_streak: *success_streak,
            hard: hard_names(&hard.to_string()),
            age_ms: u64::from(*age_ms),
            dead_ms: dead_ms.map(u64::from),
            rtt_ms: (*rtt_us > 0).then(|| f64::from(*rtt_us) / 1000.0),
        }
    }
}

/// Cheap to clone; all clones share one ring.
#[derive(Clone)]
pub struct Timeline {
    ring: Arc<Mutex<Ring>>,
    live: broadcast::Sender<Entry>,
    clock: MonoClock,
    start: MonoTime,
}

#[derive(Default)]
struct Ring {
    next_id: u64,
    entries: VecDeque<Entry>,
    transitions: Vec<Told>,
}

/// A transition already in the ring.
struct Told {
    cluster: String,
    path: Path,
    family: Family,
    to: Verdict,
    at: MonoTime,
    tellers: Vec<String>,
}

impl Timeline {
    pub fn new(clock: MonoClock) -> Self {
        Self {
            ring: Arc::default(),
            live: broadcast::channel(LIVE).0,
            clock,
            start: clock.now(),
        }
    }

    /// Milliseconds since this timeline began.
    pub fn up_ms(&self) -> u64 {
        millis(self.clock.now().saturating_since(self.start))
    }

    pub fn push(&self, kind: &str, cluster: Option<&str>, detail: impl Into<String>) {
        self.record(&mut self.ring.lock(), kind, cluster, detail.into(), Vec::new());
    }

    /// Enters a change of verdict, once, whichever consumer tells it first. A consumer that tells the same change again means
    /// another one.
    pub fn transition(&self, teller: &str, transition: &Transition) {
        let Transition {
            cluster,
            path,
            family,
            from,
            to,
            at: _,
            q: _,
            fresh: _,
            evidence,
            reason,
        } = transition;
        let now = self.clock.now();
        let mut ring = self.ring.lock();
        ring.transitions
            .retain(|told| now.saturating_since(told.at) < SAME_EVENT);
        let same = ring.transitions.iter_mut().find(|told| {
            let is = (&told.cluster, told.path, told.family, told.to);
            is == (cluster, *path, *family, *to) && !told.tellers.iter().any(|by| by == teller)
        });
        if let Some(told) = same {
            told.tellers.push(teller.to_owned());
            return;
        }
        ring.transitions.push(Told {
            cluster: cluster.clone(),
            path: *path,
            family: *family,
            to: *to,
            at: now,
            tellers: vec![teller.to_owned()],
        });
        let detail = format!("{path} path ({family}) {from} to {to}: {reason} (told by {teller})");
        let kind = match path {
            Path::Traffic => format!("cluster.{}", verdict_word(*to)),
            Path::Control => format!("cluster.control.{}", verdict_word(*to)),
        };
        let evidence = evidence.iter().map(Evidence::from).collect();
        self.record(&mut ring, &kind, Some(cluster), detail, evidence);
    }

    /// Entries with an id above `after`, oldest first, and the live continuation without a gap.
    pub fn since(&self, after: u64) -> (Vec<Entry>, broadcast::Receiver<Entry>) {
        let ring = self.ring.lock();
        let past = ring
            .entries
            .iter()
            .filter(|entry| entry.id > after)
            .cloned()
            .collect();
        (past, self.live.subscribe())
    }

    #[expect(clippy::disallowed_methods, reason = "stamps an entry for people")]
    fn record(
        &self,
        ring: &mut Ring,
        kind: &str,
        cluster: Option<&str>,
        detail: String,
        evidence: Vec<Evidence>,
    ) {
        let seen: Vec<String> = evidence.iter().map(Evidence::in_short).collect();
        let seen = (!seen.is_empty()).then(|| seen.join("; "));
        tracing::info!(kind, cluster, detail, evidence = seen, "timeline");
        ring.next_id += 1;
        let entry = Entry {
            id: ring.next_id,
            at: Timestamp::now(),
            at_ms: self.up_ms(),
            kind: kind.to_owned(),
            cluster: cluster.map(str::to_owned),
            detail,
            evidence,
        };
        if ring.entries.len() == KEPT {
            ring.entries.pop_front();
        }
        ring.entries.push_back(entry.clone());
        // No reader is no error.
        let _unread = self.live.send(entry);
    }
}

fn hard_names(text: &str) -> Vec<String> {
    text.split(", ")
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unknown => "unknown",
        Verdict::Up => "up",
        Verdict::Suspect => "suspect",
        Verdict::Down => "down",
        Verdict::Recovering => "recovering",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
