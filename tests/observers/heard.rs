//! A consumer in the test's own process: what it believes and has decided, waited for and not slept for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_health::{
    Cell, Consumer, ConsumerConfig, ConsumerMetrics, Family, FleetView, Identity, Listed, MonoTime,
    ObserverView, Path, Profile, Target, Transition, Verdict, VerdictSink, invariants,
};
use parking_lot::{Condvar, Mutex};

/// Generous: only what happens is asserted, not how fast.
const DEADLINE: Duration = Duration::from_secs(60);

/// Everything that a consumer told, and what it believes now.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) transitions: Vec<Transition>,
    pub(crate) view: FleetView,
    /// How often the consumer has decided: each 10 ms.
    pub(crate) ticks: u64,
    /// Rows of observers, summed over all ticks, and those of them that counted as fresh.
    pub(crate) rows: u64,
    pub(crate) fresh: u64,
}

impl Story {
    pub(crate) fn cell(&self, cluster: &str) -> Cell {
        let cell = self.view.cell(cluster, Path::Traffic, Family::V4);
        cell.cloned().unwrap_or_default()
    }

    /// Verdict, frozen, observers that count.
    pub(crate) fn stands(&self, cluster: &str) -> (Verdict, bool, u32) {
        let cell = self.cell(cluster);
        (cell.verdict, cell.frozen, cell.fresh)
    }

    pub(crate) fn observer(&self, name: &str) -> ObserverView {
        let found = self.view.observers.iter().find(|observer| observer.name == name);
        found.cloned().unwrap_or_default()
    }

    /// Heard, and counted.
    pub(crate) fn counts(&self, name: &str) -> bool {
        let observer = self.observer(name);
        observer.fresh && !observer.abstaining
    }

    pub(crate) fn downs(&self, cluster: &str) -> Vec<&Transition> {
        let downs = self.transitions.iter().filter(|t| t.to == Verdict::Down);
        downs.filter(|t| t.cluster == cluster).collect()
    }
}

struct Told(Arc<(Mutex<Story>, Condvar)>);

impl VerdictSink for Told {
    fn tick(&mut self, _: MonoTime, transitions: &[Transition], view: &FleetView) {
        let (story, changed) = &*self.0;
        let mut story = story.lock();
        story.transitions.extend_from_slice(transitions);
        story.view.clone_from(view);
        story.ticks += 1;
        story.rows += (view.cells.len() * view.observers.len()) as u64;
        story.fresh += view.cells.values().map(|cell| u64::from(cell.fresh)).sum::<u64>();
        changed.notify_all();
    }
}

/// A consumer, and its story.
pub(crate) struct Heard {
    name: &'static str,
    pub(crate) consumer: Arc<Consumer>,
    profile: Profile,
    story: Arc<(Mutex<Story>, Condvar)>,
}

impl Heard {
    pub(crate) fn start(
        name: &'static str,
        listen: SocketAddr,
        tls: Identity,
        targets: Vec<Target>,
        profile: &Profile,
        observers: Listed,
    ) -> Heard {
        let story = Arc::new((Mutex::new(Story::default()), Condvar::new()));
        let config = ConsumerConfig {
            name: name.to_owned(),
            listen,
            tls,
            targets,
            observers: Some(observers),
            profile: profile.clone(),
            metrics: ConsumerMetrics::default(),
        };
        Heard {
            name,
            consumer: Arc::new(Consumer::spawn(config, Box::new(Told(Arc::clone(&story)))).unwrap()),
            profile: profile.clone(),
            story,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.consumer.local_addr()
    }

    /// Waits until the story is so. Whatever was decided up to then had its quorum.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "a test gives up")]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Story) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let (story, changed) = &*self.story;
        let mut story = story.lock();
        while !holds(&story) {
            let late = changed.wait_until(&mut story, deadline).timed_out();
            assert!(
                !late,
                "{}: {what} did not come about within {DEADLINE:?}: {story:#?}",
                self.name
            );
        }
        for transition in &story.transitions {
            invariants::s6_down_has_quorum(transition, &self.profile).unwrap();
            invariants::s7_frozen_decides_nothing(transition, &self.profile).unwrap();
        }
    }

    /// Looks at the story as it is.
    pub(crate) fn now<T>(&self, look: impl FnOnce(&Story) -> T) -> T {
        look(&self.story.0.lock())
    }

    /// Until `name` has sent this many further datagrams.
    #[track_caller]
    pub(crate) fn until_heard(&self, name: &str, more: u64) {
        let from = self.now(|story| story.observer(name).datagrams);
        self.until(&format!("{more} datagrams of {name}"), |story| {
            story.observer(name).datagrams >= from + more
        });
    }

    /// Until the consumer has decided so many times more.
    #[track_caller]
    pub(crate) fn until_ticks(&self, more: u64) {
        let from = self.now(|story| story.ticks);
        self.until(&format!("{more} ticks"), |story| story.ticks >= from + more);
    }
}
