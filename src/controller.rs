//! The control plane's process: everything that is slow, expensive or needs the Kubernetes API.
//!
//! ```text
//! Consumer ── verdicts ──┬─> failover loop (100 ms) ── plan ──> executor ──┐
//!                        ├─> conditions, member links                      ├─> kube API
//! Index <── watches ─────┼─> propagation loop: bindings, schedule, works ──┤
//!                        └─> steering loop: plan ──> head and shards ──────┘
//! ```
//! One OS thread with its own runtime. Each loop recomputes everything from the index, woken by changes and
//! by a timer; users are moved without any of it, by the DNS servers' own verdicts. A propagation round, which takes
//! long in a large fleet, is computed from a snapshot on a thread of its own.
mod complaints;
mod conditions;
mod failover;
mod graceful_eviction;
mod kinds;
mod leadership;
mod metrics;
mod observers;
mod placed;
mod policies;
mod propagation;
pub(crate) mod reader;
mod status;
mod steering;
#[cfg(test)]
mod tests;
mod told;

use std::{collections::BTreeSet, sync::Arc, thread, time::Duration};

use arc_swap::ArcSwap;
use kube::Client;
use lifeboat_health::{Consumer, FleetView, MonoClock};
use tokio_util::sync::CancellationToken;

use self::leadership::{Leadership, LeadershipError};
pub use self::{
    kinds::Kinds,
    metrics::ControllerMetrics,
    status::{Inputs, Status},
};
use crate::{
    failover::Settings,
    store::{self, Index, Watches, Writer},
    timeline::Timeline,
};

/// Wait before a failed start is tried again.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct ControllerConfig {
    /// Name of this controller, for the epoch object.
    pub holder: String,
    pub kube: kube::Config,
    pub settings: Settings,
    pub clock: MonoClock,
    pub timeline: Timeline,
    /// How long a pod takes to become ready, for estimates in standing plans.
    pub pod_start: Duration,
    pub metrics: ControllerMetrics,
}

#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    #[error("making a client for the control plane's API: {0}")]
    Client(#[from] Box<kube::Error>),
    #[error("starting the controller's runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error(transparent)]
    Leadership(#[from] LeadershipError),
}

/// What all loops share.
struct Context {
    client: Client,
    index: Index,
    writer: Writer,
    kinds: Kinds,
    clock: MonoClock,
    timeline: Timeline,
    metrics: ControllerMetrics,
    consumer: Arc<Consumer>,
    status: Arc<ArcSwap<Status>>,
    /// Members whose statuses were read since their control path came back.
    fresh: ArcSwap<BTreeSet<String>>,
}

impl Context {
    fn verdicts(&self) -> Arc<FleetView> {
        self.consumer.view()
    }
}

/// A running controller.
pub struct Controller {
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
    status: Arc<ArcSwap<Status>>,
}

impl Controller {
    /// Starts the controller on a thread of its own. It waits for the API and for its custom resources,
    /// and takes the next epoch before it writes anything.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made.
    pub fn spawn(config: ControllerConfig, consumer: Arc<Consumer>) -> Result<Self, ControllerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ControllerError::Runtime)?;
        let stop = CancellationToken::new();
        let status = Arc::new(ArcSwap::from_pointee(Status::default()));
        let (token, shared) = (stop.clone(), status.clone());
        let thread = thread::Builder::new()
            .name("controller".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = token.cancelled() => {}
                        () = run(&config, &consumer, &shared) => {}
                    }
                });
                runtime.shutdown_timeout(Duration::from_secs(1));
                shared.store(Arc::new(Status::default()));
                config.metrics.down();
            })
            .map_err(ControllerError::Runtime)?;
        Ok(Self {
            stop,
            thread: Some(thread),
            status,
        })
    }

    /// What the controller last reported; `running` is false before it leads and after it stops.
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Stops every loop and waits for the thread, two seconds at most.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the controller's thread panicked");
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.end();
    }
}

/// Leads until leadership is lost, then takes the next epoch.
async fn run(config: &ControllerConfig, consumer: &Arc<Consumer>, status: &Arc<ArcSwap<Status>>) {
    loop {
        if let Err(error) = lead(config, consumer, status).await {
            tracing::warn!(error = %error, "the controller starts again");
        }
        status.store(Arc::new(Status::default()));
        config.metrics.down();
        tokio::time::sleep(RETRY).await;
    }
}

async fn lead(
    config: &ControllerConfig,
    consumer: &Arc<Consumer>,
    status: &Arc<ArcSwap<Status>>,
) -> Result<(), ControllerError> {
    let client = store::connect(config.kube.clone()).map_err(Box::new)?;
    let index = Index::default();
    let context = Arc::new(Context {
        writer: Writer::new(client.clone(), index.clone()).counted(config.metrics.writes.clone()),
        client: client.clone(),
        index: index.clone(),
        kinds: Kinds::default(),
        clock: config.clock,
        timeline: config.timeline.clone(),
        metrics: config.metrics.clone(),
        consumer: consumer.clone(),
        status: status.clone(),
        fresh: ArcSwap::default(),
    });
    let kinds = &context.kinds;
    let leadership = Leadership::take(
        client.clone(),
        &kinds.failover_epoch,
        &config.holder,
        config.settings.rate,
        config.clock.now(),
    )
    .await?;
    let watches = Watches::new(client, index.clone());
    for kind in kinds.watched() {
        watches.start(&kind);
    }
    let mut changes = index.subscribe();
    while !index.synced(&kinds.watched()) {
        // The sender lives in the index, so this cannot fail.
        let _changed = changes.changed().await;
    }
    let message = format!("{} leads epoch {}", config.holder, leadership.epoch);
    config.timeline.push("controlplane.leader.changed", None, message);
    let (epoch, fleet_uid) = (leadership.epoch, leadership.fleet_uid.clone());
    tokio::select! {
        () = propagation::run(&context) => Ok(()),
        () = steering::run(&context, epoch, &fleet_uid) => Ok(()),
        lost = failover::run(&context, leadership, &config.settings, config.pod_start) => Err(lost.into()),
    }
}
