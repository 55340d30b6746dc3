//! Brings verdicts into the gate table, on the thread of whoever consumes the evidence, and notes what became of it.

use std::sync::Arc;
use std::time::SystemTime;

use lifeboat_health::{Family, FleetView, Gray, GrayState, MonoTime, Path, Transition, Verdict, VerdictSink};

use super::shared::Shared;
use super::shares;
use crate::gate::{GateView, Gates, HeldBack};

/// Where the consumer of evidence brings its verdicts; one a server.
pub struct GateSink {
    gates: Gates,
    shared: Arc<Shared>,
    judged: bool,
    panic: bool,
    /// `(epoch, seq)` of the plan that `panic` was judged by.
    plan: (u64, u64),
    notices: Vec<Notice>,
}

/// Something that a tick changed and people should hear of; a verdict is told by its transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A cluster is kept out for flapping from now on.
    HeldBack {
        cluster: String,
        family: Family,
        held_back: HeldBack,
    },
    /// It no longer is.
    Released { cluster: String, family: Family },
    /// Gray failure leaves another part of its weight than before.
    Gray {
        cluster: String,
        family: Family,
        gray: GrayState,
    },
    /// For some name no candidate is known to be healthy: its last good set serves.
    Panic,
    /// That is no longer so for any name.
    Calm,
}

impl GateSink {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            gates: Gates::new(shared.ramp),
            shared,
            judged: false,
            panic: false,
            plan: (0, 0),
            notices: Vec::new(),
        }
    }

    /// What the last tick changed.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn publish(&mut self, now: MonoTime) {
        #[expect(
            clippy::disallowed_methods,
            reason = "people are told the time of day; nothing is decided by it"
        )]
        let today = SystemTime::now();
        let views = self.gates.view(|at| today + at.saturating_since(now));
        let before = self.shared.gate_views.swap(Arc::new(views));
        let after = self.shared.gate_views.load();
        self.notices.extend(flapping(&before, &after));
        self.notices.extend(lowered(&before, &after));
    }

    /// Goes through the names, after all gates are stored, and only while some gate is not open: no query waits for
    /// it, and the next verdict hardly ever.
    fn judge_panic(&mut self) {
        let shut = |view: &GateView| view.held || view.gate == 0.0;
        let panic = self.shared.gate_views.load().iter().any(shut)
            && shares::any_panic(&self.shared.snapshot.load(), &self.shared.gates);
        if panic != self.panic {
            self.panic = panic;
            self.notices
                .push(if panic { Notice::Panic } else { Notice::Calm });
        }
    }
}

/// Who is newly held back, and who no longer.
fn flapping(before: &[GateView], after: &[GateView]) -> Vec<Notice> {
    let was = |view: &GateView| {
        before
            .iter()
            .any(|old| old.cluster == view.cluster && old.family == view.family && old.held_back.is_some())
    };
    after
        .iter()
        .filter_map(|view| {
            let (cluster, family) = (view.cluster.clone(), view.family);
            match (was(view), view.held_back) {
                (false, Some(held_back)) => Some(Notice::HeldBack {
                    cluster,
                    family,
                    held_back,
                }),
                (true, None) => Some(Notice::Released { cluster, family }),
                (true, Some(_)) | (false, None) => None,
            }
        })
        .collect()
}

/// Whose weight gray failure lowers otherwise than before.
fn lowered(before: &[GateView], after: &[GateView]) -> Vec<Notice> {
    let differs = |view: &&GateView| {
        let old = before
            .iter()
            .find(|old| old.cluster == view.cluster && old.family == view.family);
        let gray = |view: &GateView| (view.gray.degree, view.gray.factor_permille);
        gray(view) != old.map_or_else(|| (Gray::None, 1_000), gray)
    };
    after
        .iter()
        .filter(differs)
        .map(|view| Notice::Gray {
            cluster: view.cluster.clone(),
            family: view.family,
            gray: view.gray.clone(),
        })
        .collect()
}

impl VerdictSink for GateSink {
    fn tick(&mut self, now: MonoTime, _transitions: &[Transition], view: &FleetView) {
        self.notices.clear();
        let overrides = self.shared.overrides.load_full();
        self.gates.set_overrides(overrides, self.shared.clock.now());
        let changed = self.gates.tick(now, view, &self.shared.gates);
        if changed {
            self.publish(now);
        }
        let plan = self
            .shared
            .snapshot
            .load()
            .stamp()
            .map_or((0, 0), |stamp| stamp.order());
        if changed || plan != self.plan {
            self.plan = plan;
            self.judge_panic();
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
