//! What stands between a consumer of evidence and whoever acts on its verdicts.

use lifeboat_dns::GateSink;
use lifeboat_health::{FleetView, MonoTime, Transition, VerdictSink};

use super::{
    Notices, Timeline,
    freezing::{Change, Freezing, is_frozen},
};

/// Enters transitions into the timeline on their way to whoever acts on them, and what the gates make of them.
pub(crate) struct Recorder {
    name: String,
    timeline: Timeline,
    inner: Option<(GateSink, Notices)>,
    freezing: Freezing,
}

impl Recorder {
    /// `inner`: the gates of a DNS server; nobody acts on the verdicts here where there are none.
    pub(crate) fn new(name: &str, timeline: &Timeline, inner: Option<(GateSink, Notices)>) -> Self {
        Self {
            name: name.to_owned(),
            timeline: timeline.clone(),
            inner,
            freezing: Freezing::default(),
        }
    }

    fn freezing(&mut self, now: MonoTime, view: &FleetView) {
        let Some(change) = self.freezing.look(now, is_frozen(view)) else {
            return;
        };
        let fresh = view.cells.values().map(|cell| cell.fresh).max().unwrap_or(0);
        let (kind, told) = match change {
            Change::Freezes => (
                "evidence.frozen",
                "too few to decide anything; every verdict stands",
            ),
            Change::Decides => ("evidence.decides", "verdicts move again"),
        };
        let detail = format!(
            "observers with fresh evidence of a cluster: {fresh}; {told} (told by {})",
            self.name
        );
        self.timeline.push(kind, None, detail);
    }
}

impl VerdictSink for Recorder {
    fn tick(&mut self, now: MonoTime, transitions: &[Transition], view: &FleetView) {
        // The gates first: users are moved before anything is told.
        if let Some((gates, _)) = &mut self.inner {
            gates.tick(now, transitions, view);
        }
        for transition in transitions {
            self.timeline.transition(&self.name, transition);
        }
        if let Some((gates, notices)) = &self.inner {
            for notice in gates.notices() {
                notices.tell(&self.name, notice);
            }
        }
        self.freezing(now, view);
    }
}
