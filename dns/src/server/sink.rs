//! Brings verdicts into the gate table, on the thread of whoever consumes the evidence, and notes what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use lifeboat_health::{Family, FleetView, GrayState, MonoTime, Path, Transition, Verdict, VerdictSink};

use super::shared::Shared;
use super::shares;
use crate::gate::kept::KeptGate;
use crate::gate::{GateView, Gates, HeldBack};

/// Where the consumer of evidence brings its verdicts; one a server.
pub struct GateSink {
    gates: Gates,
    /// What of them the state folder was last given.
    kept: Vec<KeptGate>,
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
        let gates = Gates::new(shared.ramp, &shared.gates);
        Self {
            kept: gates.kept(),
            gates,
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
        self.notices.extend(pairs(&before, &after).filter_map(flapping));
        self.notices.extend(pairs(&before, &after).filter_map(lowered));
    }

    fn keep(&mut self) {
        let kept = self.gates.kept();
        if kept != self.kept {
            self.kept.clone_from(&kept);
            self.shared.keeper.moved(kept);
        }
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

/// A gate as it was and as it is. One of the two is missing where a cluster is not observed any more, or was not before.
type Pair<'a> = (Option<&'a GateView>, Option<&'a GateView>);

/// All gates of either list.
fn pairs<'a>(before: &'a [GateView], after: &'a [GateView]) -> impl Iterator<Item = Pair<'a>> {
    let key = |view: &'a GateView| (view.cluster.as_str(), view.family);
    let mut pairs: BTreeMap<(&str, Family), Pair<'a>> = BTreeMap::new();
    for view in before {
        pairs.entry(key(view)).or_default().0 = Some(view);
    }
    for view in after {
        pairs.entry(key(view)).or_default().1 = Some(view);
    }
    pairs.into_values()
}

/// Who is newly held back, and who no longer.
fn flapping((before, after): Pair<'_>) -> Option<Notice> {
    let held_back = |view: Option<&GateView>| view.and_then(|view| view.held_back);
    let GateView { cluster, family, .. } = after.or(before)?;
    let (cluster, family) = (cluster.clone(), *family);
    match (held_back(before).is_some(), held_back(after)) {
        (false, Some(held_back)) => Some(Notice::HeldBack {
            cluster,
            family,
            held_back,
        }),
        (true, None) => Some(Notice::Released { cluster, family }),
        (true, Some(_)) | (false, None) => None,
    }
}

/// Whose weight gray failure lowers otherwise than before.
fn lowered((before, after): Pair<'_>) -> Option<Notice> {
    let gray = |view: Option<&GateView>| view.map(|view| view.gray.clone()).unwrap_or_default();
    let (old, new) = (gray(before), gray(after));
    let GateView { cluster, family, .. } = after.or(before)?;
    let differs = (old.degree, old.factor_permille) != (new.degree, new.factor_permille);
    differs.then(|| Notice::Gray {
        cluster: cluster.clone(),
        family: *family,
        gray: new,
    })
}

impl VerdictSink for GateSink {
    fn tick(&mut self, now: MonoTime, _transitions: &[Transition], view: &FleetView) {
        self.notices.clear();
        let overrides = self.shared.overrides.load_full();
        self.gates.set_overrides(overrides, self.shared.clock.now());
        let changed = self.gates.tick(now, view, &self.shared.gates);
        if changed {
            self.publish(now);
            self.keep();
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
