//! The machines of a member cluster: one task that lets controllers, scheduler and kubelets act until all are at rest.
//!
//! It wakes for a change in the store, for a pod that is due, and every half minute for everything; at rest it
//! costs nothing in between. Without power it stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    controllers, json,
    kubelet::Kubelet,
    nodes, scheduler,
    vip::{Vip, routes::Routes},
    world::{Kind, Site, World, Write},
};
use crate::apiserver::{ApiError, Store};

/// Everything is recomputed this often, whatever was missed.
const RECOMPUTE: Duration = Duration::from_secs(30);
/// Signs of life of the nodes, and the removal of old events.
const UPKEEP: Duration = Duration::from_secs(300);
/// Changes that come within this are handled together.
const GATHER: Duration = Duration::from_millis(3);
/// Passes before the task lets others run, in case two writers never agree.
const PASSES_MAX: usize = 64;
const EVENT_AGE_MAX_S: i64 = 3600;

pub(crate) struct Sim {
    store: Store,
    site: Site,
    vip: Arc<Vip>,
    powered: AtomicBool,
    power_changed: Notify,
    machines: Mutex<Machines>,
    failed_writes: AtomicU64,
}

struct Machines {
    kubelet: Kubelet,
    draw: fastrand::Rng,
}

impl Sim {
    pub(crate) fn new(store: Store, site: Site, vip: Arc<Vip>, pod_start_delay: Duration, seed: u64) -> Self {
        let machines = Machines {
            kubelet: Kubelet::new(pod_start_delay),
            draw: fastrand::Rng::with_seed(seed),
        };
        Self {
            store,
            site,
            vip,
            powered: AtomicBool::new(true),
            power_changed: Notify::new(),
            machines: Mutex::new(machines),
            failed_writes: AtomicU64::new(0),
        }
    }

    pub(crate) fn powered(&self) -> bool {
        self.powered.load(Relaxed)
    }

    /// Writes that the store refused; the next recompute tries again.
    pub(crate) fn failed_writes(&self) -> u64 {
        self.failed_writes.load(Relaxed)
    }

    /// Cuts the power: from now on nothing in the cluster moves.
    pub(crate) fn power_off(&self) {
        self.powered.store(false, Relaxed);
    }

    /// Brings the machines back; when this returns no pod is ready and the API says so everywhere.
    pub(crate) fn power_on(&self) {
        {
            let mut machines = self.machines.lock();
            match self.load() {
                Ok(world) => {
                    for write in machines.kubelet.power_cycle(&world) {
                        self.write(&write);
                    }
                }
                Err(error) => tracing::warn!(%error, cluster = self.site.cluster, "could not read the store"),
            }
        }
        self.powered.store(true, Relaxed);
        self.settle(|| {});
        self.power_changed.notify_one();
    }

    /// Acts until `stop`.
    pub(crate) async fn run(self: Arc<Self>, mut changes: watch::Receiver<u64>, stop: CancellationToken) {
        let mut upkeep = Instant::now() + UPKEEP;
        loop {
            let mut wake = Instant::now() + RECOMPUTE;
            if self.powered() {
                if Instant::now() >= upkeep {
                    upkeep = Instant::now() + UPKEEP;
                    self.upkeep();
                }
                let due = self.settle(|| drop(changes.borrow_and_update()));
                wake = due.map_or(wake, |due| wake.min(due)).min(upkeep);
            }
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                () = self.power_changed.notified() => {}
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(GATHER).await;
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// Lets everybody act until nobody wants to; answers when something is due next.
    ///
    /// `seen` runs before each look at the store: what changed before it is handled.
    fn settle(&self, mut seen: impl FnMut()) -> Option<Instant> {
        let mut machines = self.machines.lock();
        let Machines { kubelet, draw } = &mut *machines;
        for _ in 0..PASSES_MAX {
            if !self.powered() {
                return None;
            }
            seen();
            let world = match self.load() {
                Ok(world) => world,
                Err(error) => {
                    tracing::warn!(%error, cluster = self.site.cluster, "could not read the store");
                    return None;
                }
            };
            let mut writes = controllers::wants(&world, draw);
            writes.extend(scheduler::wants(&world));
            writes.extend(kubelet.wants(&world, Instant::now()));
            let written = writes.iter().filter(|write| self.write(write)).count();
            if written == 0 {
                self.vip.set_routes(Routes::of(&world));
                return kubelet.next_due();
            }
        }
        tracing::warn!(
            cluster = self.site.cluster,
            passes = PASSES_MAX,
            "the controllers did not come to rest"
        );
        kubelet.next_due()
    }

    fn load(&self) -> Result<World, ApiError> {
        World::load(&self.store, self.site.clone(), Timestamp::now())
    }

    /// Whether the store changed: a write that the server's own defaults undo changes nothing.
    fn write(&self, write: &Write) -> bool {
        let before = self.store.resource_version();
        match write.apply(&self.store) {
            Ok(()) => self.store.resource_version() != before,
            Err(error) => {
                self.failed_writes.fetch_add(1, Relaxed);
                tracing::debug!(%error, cluster = self.site.cluster, ?write, "write refused");
                false
            }
        }
    }

    fn upkeep(&self) {
        let now = Timestamp::now();
        let Ok(world) = self.load() else { return };
        for write in nodes::heartbeats(&world.nodes, now) {
            self.write(&write);
        }
        let Ok((events, _)) = self.store.list(&Kind::Event.gvr(), None, "") else {
            return;
        };
        let old = events.iter().filter(|event| {
            let last = json::text(event, "/metadata/creationTimestamp").parse::<Timestamp>();
            last.is_ok_and(|last| now.as_second() - last.as_second() > EVENT_AGE_MAX_S)
        });
        for event in old {
            self.write(&Write::delete(Kind::Event, event));
        }
    }
}
