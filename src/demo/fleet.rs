//! The simulated world: five members, the control plane's Kubernetes API, and what a platform team has in it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use kube::Config;
use lifeboat_chaos::{
    apiserver::{ApiServer, ApiServerConfig},
    drill::WorkloadRef,
    fault::Gate,
    member::{Fleet, FleetOptions, MemberCluster, SHOWCASE},
};
use serde_json::{Value, json};

use super::{
    Options,
    plane::{OBSERVERS, http},
};
use crate::{
    api,
    controller::Kinds,
    observe::targets::TRAFFIC_CHECK,
    steer::compile::input::INGRESS_ADDRESSES,
    store::{self, Index, Key, Kind, Op, Watches, Write, Writer},
};

/// Changes the control plane's API server keeps for watches to resume from.
const HISTORY: usize = 8192;
/// How often, and how long apart, an object is tried whose kind is not served yet.
const TRIES: u32 = 50;
const RETRY: Duration = Duration::from_millis(100);
/// Longest wait for the clusters to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The YAML users already have.
const ZONE: &str = include_str!("../../deploy/samples/zone.yaml");
const SAMPLES: [(&str, &str); 3] = [
    ("shop.yaml", include_str!("../../deploy/samples/shop.yaml")),
    ("catalog.yaml", include_str!("../../deploy/samples/catalog.yaml")),
    ("reports.yaml", include_str!("../../deploy/samples/reports.yaml")),
];

pub(super) struct DemoFleet {
    members: Fleet,
    control_plane: ApiServer,
    kubeconfig: PathBuf,
    member_kubeconfigs: Vec<(String, PathBuf)>,
    samples: Vec<Value>,
}

impl DemoFleet {
    pub(super) async fn start(options: &Options, folder: &Path) -> anyhow::Result<Self> {
        let control_plane = ApiServer::start(ApiServerConfig {
            name: "lifeboat".to_owned(),
            listen: options.api,
            gate: Gate::new(),
            history: HISTORY,
        })
        .await
        .with_context(|| format!("--api {}: starting the control plane's API server", options.api))?;
        let members = Fleet::showcase(&FleetOptions {
            pod_start_delay: options.pod_start,
            api_port: options.member_api_port,
            vip_port: options.vip_port,
            seed: options.seed,
            ..FleetOptions::default()
        })
        .await
        .context("--member-api-port, --vip-port: starting the member clusters")?;
        let write = |name: &str, content: String| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
            Ok(path)
        };
        let kubeconfig = write("kubeconfig", control_plane.kubeconfig())?;
        let member_kubeconfigs = members
            .members()
            .iter()
            .map(|member| {
                let file = format!("{}.kubeconfig", member.name());
                Ok((member.name().to_owned(), write(&file, member.api().kubeconfig())?))
            })
            .collect::<anyhow::Result<_>>()?;
        let mut samples = Vec::new();
        for (file, text) in SAMPLES.iter().filter(|_| options.samples) {
            samples.extend(documents(file, text)?);
        }
        Ok(Self {
            members,
            control_plane,
            kubeconfig,
            member_kubeconfigs,
            samples,
        })
    }

    pub(super) fn members(&self) -> &Fleet {
        &self.members
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(super) fn member_kubeconfigs(&self) -> &[(String, PathBuf)] {
        &self.member_kubeconfigs
    }

    pub(super) fn api(&self) -> SocketAddr {
        self.control_plane.addr()
    }

    /// The global names of the samples that were installed.
    pub(super) fn names(&self) -> Vec<String> {
        let policies = self
            .samples
            .iter()
            .filter(|object| object["kind"] == "TrafficPolicy");
        policies
            .filter_map(|policy| Some(policy.pointer("/spec/name")?.as_str()?.to_owned()))
            .collect()
    }

    /// The Deployments of the samples that were installed.
    pub(super) fn workloads(&self) -> Vec<WorkloadRef> {
        self.samples
            .iter()
            .filter(|object| object["kind"] == "Deployment")
            .map(|object| WorkloadRef {
                namespace: store::namespace(object).to_owned(),
                name: store::name(object).to_owned(),
            })
            .collect()
    }

    /// How the product's parts reach the control plane.
    pub(super) fn kube(&self) -> anyhow::Result<Config> {
        let url = format!("http://{}", self.control_plane.addr());
        Ok(Config::new(url.parse().context("the control plane's address")?))
    }

    /// Puts the custom resources, the clusters and the zone into the control plane.
    pub(super) async fn join(&self) -> anyhow::Result<()> {
        let client = store::connect(self.kube()?)?;
        let writer = Writer::new(client, Index::default());
        let kinds = Kinds::default();
        let crd = Kind::new(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        );
        for definition in api::crds() {
            apply(&writer, &crd, as_applied(serde_json::to_value(definition)?)).await?;
        }
        for member in self.members.members() {
            apply(&writer, &kinds.cluster, cluster(member)).await?;
        }
        for (name, region) in OBSERVERS {
            apply(&writer, &kinds.observer, observer(name, region)).await?;
        }
        for object in documents("zone.yaml", ZONE)? {
            apply(&writer, &kinds.zone, as_applied(object)).await?;
        }
        Ok(())
    }

    /// Applies the samples once every cluster is ready and known for what it serves: a workload is placed among
    /// the clusters that could take it at that moment.
    pub(super) async fn deploy_samples(&self) -> anyhow::Result<()> {
        let index = Index::default();
        let client = store::connect(self.kube()?)?;
        let kinds = Kinds::default();
        let watches = Watches::new(client.clone(), index.clone());
        watches.start(&kinds.cluster);
        let mut changes = index.subscribe();
        let all_ready = async {
            while index
                .list(&kinds.cluster)
                .iter()
                .filter(|cluster| ready(cluster))
                .count()
                < SHOWCASE.len()
            {
                // The sender lives in the index, so this cannot fail.
                let _changed = changes.changed().await;
            }
        };
        tokio::time::timeout(JOIN_TIMEOUT, all_ready)
            .await
            .with_context(|| format!("the clusters were not ready within {} s", JOIN_TIMEOUT.as_secs()))?;
        let writer = Writer::new(client, Index::default());
        for object in &self.samples {
            let kind = kind_of(&kinds, object)
                .with_context(|| format!("deploy/samples: {} is not expected there", object["kind"]))?;
            apply(&writer, &kind, as_applied(object.clone())).await?;
        }
        Ok(())
    }

    pub(super) async fn stop(self) {
        self.members.stop().await;
        self.control_plane.stop().await;
    }
}

