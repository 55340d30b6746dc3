//! The console's listener, and the task that puts its document together twice a second.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::ArcSwap;
use lifeboat_chaos::{
    drill::LiveStats,
    fault::{self, FaultEventKind, Faults},
};
use lifeboat_dns::{PlanSource, Rcode};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Options,
    fleet::DemoFleet,
    inquiries::FromPlane,
    plane::{DnsRole, Plane},
    tap::FromConsumer,
};
use crate::{
    controller::Kinds,
    observe,
    serve::{
        self, Guard, Sources,
        state::{DnsServer, Name, NameAtServer, Share, State},
        view::{
            self, Known,
            declared::{self, Declared},
        },
    },
    store::{self, Index, Watches},
    timeline::Timeline,
};

/// How often the document is made.
const PERIOD: Duration = Duration::from_millis(500);

pub(super) struct Console {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Console {
    pub(super) async fn start(
        options: &Options,
        fleet: &DemoFleet,
        plane: &Arc<Plane>,
        faults: &Faults,
        live: &LiveStats,
        mut metrics: Registry,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(options.console)
            .await
            .with_context(|| format!("--console {}: listening", options.console))?;
        let guard =
            Guard::new(listener.local_addr()?, &options.hosts, options.token.clone()).context("--console")?;
        let index = Index::default();
        let kinds = Kinds::default();
        let watches = Watches::new(store::connect(fleet.kube()?)?, index.clone());
        for kind in [
            &kinds.cluster,
            &kinds.binding,
            &kinds.cluster_binding,
            &kinds.traffic_policy,
        ] {
            watches.start(kind);
        }
        let servers: Vec<&lifeboat_dns::Server> = plane.dns.iter().map(|role| &*role.server).collect();
        lifeboat_dns::register_all(&servers, &mut metrics);
        let inquiries = FromPlane {
            plane: Arc::downgrade(plane),
            index: index.clone(),
            kinds: kinds.clone(),
        };
        let maker = Maker {
            index,
            kinds,
            plane: plane.clone(),
            faults: faults.clone(),
            live: live.clone(),
            answered: BTreeMap::new(),
            history: serve::History::default(),
        };
        let state = Arc::new(ArcSwap::from_pointee(maker.first()));
        let (document, documents) = watch::channel(Arc::from("{}"));
        let stop = CancellationToken::new();
        let sources = Sources {
            state: state.clone(),
            document: documents,
            history: maker.history.clone(),
            timeline: plane.timeline.clone(),
            inquiries: Arc::new(inquiries),
            metrics: Arc::new(metrics),
        };
        let tap = serve::evidence::router(FromConsumer::new(plane));
        let weak = Arc::downgrade(plane);
        let reports = observe::passive::router(move |reports| {
            weak.upgrade().map_or(Ok(()), |plane| plane.report(reports))
        });
        let extra = fault::router(faults.clone()).merge(tap).merge(reports);
        let app = serve::router(sources, guard, extra);
        let (token, shared) = (stop.clone(), state);
        let making = async move {
            let _watches = watches;
            tokio::select! {
                () = token.cancelled() => {}
                () = maker.run(&shared, &document) => {}
            }
        };
        let token = stop.clone();
        let serving = async move {
            // Event streams never end by themselves, so connections are not waited for.
            let app = app.into_make_service_with_connect_info::<serve::Reached>();
            let server = axum::serve(listener, app).into_future();
            tokio::select! {
                () = token.cancelled() => {}
                result = server => if let Err(error) = result {
                    tracing::error!(error = %error, "the console stopped");
                },
            }
        };
        let tasks = vec![
            tokio::spawn(making),
            tokio::spawn(serving),
            tokio::spawn(tell_faults(faults.clone(), plane.timeline.clone(), stop.clone())),
        ];
        Ok(Self { stop, tasks })
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a task of the console panicked");
            }
        }
    }
}

/// Enters what happens to faults into the timeline.
async fn tell_faults(faults: Faults, timeline: Timeline, stop: CancellationToken) {
    let mut events = faults.subscribe();
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        // A lagged receiver has lost old events and goes on with the newer ones.
        let Ok(event) = event else { continue };
        let kind = match event.what {
            FaultEventKind::Injected => "fault.injected",
            FaultEventKind::Cleared | FaultEventKind::Expired => "fault.cleared",
        };
        let how = match event.what {
            FaultEventKind::Injected => "injected",
            FaultEventKind::Cleared => "cleared",
            FaultEventKind::Expired => "its time is over",
        };
        let detail = format!("fault {}, {}: {how}", event.fault.id, event.fault.kind);
        if event.fault.clusters.is_empty() {
            timeline.push(kind, None, detail.clone());
        }
        for cluster in &event.fault.clusters {
            timeline.push(kind, Some(cluster), detail.clone());
        }
    }
}

struct Maker {
    index: Index,
    kinds: Kinds,
    plane: Arc<Plane>,
    faults: Faults,
    live: LiveStats,
    /// Queries each server had answered when it was last looked at.
    answered: BTreeMap<String, (Instant, u64)>,
    history: serve::History,
}

impl Maker {
    fn first(&self) -> State {
        let servers = self.plane.dns.iter().map(|role| server(role, 0.0)).collect();
        self.document(servers)
    }

