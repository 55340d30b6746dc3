//! Brings verdicts into the gate table, on the thread of whoever consumes the evidence.

use std::sync::Arc;

use lifeboat_health::{FleetView, MonoTime, Path, Transition, Verdict, VerdictSink};

use super::shared::Shared;
use crate::gate::Gates;

pub(super) struct Sink {
    gates: Gates,
    shared: Arc<Shared>,
    judged: bool,
}

impl Sink {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            gates: Gates::new(shared.ramp),
            shared,
            judged: false,
        }
    }
}

impl VerdictSink for Sink {
    fn tick(&mut self, now: MonoTime, _transitions: &[Transition], view: &FleetView) {
        if self.gates.tick(now, view, &self.shared.gates) {
            self.shared.gate_views.store(Arc::new(self.gates.view()));
        }
        if !self.judged && all_judged(view) {
            self.judged = true;
            self.shared.readiness.all_judged();
        }
    }
}

/// Whether there are traffic targets and each has a verdict.
fn all_judged(view: &FleetView) -> bool {
    let mut traffic = view
        .cells
        .iter()
        .filter(|((_, path, _), _)| *path == Path::Traffic)
        .peekable();
    traffic.peek().is_some() && traffic.all(|(_, cell)| cell.verdict != Verdict::Unknown)
}
