//! From the index to what the compiler reads. An object that cannot be read is left out with the reason;
//! nothing else stops for it.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_dns::{NameServerInput, OnAllDown, RecordInput, SoaInput, ZoneInput};
use serde_json::Value;

use super::compile::{
    ClusterEdge, ObjectKey, PolicyView, Ready, WorkloadKey, WorkloadView, ZoneView, input::INGRESS_ADDRESSES,
};
use crate::{
    api::{self, ViewError, validate::Validate, view},
    controller::{Kinds, reader},
    store::{Index, annotation, name, namespace, pointer_str},
};

/// What the index says about names, and what of it could not be read: (object, message).
#[derive(Default)]
pub struct Picture {
    pub zones: Vec<ZoneView>,
    pub policies: Vec<PolicyView>,
    pub workloads: BTreeMap<WorkloadKey, WorkloadView>,
    pub clusters: BTreeMap<String, ClusterEdge>,
    pub unreadable: Vec<(ObjectKey, String)>,
}

/// Reads everything. `fresh` are the members whose statuses were read since their control path came back.
pub fn picture(index: &Index, kinds: &Kinds, fresh: &BTreeSet<String>) -> Picture {
    let mut picture = Picture::default();
    for object in index.list(&kinds.zone) {
        match view::<api::Zone>(&object) {
            Ok(zone) => picture.zones.push(self::zone(&object, &zone)),
            Err(error) => picture.refuse(&object, &error),
        }
    }
    for object in index.list(&kinds.traffic_policy) {
        match view::<api::TrafficPolicy>(&object) {
            Ok(policy) => {
                let errors: Vec<String> = policy.spec.validate().iter().map(ToString::to_string).collect();
                let mut view = self::policy(&object, &policy);
                view.invalid = (!errors.is_empty()).then(|| errors.join("; "));
                picture.policies.push(view);
            }
            // Its name stays declared, so that what was served under it goes on being served.
            Err(error) => picture.policies.push(unreadable(&object, &error)),
        }
    }
    for object in index.list(&kinds.cluster) {
        match ClusterEdge::parse(annotation(&object, INGRESS_ADDRESSES).unwrap_or("")) {
            Ok(edge) => {
                picture.clusters.insert(name(&object).to_owned(), edge);
            }
            Err(message) => picture.unreadable.push((object_key(&object), message)),
        }
    }
    for kind in [&kinds.binding, &kinds.cluster_binding] {
        for object in index.list(kind) {
            if let Some((key, workload)) = workload(&object, fresh) {
                picture.workloads.insert(key, workload);
            }
        }
    }
    picture
}

impl Picture {
    fn refuse(&mut self, object: &Value, error: &ViewError) {
        self.unreadable.push((object_key(object), error.to_string()));
    }
}

fn object_key(object: &Value) -> ObjectKey {
    ObjectKey {
        kind: object["kind"].as_str().unwrap_or_default().to_owned(),
        namespace: Some(namespace(object))
            .filter(|namespace| !namespace.is_empty())
            .map(str::to_owned),
        name: name(object).to_owned(),
    }
}

fn created(object: &Value) -> i64 {
    pointer_str(object, "/metadata/creationTimestamp")
        .parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_second)
}

fn zone(object: &Value, zone: &api::Zone) -> ZoneView {
    let spec = &zone.spec;
    let ttl = spec
        .ttl
        .unwrap_or(api::lifeboat::TrafficPolicySpec::DEFAULT_TTL_SECONDS);
    let soa = &spec.soa;
    ZoneView {
        object: object_key(object),
        created: created(object),
        zone: ZoneInput {
            name: name(object).to_owned(),
            soa: SoaInput {
                mname: soa.mname.clone(),
                rname: soa.rname.clone(),
                refresh: soa.refresh,
                retry: soa.retry,
                expire: soa.expire,
                minimum: soa.minimum,
            },
            ttl,
            name_servers: spec
                .name_servers
                .iter()
                .map(|server| NameServerInput {
                    name: server.name.clone(),
                    addresses: server.addresses.clone(),
                })
                .collect(),
            records: spec
                .records
                .iter()
                .map(|record| RecordInput {
                    name: record.name.clone(),
                    ttl: record.ttl,
                    kind: record.kind.clone(),
                    data: record.data.clone(),
                })
                .collect(),
        },
    }
}