    async fn run(mut self, shared: &ArcSwap<State>, document: &watch::Sender<Arc<str>>) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let plane = self.plane.clone();
            let servers = plane
                .dns
                .iter()
                .map(|role| self.with_rate(server(role, 0.0)))
                .collect();
            let state = self.document(servers);
            if document.receiver_count() > 0
                && let Ok(text) = serde_json::to_string(&state)
            {
                document.send_replace(Arc::from(text));
            }
            self.history.push(&state);
            shared.store(Arc::new(state));
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "stamps the document and times its rates"
    )]
    fn with_rate(&mut self, mut server: DnsServer) -> DnsServer {
        let now = Instant::now();
        if let Some((at, queries)) = self.answered.insert(server.server.clone(), (now, server.queries)) {
            let elapsed_s = now.duration_since(at).as_secs_f64().max(0.001);
            let answered = u32::try_from(server.queries.saturating_sub(queries)).unwrap_or(u32::MAX);
            server.qps = f64::from(answered) / elapsed_s;
        }
        server
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "stamps the document and times its rates"
    )]
    fn document(&self, dns: Vec<DnsServer>) -> State {
        let now = Instant::now();
        let active = self.faults.active();
        let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for fault in &active {
            for cluster in &fault.clusters {
                faults
                    .entry(cluster.clone())
                    .or_default()
                    .push(fault.kind.to_string());
            }
        }
        let mut state = view::state(Known {
            now: jiff::Timestamp::now(),
            up_ms: self.plane.timeline.up_ms(),
            index: &self.index,
            kinds: &self.kinds,
            verdicts: &self.plane.verdicts(),
            controller: &self.plane.controller(),
            names: self.names(),
            dns,
            faults,
            demo: true,
        });
        state.faults = Some(active.iter().map(|fault| json!(fault.view(now))).collect());
        state.users = Some(self.users());
        state
    }

    /// Every name that is served or declared, with what each server would answer; zone and policy from the
    /// TrafficPolicy that speaks for it.
    fn names(&self) -> Vec<Name> {
        let mut names: BTreeMap<String, Name> = declared::names(&self.index, &self.kinds)
            .into_iter()
            .filter_map(|(name, policies)| Some((name.clone(), declared_name(name, policies.first()?))))
            .collect();
        for role in &self.plane.dns {
            for shares in role
                .server
                .shares()
                .into_iter()
                .filter(|shares| shares.kind == "A")
            {
                let name = declared::canonical(&shares.name);
                let entry = names.entry(name.clone()).or_insert_with(|| Name {
                    name,
                    zone: String::new(),
                    ttl: 0,
                    policy: String::new(),
                    condition: None,
                    servers: Vec::new(),
                });
                entry.ttl = shares.ttl;
                let answers = shares
                    .answers
                    .into_iter()
                    .map(|answer| Share {
                        cluster: answer.cluster,
                        addresses: answer.addresses.iter().map(ToString::to_string).collect(),
                        share: answer.share,
                    })
                    .collect();
                entry.servers.push(NameAtServer {
                    server: role.name.clone(),
                    address: role.address.to_string(),
                    panic: shares.panic,
                    answers,
                });
            }
        }
        names.into_values().collect()
    }

    fn users(&self) -> serde_json::Value {
        let live = self.live.snapshot();
        let probes: BTreeMap<&str, serde_json::Value> = self
            .plane
            .dns
            .iter()
            .zip(&live.dns)
            .map(|(role, dns)| {
                let (mean, slowest) = (dns.latency_us as f64 / 1000.0, dns.latency_max_us as f64 / 1000.0);
                let probe =
                    json!({ "qps": dns.qps, "noAnswer": dns.no_answer, "meanMs": mean, "maxMs": slowest });
                (role.name.as_str(), probe)
            })
            .collect();
        json!({
            "okPerSecond": live.users.ok_per_s, "failedPerSecond": live.users.failed_per_s,
            "ok": live.users.requests.saturating_sub(live.users.failed), "failed": live.users.failed,
            "probes": probes,
        })
    }
}

/// A name as its policy has it, before any server is asked.
fn declared_name(name: String, declared: &Declared) -> Name {
    let spec = &declared.object["spec"];
    let steps = spec["steer"].as_array();
    let step = steps.and_then(|steps| steps.last()?.as_object()?.keys().next().cloned());
    Name {
        name,
        zone: spec["zone"].as_str().unwrap_or_default().to_owned(),
        ttl: spec["ttl"]
            .as_u64()
            .and_then(|ttl| u32::try_from(ttl).ok())
            .unwrap_or(0),
        policy: step.unwrap_or_default(),
        condition: declared.condition.clone(),
        servers: Vec::new(),
    }
}

fn server(role: &DnsRole, qps: f64) -> DnsServer {
    let status = role.server.status();
    let count = |wanted: Option<Rcode>| -> u64 {
        let matching = status
            .queries
            .iter()
            .filter(|query| wanted.is_none_or(|rcode| query.rcode == rcode));
        matching.map(|query| query.count).sum()
    };
    let source = match status.source {
        PlanSource::None => "none",
        PlanSource::LastKnownGood => "last-known-good",
        PlanSource::Plan => "plan",
    };
    let stamp = status
        .stamp
        .as_ref()
        .map(|stamp| (stamp.epoch, stamp.seq))
        .unwrap_or_default();
    let view = role.consumer.view();
    let verdicts = view
        .clusters()
        .into_iter()
        .filter_map(|cluster| {
            let cell = view.better_family(cluster, lifeboat_health::Path::Traffic)?;
            Some((cluster.to_owned(), cell.current().to_string()))
        })
        .collect();
    DnsServer {
        server: role.name.clone(),
        address: role.address.to_string(),
        ready: status.ready,
        source: source.to_owned(),
        epoch: stamp.0,
        seq: stamp.1,
        qps,
        queries: count(None),
        nxdomain: count(Some(Rcode::NxDomain)),
        servfail: count(Some(Rcode::ServFail)),
        verdicts,
        held_back: view::held_back(&role.server.gates()),
    }
}
