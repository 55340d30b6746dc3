//! The faults in force: injected together, cleared by hand or by their TTL, composed for each cluster.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    sync::{Notify, broadcast},
    time::Instant,
};

use super::{
    ControllerSwitch, Effects, FaultKind, FaultSpec, FaultTarget, SpecError,
    spec::{DELAY_DEFAULT, TTL_DEFAULT},
};

/// Faults that may be in force at once.
const ACTIVE_MAX: usize = 64;
/// Events a slow listener may fall behind before it misses some.
const EVENTS_KEPT: usize = 256;

/// The fault switchboard of one fleet; clones share it.
///
/// While it lives a task of its own ends faults whose time is over; dropping the last clone leaves the fleet as it
/// is, so clear first.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

struct Shared {
    targets: BTreeMap<String, Arc<dyn FaultTarget>>,
    controller: Option<Arc<dyn ControllerSwitch>>,
    state: Mutex<State>,
    rescheduled: Notify,
    events: broadcast::Sender<FaultEvent>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    active: BTreeMap<u64, ActiveFault>,
}

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveFault {
    /// Unique in this registry.
    pub id: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where.
    pub clusters: Vec<String>,
    /// The delay of `slow`, zero for other kinds.
    pub delay: Duration,
    /// Just before the first cluster was touched.
    pub injected_at: Instant,
    /// When it ends by itself.
    pub expires_at: Instant,
}

/// An [`ActiveFault`] as shown, with ages in place of instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultView {
    /// Unique while the harness runs.
    pub id: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where.
    pub clusters: Vec<String>,
    /// The delay of `slow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Since the injection.
    pub age_ms: u64,
    /// Until it ends by itself.
    pub remaining_ms: u64,
}

/// Something that happened to a fault.
#[derive(Clone, Debug)]
pub struct FaultEvent {
    /// When it took effect; for an injection just before the first cluster was touched.
    pub at: Instant,
    /// What happened.
    pub what: FaultEventKind,
    /// The fault.
    pub fault: ActiveFault,
}

/// What happened to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultEventKind {
    /// It is in force.
    Injected,
    /// Somebody ended it.
    Cleared,
    /// Its time was over.
    Expired,
}

/// Why a fault was not injected or cleared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The request means nothing.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No such cluster in the fleet.
    #[error("unknown cluster `{cluster}`; known: {}", known.join(", "))]
    UnknownCluster {
        /// As written.
        cluster: String,
        /// The fleet.
        known: Vec<String>,
    },
    /// Nothing with that number is in force.
    #[error("no fault {id} is in force")]
    UnknownFault {
        /// As asked for.
        id: u64,
    },
    /// This fleet has no controller that could be stopped.
    #[error("fault `controller-down` needs a controller, and none runs here")]
    NoController,
    /// The bound on faults in force.
    #[error("{ACTIVE_MAX} faults are in force already; clear some first")]
    TooMany,
}

