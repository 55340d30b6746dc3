//! What the threads of one server share. The answer path reads the snapshot and the gates; everything else is beside
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{io, mem};

use arc_swap::ArcSwap;
use lifeboat_health::MonoClock;
use parking_lot::Mutex;

use super::readiness::Readiness;
use super::shares;
use super::spoken::Spoken;
use super::status::PlanSource;
use super::{EcsFrom, ServerConfig};
use crate::catalog::{Applied, Catalog, Problem, Refused};
use crate::gate::overrides::Overrides;
use crate::gate::table::GateTable;
use crate::gate::{GateView, Ramp};
use crate::geo::GeoTable;
use crate::input::SnapshotInput;
use crate::lkg::body::Good;
use crate::lkg::{Folder, HighWater, Keeper, Loaded};
use crate::meter::Meters;
use crate::metrics::Counters;
use crate::sample::Samples;
use crate::snapshot::Snapshot;
use crate::snapshot::build::BuildError;

/// Rejected parts that status shows; the rest are counted.
const MAX_PROBLEMS_SHOWN: usize = 100;

pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) clock: MonoClock,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) gates: GateTable,
    pub(crate) meters: Meters,
    pub(crate) gate_views: ArcSwap<Vec<GateView>>,
    /// Read by every tick of the verdict sink.
    pub(crate) overrides: ArcSwap<Overrides>,
    pub(crate) readiness: Readiness,
    pub(crate) counters: Vec<Arc<Counters>>,
    pub(crate) plans: PlanCounters,
    pub(crate) keeper: Keeper,
    pub(crate) folder: Folder,
    /// Files of the state folder passed over at start, with the reasons.
    pub(crate) skipped_files: Vec<String>,
    pub(crate) ramp: Ramp,
    pub(crate) ecs: EcsFrom,
    pub(crate) spoken: ArcSwap<Spoken>,
    pub(crate) samples: Arc<Samples>,
    /// What is known of clients' networks; part of every snapshot built from here on.
    geo: ArcSwap<GeoTable>,
    catalog: Mutex<Catalog>,
    /// Snapshots some thread may still answer from. The last reference is dropped here, not on the answer path.
    retired: Mutex<Vec<Arc<Snapshot>>>,
    told: Mutex<Told>,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct PlanCounters {
    pub(crate) applied: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// What plans have led to, for people.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) source: PlanSource,
    pub(crate) last_refusal: Option<String>,
    pub(crate) problems: Vec<Problem>,
}

impl Shared {
    pub(super) fn new(
        config: &ServerConfig,
        folder: Folder,
        loaded: Loaded,
        counters: Vec<Arc<Counters>>,
    ) -> io::Result<Self> {
        let (gates, meters) = (GateTable::new(), Meters::default());
        loaded.gates.iter().for_each(|kept| kept.restore(&gates));
        let mut catalog = Catalog::default();
        let mut snapshot = Snapshot::empty();
        let mut told = Told {
            source: PlanSource::None,
            last_refusal: None,
            problems: Vec::new(),
        };
        let mut skipped_files = loaded.skipped;
        if let Some(good) = loaded.good {
            let stamp = good.kept.stamp.to_string();
            match restore(good, loaded.high_water.as_ref(), &gates) {
                Ok((restored, built, problems)) => {
                    catalog = restored;
                    snapshot = built.metered(&meters);
                    told.source = PlanSource::LastKnownGood;
                    told.problems = problems;
                }
                Err(error) => skipped_files.push(format!("{stamp}: {error}")),
            }
        }
        if let Some(high_water) = loaded.high_water.filter(|_| catalog.stamp().is_none()) {
            remember(&mut catalog, &high_water);
        }
        let planned = told.source != PlanSource::None;
        let keeper = Keeper::spawn(
            &config.name,
            folder.clone(),
            config.soak,
            catalog.stamp().cloned(),
        )?;
        Ok(Self {
            name: config.name.clone(),
            clock: MonoClock::new(),
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            gates,
            meters,
            gate_views: ArcSwap::from_pointee(Vec::new()),
            overrides: ArcSwap::from_pointee(Overrides {
                standing: Vec::new(),
                min_active: config.min_active_clusters,
            }),
            readiness: Readiness::new(config.start_grace, !config.wait_for_plan || planned),
            counters,
            plans: PlanCounters::default(),
            keeper,
            folder,
            skipped_files,
            ramp: config.ramp,
            ecs: config.ecs.clone(),
            spoken: ArcSwap::default(),
            samples: Arc::default(),
            geo: ArcSwap::default(),
            catalog: Mutex::new(catalog),
            retired: Mutex::new(Vec::new()),
            told: Mutex::new(told),
            stopping: AtomicBool::new(false),
        })
    }