pub(crate) fn policy(object: &Value, policy: &api::TrafficPolicy) -> PolicyView {
    let spec = &policy.spec;
    let namespace = namespace(object).to_owned();
    // A service without a workload is backed by the Deployment of its name, as is the custom.
    let workload = spec.workload.as_ref().map_or_else(
        || WorkloadKey {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: namespace.clone(),
            name: spec
                .service
                .as_ref()
                .map_or_else(|| name(object).to_owned(), |service| service.name.clone()),
        },
        |workload| WorkloadKey {
            api_version: workload.api_version.clone(),
            kind: workload.kind.clone(),
            namespace: namespace.clone(),
            name: workload.name.clone(),
        },
    );
    PolicyView {
        object: object_key(object),
        created: created(object),
        name: spec.name.clone(),
        zone: spec.zone.clone(),
        ttl: spec.ttl_seconds(),
        steer: spec.steer.clone(),
        on_all_down: spec.when_all_down(),
        degraded_ttl: spec.degraded_ttl,
        weights: spec.weights.clone(),
        https: spec.https.clone(),
        svcb: spec.svcb.clone(),
        workload,
        service: spec.service.as_ref().map(|service| WorkloadKey {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace,
            name: service.name.clone(),
        }),
        invalid: None,
    }
}

/// A policy of which only the name can be told.
fn unreadable(object: &Value, error: &ViewError) -> PolicyView {
    let text = |pointer: &str| pointer_str(object, pointer).to_owned();
    let namespace = namespace(object).to_owned();
    PolicyView {
        object: object_key(object),
        created: created(object),
        name: text("/spec/name"),
        zone: text("/spec/zone"),
        ttl: api::lifeboat::TrafficPolicySpec::DEFAULT_TTL_SECONDS,
        steer: Vec::new(),
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        weights: BTreeMap::new(),
        https: None,
        svcb: None,
        workload: WorkloadKey {
            api_version: String::new(),
            kind: String::new(),
            namespace,
            name: String::new(),
        },
        service: None,
        invalid: Some(error.to_string()),
    }
}

fn workload(binding: &Value, fresh: &BTreeSet<String>) -> Option<(WorkloadKey, WorkloadView)> {
    let resource = binding.pointer("/spec/resource")?;
    let text = |field: &str| resource[field].as_str().unwrap_or_default().to_owned();
    let key = WorkloadKey {
        api_version: text("apiVersion"),
        kind: text("kind"),
        namespace: text("namespace"),
        name: text("name"),
    };
    let list = |pointer: &str| {
        let items = binding.pointer(pointer).and_then(Value::as_array);
        items.into_iter().flatten()
    };
    let named = |item: &Value, field: &str| Some(item[field].as_str()?.to_owned());
    let clusters: BTreeSet<String> = list("/spec/clusters").filter_map(|c| named(c, "name")).collect();
    let required = list("/spec/requiredBy")
        .flat_map(|by| by["clusters"].as_array().into_iter().flatten())
        .filter_map(|c| named(c, "name"));
    let leaving = list("/spec/gracefulEvictionTasks").filter_map(|task| named(task, "fromCluster"));
    let present = required.chain(leaving).chain(clusters.iter().cloned()).collect();
    let ready = reader::ready(binding, true)
        .into_iter()
        .map(|(cluster, replicas)| {
            let fresh = fresh.contains(&cluster);
            (cluster, Ready { replicas, fresh })
        })
        .collect();
    Some((
        key,
        WorkloadView {
            clusters,
            present,
            ready,
            movement: reader::movement(binding),
        },
    ))
}
