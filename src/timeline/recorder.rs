//! What stands between a consumer of evidence and whoever acts on its verdicts.

use lifeboat_dns::GateSink;
use lifeboat_health::{FleetView, MonoTime, Transition, VerdictSink};

use super::{Notices, Timeline};

/// Enters transitions into the timeline on their way to whoever acts on them, and what the gates make of them.
pub(crate) struct Recorder {
    pub(crate) name: String,
    pub(crate) timeline: Timeline,
    /// The gates of a DNS server; nobody acts on the verdicts here where there are none.
    pub(crate) inner: Option<(GateSink, Notices)>,
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
    }
}