    /// Checks, builds and swaps in one plan. The lock is held throughout, so that plans take effect in the order they
    /// were fenced.
    pub(super) fn apply(&self, plan: &SnapshotInput) -> Result<Applied, Refused> {
        let mut catalog = self.catalog.lock();
        self.release();
        let result = catalog
            .applied(plan)
            .and_then(|(next, applied)| Ok((self.build(&next)?, next, applied)));
        match result {
            Ok((snapshot, next, applied)) => {
                let old = self.snapshot.swap(Arc::new(snapshot));
                *catalog = next.clone();
                drop(catalog);
                self.readiness.planned();
                self.retire(old);
                self.plans.applied.fetch_add(1, Ordering::Relaxed);
                self.plans
                    .skipped
                    .fetch_add(applied.skipped as u64, Ordering::Relaxed);
                self.plans
                    .rejected
                    .fetch_add(applied.rejected.len() as u64, Ordering::Relaxed);
                self.keeper.served(next);
                self.tell(&applied);
                Ok(applied)
            }
            Err(refused) => {
                drop(catalog);
                self.plans.refused.fetch_add(1, Ordering::Relaxed);
                self.told.lock().last_refusal = Some(refused.to_string());
                Err(refused)
            }
        }
    }

    fn build(&self, catalog: &Catalog) -> Result<Snapshot, BuildError> {
        let snapshot = catalog.build(&self.gates)?.with_geo(self.geo.load_full());
        Ok(snapshot.metered(&self.meters))
    }

    /// Swaps in the same snapshot with another geo table: an answer sees either, and never parts of both.
    pub(super) fn set_geo(&self, geo: GeoTable) -> Result<(), BuildError> {
        let catalog = self.catalog.lock();
        self.release();
        self.geo.store(Arc::new(geo));
        let snapshot = self.build(&catalog)?;
        let old = self.snapshot.swap(Arc::new(snapshot));
        drop(catalog);
        self.retire(old);
        Ok(())
    }

    fn retire(&self, old: Arc<Snapshot>) {
        self.retired.lock().push(old);
        self.release();
    }

    /// Frees the snapshots that nobody answers from any more; before another is built, so that there are never three.
    pub(super) fn release(&self) {
        self.retired
            .lock()
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }

    fn tell(&self, applied: &Applied) {
        let problems: Vec<Problem> = applied
            .rejected
            .iter()
            .take(MAX_PROBLEMS_SHOWN)
            .cloned()
            .collect();
        let mut told = self.told.lock();
        told.source = PlanSource::Plan;
        let before = mem::replace(&mut told.problems, problems);
        for problem in told.problems.iter().filter(|problem| !before.contains(problem)) {
            tracing::warn!(server = %self.name, problem = %problem, "part of a steering plan was rejected");
        }
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().clone()
    }

    pub(crate) fn with_catalog<R>(&self, read: impl FnOnce(&Catalog) -> R) -> R {
        read(&self.catalog.lock())
    }

    pub(crate) fn name_count(&self) -> usize {
        self.with_catalog(|catalog| catalog.names().count())
    }

    /// Names with a type whose every candidate is in doubt.
    pub(crate) fn panic_names(&self) -> usize {
        shares::panic_names(&self.snapshot.load(), &self.gates)
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

fn restore(
    good: Good,
    high_water: Option<&HighWater>,
    gates: &GateTable,
) -> Result<(Catalog, Snapshot, Vec<Problem>), Refused> {
    let (mut catalog, problems) = Catalog::restored(good.kept, good.zones);
    if let Some(high_water) = high_water {
        remember(&mut catalog, high_water);
    }
    let snapshot = catalog.build(gates)?;
    Ok((catalog, snapshot, problems))
}

/// How far the server had come; not where it has followed another fleet since.
fn remember(catalog: &mut Catalog, high_water: &HighWater) {
    let HighWater { stamp, serials } = high_water;
    if catalog.stamp().is_none_or(|own| own.fleet_uid == stamp.fleet_uid) {
        catalog.remember_high_water(stamp);
        catalog.remember_serials(serials);
    }
}
