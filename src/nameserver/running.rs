//! The running server, as its listeners read it.

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use bytes::Bytes;
use lifeboat_dns::{GateSink, Server};
use lifeboat_health::{FleetView, MonoClock, MonoTime, VerdictSink, recording::Preamble};
use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use super::{
    config::ObserverEntry,
    entries::Entries,
    hearing::Hearing,
    kubernetes::{self, ControlPlane},
    status::{self, Configuration, Status},
    zones::ZoneRead,
};
use crate::{
    serve::{evidence::Evidence, view},
    timeline::{Entry, Timeline},
};

/// Names the server in metrics and its threads.
pub(super) const NAME: &str = "dns";

pub(super) struct Running {
    pub(super) server: Server,
    pub(super) clock: MonoClock,
    pub(super) timeline: Timeline,
    pub(super) hearing: RwLock<Option<Hearing>>,
    /// What is to be observed and cannot be heard of: nothing is known, and no gate moves. Empty where somebody is heard, or nobody needs to be.
    pub(super) unheard: ArcSwap<FleetView>,
    /// Brings orders into force where there are no verdicts to bring it into force with.
    pub(super) idle: Mutex<Option<GateSink>>,
    pub(super) told: ArcSwap<Told>,
    /// In Kubernetes mode.
    pub(super) plane: Option<Arc<ControlPlane>>,
}

/// What the last look at the files came to.
#[derive(Default)]
pub(super) struct Told {
    pub(super) configuration: Configuration,
    pub(super) entries: Entries,
    pub(super) zones: Vec<ZoneRead>,
    /// The observers whose evidence counts, where they are named.
    pub(super) named: Vec<ObserverEntry>,
    pub(super) min_fresh: u32,
}

impl Running {
    fn view(&self) -> Arc<FleetView> {
        let hearing = self.hearing.read();
        hearing
            .as_ref()
            .map_or_else(|| self.unheard.load_full(), |hearing| hearing.consumer.view())
    }

    /// A cluster's verdicts as `lifeboat explain cluster` prints them; `None` for one that the configuration does not have.
    pub(super) fn explain_cluster(&self, name: &str) -> Option<Value> {
        let told = self.told.load();
        let cluster = told.entries.probed().find(|cluster| cluster.name == name)?;
        let verdicts = self.view();
        let (traffic, control) = view::paths(&verdicts, &view::held_back(&self.server.gates()), name);
        let history: Vec<Entry> = self.timeline.since(0).0;
        let history = history
            .into_iter()
            .filter(|entry| entry.cluster.as_deref() == Some(name));
        let cluster = json!({
            "name": name, "provider": "", "region": cluster.region, "traffic": traffic, "control": control,
            "detection": view::detection(&verdicts, name),
        });
        let hearing = self.hearing.read();
        let now = hearing
            .as_ref()
            .map(|hearing| view::seen_now(&hearing.consumer, name));
        Some(json!({
            "cluster": cluster, "now": now.unwrap_or_default(), "holds": [], "noTarget": [], "history": history.collect::<Vec<_>>(),
        }))
    }

    pub(super) fn cluster_names(&self) -> Vec<String> {
        let told = self.told.load();
        told.entries
            .probed()
            .map(|cluster| cluster.name.clone())
            .collect()
    }

    /// Brings orders that were just given into force, or that have ended out of it, where no verdict loop does.
    pub(super) fn tick(&self) {
        if self.hearing.read().is_some() {
            return;
        }
        let mut idle = self.idle.lock();
        let sink = idle.get_or_insert_with(|| self.server.verdict_sink());
        sink.tick(self.clock.now(), &[], &self.unheard.load());
    }

    pub(super) fn status(&self) -> Status {
        let told = self.told.load();
        let view = self.view();
        let server = self.server.status();
        let control_plane = self.plane.as_ref().map(|plane| plane.status(&server.problems));
        let held = self.server.held();
        let zones = match &control_plane {
            Some(plane) => kubernetes::zones(&held, plane.current),
            None => status::zones(&told.zones, &held),
        };
        Status {
            version: env!("CARGO_PKG_VERSION"),
            configuration: told.configuration.clone(),
            control_plane,
            zones,
            clusters: status::clusters(told.entries.probed(), &view, &self.server, told.min_fresh),
            observers: view::observers(
                &view,
                told.named
                    .iter()
                    .map(|entry| (entry.name.as_str(), entry.region.as_str())),
            ),
            server,
        }
    }
}

/// Evidence as this server hears it, for recordings.
impl Evidence for Running {
    #[expect(clippy::disallowed_methods, reason = "stamps the recording, for people")]
    fn tap(&self) -> Option<(Preamble, Receiver<(MonoTime, Bytes)>)> {
        let hearing = self.hearing.read();
        let consumer = &hearing.as_ref()?.consumer;
        let preamble = Preamble {
            consumer: NAME.to_owned(),
            started: crate::store::conditions::stamp(jiff::Timestamp::now()),
            profile: consumer.profile().clone(),
            targets: hearing.as_ref()?.targets(),
        };
        Some((preamble, consumer.tap()))
    }
}

/// Threads are joined off the runtime.
pub(super) async fn end(running: Arc<Running>) -> anyhow::Result<()> {
    let stopping = tokio::task::spawn_blocking(move || {
        let hearing = running.hearing.write().take();
        if let Some(hearing) = hearing {
            hearing.stop();
        }
        // A request that is being answered may still hold it; the server's end ends its threads all the same.
        if let Some(running) = Arc::into_inner(running) {
            running.server.stop();
        }
    });
    stopping.await.context("stopping")
}