/// The cluster's API answers and it has told what it serves and what it holds.
fn ready(cluster: &Value) -> bool {
    let conditions = cluster.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True");
    let told = |part: &str| cluster.pointer(part).is_some_and(|told| !told.is_null());
    ready && told("/status/apiEnablements") && told("/status/resourceSummary/allocatable")
}

/// The object as `kubectl apply` would leave it: somebody may apply the same file again.
fn as_applied(mut object: Value) -> Value {
    let text = format!("{object}\n");
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = text.into();
    object
}

/// Applies an object, waiting for a kind that was declared a moment ago to be served.
async fn apply(writer: &Writer, kind: &Kind, object: Value) -> anyhow::Result<()> {
    let write = Write {
        kind: kind.clone(),
        key: Key::of(&object),
        op: Op::Apply(object),
    };
    let mut tries = 0;
    loop {
        match writer.one(&write).await {
            Ok(store::Outcome::Done) => return Ok(()),
            Ok(outcome) if tries == TRIES => {
                anyhow::bail!("applying {} {}: {outcome:?}", write.kind.kind, write.key)
            }
            Err(error) if tries == TRIES => return Err(error.into()),
            Ok(_) | Err(_) => {
                tries += 1;
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn cluster(member: &MemberCluster) -> Value {
    let config = member.config();
    json!({
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {
            "name": config.name,
            "labels": { "provider": config.provider, "region": config.region },
            "annotations": {
                INGRESS_ADDRESSES: member.vip_addr().ip().to_string(),
                TRAFFIC_CHECK: json!(http(format!("http://{}/healthz", member.vip_addr()))).to_string(),
            },
        },
        "spec": {
            "syncMode": "Push",
            "apiEndpoint": format!("http://{}", member.api_addr()),
            "provider": config.provider,
            "region": config.region,
            "zones": config.zones,
        },
    })
}

fn observer(name: &str, region: &str) -> Value {
    json!({
        "apiVersion": "lifeboat.dev/v1alpha1",
        "kind": "Observer",
        "metadata": { "name": name },
        "spec": { "region": region },
    })
}

fn documents(file: &str, text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).with_context(|| format!("reading deploy/samples/{file}"))?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

fn kind_of(kinds: &Kinds, object: &Value) -> Option<Kind> {
    match object["kind"].as_str()? {
        "Deployment" => Some(Kind::new("apps/v1", "Deployment", "deployments", true)),
        "Service" => Some(Kind::new("v1", "Service", "services", true)),
        "PropagationPolicy" => Some(kinds.policy.clone()),
        "TrafficPolicy" => Some(kinds.traffic_policy.clone()),
        "FailoverPolicy" => Some(kinds.failover_policy.clone()),
        _ => None,
    }
}