impl Faults {
    /// A switchboard for these clusters, with no fault in force; needs a tokio runtime.
    pub fn new(
        targets: impl IntoIterator<Item = Arc<dyn FaultTarget>>,
        controller: Option<Arc<dyn ControllerSwitch>>,
    ) -> Self {
        let targets = targets
            .into_iter()
            .map(|target| (target.name().to_owned(), target))
            .collect();
        let shared = Arc::new(Shared {
            targets,
            controller,
            state: Mutex::default(),
            rescheduled: Notify::new(),
            events: broadcast::Sender::new(EVENTS_KEPT),
        });
        tokio::spawn(expire(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// The clusters that faults can name.
    pub fn clusters(&self) -> Vec<String> {
        self.shared.targets.keys().cloned().collect()
    }

    /// Injects a fault into all its clusters at one instant; in force when this returns.
    ///
    /// # Errors
    /// Nothing was touched if it fails.
    pub fn inject(&self, spec: &FaultSpec) -> Result<ActiveFault, FaultError> {
        spec.check()?;
        if let Some(cluster) = spec
            .clusters
            .iter()
            .find(|name| !self.shared.targets.contains_key(*name))
        {
            return Err(FaultError::UnknownCluster {
                cluster: cluster.clone(),
                known: self.clusters(),
            });
        }
        if spec.kind == FaultKind::ControllerDown && self.shared.controller.is_none() {
            return Err(FaultError::NoController);
        }
        let mut state = self.shared.state.lock();
        if state.active.len() >= ACTIVE_MAX {
            return Err(FaultError::TooMany);
        }
        state.last_id += 1;
        let id = state.last_id;
        let injected_at = Instant::now();
        let fault = ActiveFault {
            id,
            kind: spec.kind,
            clusters: spec.clusters.clone(),
            delay: if spec.kind == FaultKind::Slow {
                spec.delay.unwrap_or(DELAY_DEFAULT)
            } else {
                Duration::ZERO
            },
            injected_at,
            expires_at: injected_at + spec.ttl.unwrap_or(TTL_DEFAULT),
        };
        state.active.insert(id, fault.clone());
        self.shared.carry_out(&state, &fault);
        drop(state);
        self.shared
            .announce(injected_at, FaultEventKind::Injected, &fault);
        self.shared.rescheduled.notify_one();
        Ok(fault)
    }

    /// Ends one fault; others on the same clusters stay in force.
    ///
    /// # Errors
    /// [`FaultError::UnknownFault`] if it is not in force.
    pub fn clear(&self, id: u64) -> Result<ActiveFault, FaultError> {
        let cleared = self.shared.end(FaultEventKind::Cleared, |fault| fault.id == id);
        cleared.into_iter().next().ok_or(FaultError::UnknownFault { id })
    }

    /// Ends every fault, at one instant; answers those ended.
    pub fn clear_all(&self) -> Vec<ActiveFault> {
        self.shared.end(FaultEventKind::Cleared, |_| true)
    }

    /// The faults in force, oldest first.
    pub fn active(&self) -> Vec<ActiveFault> {
        self.shared.state.lock().active.values().cloned().collect()
    }

    /// What happens from now on; a listener that lags by more than 256 events misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<FaultEvent> {
        self.shared.events.subscribe()
    }
}

impl ActiveFault {
    /// The fault as shown at `now`.
    pub fn view(&self, now: Instant) -> FaultView {
        FaultView {
            id: self.id,
            kind: self.kind,
            clusters: self.clusters.clone(),
            delay_ms: (self.kind == FaultKind::Slow).then(|| whole_ms(self.delay)),
            age_ms: whole_ms(now.saturating_duration_since(self.injected_at)),
            remaining_ms: whole_ms(self.expires_at.saturating_duration_since(now)),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    /// Ends the faults that `select` picks, all before any cluster is told, so that each is told once.
    fn end(&self, what: FaultEventKind, select: impl Fn(&ActiveFault) -> bool) -> Vec<ActiveFault> {
        let mut state = self.state.lock();
        let at = Instant::now();
        let ended: Vec<_> = state
            .active
            .extract_if(.., |_, fault| select(fault))
            .map(|(_, fault)| fault)
            .collect();
        for fault in &ended {
            self.carry_out(&state, fault);
        }
        drop(state);
        for fault in &ended {
            self.announce(at, what, fault);
        }
        ended
    }

    /// Tells everything that `fault` concerns what now is in force there.
    fn carry_out(&self, state: &State, fault: &ActiveFault) {
        let clusters: BTreeSet<&str> = fault.clusters.iter().map(String::as_str).collect();
        for target in clusters.into_iter().filter_map(|name| self.targets.get(name)) {
            let here = state
                .active
                .values()
                .filter(|other| other.clusters.iter().any(|name| name == target.name()));
            target.apply(Effects::of(here.map(|other| (other.kind, other.delay))));
        }
        if let (FaultKind::ControllerDown, Some(controller)) = (fault.kind, &self.controller) {
            controller.set_running(
                !state
                    .active
                    .values()
                    .any(|other| other.kind == FaultKind::ControllerDown),
            );
        }
    }

    fn announce(&self, at: Instant, what: FaultEventKind, fault: &ActiveFault) {
        tracing::info!(fault.id, fault.kind = %fault.kind, fault.clusters = ?fault.clusters, ?what, "fault");
        // Nobody listening is no failure.
        let _ = self.events.send(FaultEvent {
            at,
            what,
            fault: fault.clone(),
        });
    }
}

/// Ends faults at the end of their time, for as long as the switchboard lives.
async fn expire(shared: Weak<Shared>) {
    /// How soon the task notices that nobody needs it any more.
    const LOOK_UP: Duration = Duration::from_secs(60);
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let now = Instant::now();
        alive.end(FaultEventKind::Expired, |fault| fault.expires_at <= now);
        let next = alive
            .state
            .lock()
            .active
            .values()
            .map(|fault| fault.expires_at)
            .min();
        let wake = next.unwrap_or(now + LOOK_UP).min(now + LOOK_UP);
        tokio::select! {
            () = tokio::time::sleep_until(wake) => {}
            () = alive.rescheduled.notified() => {}
        }
    }
}
