//! From what is known to the [`State`] document. Pure.

pub mod declared;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lifeboat_dns::GateView;
use lifeboat_health::{Cell, Consumer, Family, FleetView, Gray, Path, ProfilePatch, Witness};
use serde::Serialize;
use serde_json::Value;

use super::state::{
    Binding, BindingCluster, Capacity, Cluster, Condition, DnsServer, Evicting, Fleet, GrayPath, HeldBack,
    Hold, Name, NoTarget, Observer, PartialPath, PathFromRegion, PathLosses, PathState, Replicas, Standing,
    State, Votes,
};
use crate::{
    api::quantity::Nanos,
    controller::{Kinds, Status, reader},
    failover::{HoldNotice, NoFeasibleTarget},
    propagate::dependencies,
    steer::compile::input::INGRESS_ADDRESSES,
    store::{Index, annotation, name, namespace, pointer_str},
    timeline::Evidence,
};

/// Everything the document is made from.
pub struct Known<'a> {
    pub now: jiff::Timestamp,
    pub up_ms: u64,
    pub index: &'a Index,
    pub kinds: &'a Kinds,
    pub verdicts: &'a FleetView,
    pub controller: &'a Status,
    pub dns: Vec<DnsServer>,
    pub names: Vec<Name>,
    /// Kinds of the faults in force by cluster; empty outside the demo.
    pub faults: BTreeMap<String, Vec<String>>,
    pub demo: bool,
}

pub fn state(known: Known<'_>) -> State {
    let Known {
        now,
        up_ms,
        index,
        kinds,
        verdicts,
        controller,
        dns,
        names,
        faults,
        demo,
    } = known;
    let stale = |cluster: &str| !controller.fresh.contains(cluster);
    let bindings: Vec<Binding> = [&kinds.binding, &kinds.cluster_binding]
        .into_iter()
        .flat_map(|kind| index.list(kind))
        .map(|object| binding(&object, stale))
        .collect();
    let held_back = merged(dns.iter().map(|server| server.held_back.clone()));
    let clusters = index
        .list(&kinds.cluster)
        .iter()
        .map(|object| {
            cluster(
                object,
                verdicts,
                &held_back,
                &bindings,
                stale,
                faults.get(name(object)).cloned().unwrap_or_default(),
            )
        })
        .collect();
    let objects = index.list(&kinds.observer);
    let listed = objects
        .iter()
        .map(|object| (name(object), pointer_str(object, "/spec/region")));
    let stamp = dns
        .iter()
        .map(|server| (server.epoch, server.seq))
        .max()
        .unwrap_or_default();
    State {
        now,
        up_ms,
        fleet: Fleet {
            uid: controller.fleet_uid.clone(),
            epoch: stamp.0.max(controller.epoch),
            seq: stamp.1,
            controller: if controller.running { "running" } else { "down" }.to_owned(),
            freeze: controller.freeze,
            panic: names.iter().any(|name| name.servers.iter().any(|at| at.panic)),
            demo,
            hold_ms: u64::try_from(controller.hold.as_millis()).unwrap_or(u64::MAX),
        },
        clusters,
        names,
        dns,
        bindings,
        observers: observers(verdicts, listed),
        holds: controller.holds.iter().map(hold).collect(),
        no_target: controller.no_target.iter().map(no_target).collect(),
        standing: controller.running.then(|| standing(controller)),
        users: None,
        faults: None,
    }
}

/// Those that were heard, and those that are listed, with their regions, and were not.
pub(crate) fn observers<'a>(
    verdicts: &FleetView,
    listed: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<Observer> {
    let heard = verdicts.observers.iter().map(|observer| Observer {
        name: observer.name.clone(),
        region: observer.region.clone(),
        fresh: observer.fresh,
        abstaining: observer.abstaining,
        age_ms: (observer.datagrams > 0).then_some(observer.age_ms.into()),
        probes_otherwise: observer.probes_otherwise.clone(),
    });
    let unheard = |(name, _): &(&str, &str)| verdicts.observers.iter().all(|heard| heard.name != *name);
    let never = listed.filter(unheard).map(|(name, region)| Observer {
        name: name.to_owned(),
        region: region.to_owned(),
        fresh: false,
        abstaining: false,
        age_ms: None,
        probes_otherwise: None,
    });
    heard.chain(never).collect()
}

fn hold(notice: &HoldNotice) -> Hold {
    Hold {
        subject: notice.subject.clone(),
        reason: notice.reason.to_string(),
        message: notice.message.clone(),
        remaining_ms: notice
            .remaining
            .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn no_target(none: &NoFeasibleTarget) -> NoTarget {
    NoTarget {
        binding: none.binding.to_string(),
        clusters: none.clusters.clone(),
        short_replicas: none.short_replicas,
        message: none.message.clone(),
    }
}

fn standing(controller: &Status) -> Vec<Standing> {
    controller
        .standing
        .iter()
        .map(|(cluster, plan)| Standing {
            if_lost: cluster.clone(),
            moves: plan.replicas_moved,
            short_replicas: plan.short_replicas,
            estimated_seconds: plan.estimated_seconds,
            feasible: plan.feasible,
        })
        .collect()
}

fn cluster(
    object: &Value,
    verdicts: &FleetView,
    held_back: &BTreeMap<String, HeldBack>,
    bindings: &[Binding],
    stale: impl Fn(&str) -> bool,
    faults: Vec<String>,
) -> Cluster {
    let name = name(object);
    let text = |pointer: &str| pointer_str(object, pointer).to_owned();
    let texts = |pointer: &str| {
        let items = object.pointer(pointer).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect::<Vec<_>>()
    };
    let vips = annotation(object, INGRESS_ADDRESSES).unwrap_or_default();
    let here = bindings
        .iter()
        .flat_map(|binding| &binding.clusters)
        .filter(|cluster| cluster.name == name);
    let replicas = Replicas {
        stale: stale(name),
        ..Replicas::default()
    };
    let replicas = here.fold(replicas, |sum, cluster| Replicas {
        assigned: sum.assigned + cluster.replicas,
        ready: sum.ready + cluster.ready,
        stale: sum.stale,
    });
    let conditions = object.pointer("/status/conditions").cloned().unwrap_or_default();
    let taints = object.pointer("/spec/taints").and_then(Value::as_array);
    let taint = |taint: &Value| {
        let field = |field: &str| taint[field].as_str().unwrap_or_default().to_owned();
        format!("{}:{}", field("key"), field("effect"))
    };
    let (traffic, control) = paths(verdicts, held_back, name);
    Cluster {
        name: name.to_owned(),
        provider: text("/spec/provider"),
        region: text("/spec/region"),
        zones: texts("/spec/zones"),
        vips: vips
            .split(',')
            .map(str::trim)
            .filter(|vip| !vip.is_empty())
            .map(str::to_owned)
            .collect(),
        traffic,
        control,
        detection: detection(verdicts, name),
        replicas,
        capacity: capacity(object),
        conditions: serde_json::from_value::<Vec<Condition>>(conditions).unwrap_or_default(),
        taints: taints.into_iter().flatten().map(taint).collect(),
        faults,
    }
}

/// What several servers hold back; of one cluster, what lasts longest.
pub fn merged(each: impl IntoIterator<Item = BTreeMap<String, HeldBack>>) -> BTreeMap<String, HeldBack> {
    let mut merged: BTreeMap<String, HeldBack> = BTreeMap::new();
    for (cluster, held_back) in each.into_iter().flatten() {
        let longest = merged.entry(cluster).or_insert(held_back);
        if longest.until < held_back.until {
            *longest = held_back;
        }
    }
    merged
}

/// The clusters that a server holds back, in the better of their families.
pub fn held_back(gates: &[GateView]) -> BTreeMap<String, HeldBack> {
    let open = |cluster: &str| {
        let mut own = gates.iter().filter(|gate| gate.cluster == cluster);
        own.any(|gate| gate.held_back.is_none())
    };
    gates
        .iter()
        .filter(|gate| !open(&gate.cluster))
        .filter_map(|gate| {
            let held_back = gate.held_back?;
            let until = jiff::Timestamp::try_from(held_back.until).ok()?;
            let downs = held_back.downs;
            Some((gate.cluster.clone(), HeldBack { downs, until }))
        })
        .collect()
}

/// What each observer sees of one path of a cluster now.
#[derive(Debug, Serialize)]
pub struct SeenNow {
    pub path: String,
    pub family: String,
    pub evidence: Vec<Evidence>,
}

/// As a consumer of evidence has it.
pub(crate) fn seen_now(consumer: &Consumer, cluster: &str) -> Vec<SeenNow> {
    let of = |(path, family, evidence): (Path, Family, Vec<Witness>)| SeenNow {
        path: path.to_string(),
        family: family.to_string(),
        evidence: evidence.iter().map(Evidence::from).collect(),
    };
    consumer.witnesses(cluster).into_iter().map(of).collect()
}

/// Traffic, control. Who is held back is decided by the DNS servers; `verdicts` may be another's, and younger.
pub(crate) fn paths(
    verdicts: &FleetView,
    held_back: &BTreeMap<String, HeldBack>,
    cluster: &str,
) -> (PathState, PathState) {
    let held_back = held_back.get(cluster).copied();
    let traffic = PathState {
        suppressed: held_back.is_some(),
        held_back,
        ..path(verdicts, cluster, Path::Traffic)
    };
    (traffic, path(verdicts, cluster, Path::Control))
}

/// As Cluster objects have it, all targets of a cluster have the same override.
pub(crate) fn detection(verdicts: &FleetView, cluster: &str) -> Option<ProfilePatch> {
    let mut cells = [Path::Traffic, Path::Control]
        .into_iter()
        .filter_map(|path| verdicts.better_family(cluster, path));
    cells.find_map(|cell| cell.detection.as_deref().cloned())
}

fn path(verdicts: &FleetView, cluster: &str, path: Path) -> PathState {
    let unknown = Cell::default();
    let probed = verdicts.better_family(cluster, path);
    let cell = probed.unwrap_or(&unknown);
    let age_ms = |since| u64::try_from(verdicts.at.saturating_since(since).as_millis()).unwrap_or(u64::MAX);
    PathState {
        probed: probed.is_some(),
        verdict: cell.current().to_string(),
        last_verdict: cell.verdict.to_string(),
        frozen: cell.frozen,
        since_ms: age_ms(cell.since),
        votes: votes(&cell.votes),
        rtt_ms: cell.rtt_ms,
        suppressed: cell.suppressed,
        held_back: None,
        gray: (cell.gray.degree > Gray::None).then(|| GrayPath {
            degree: cell.gray.degree.to_string(),
            weight_percent: f64::from(cell.gray.factor_permille) / 10.0,
            reason: cell.gray.reason.clone(),
        }),
        regions: cell
            .regions
            .iter()
            .map(|view| PathFromRegion {
                region: view.region.clone(),
                reach: view.reach.to_string(),
                votes: votes(&view.votes),
            })
            .collect(),
        partial: verdicts.partial_outage(cluster, path).map(|outage| PartialPath {
            since_ms: age_ms(outage.since),
            reached: outage.reached.clone(),
            not_reached: outage.not_reached.clone(),
        }),
        losses: cell
            .losses
            .filter(|estimate| estimate.bursts > 0.0)
            .map(|estimate| PathLosses {
                percent: estimate.share * 100.0,
                burst: estimate.burst,
                correlation: estimate.correlation,
                recurrence_hours: estimate.recurrence_s.map(|seconds| seconds / 3_600.0),
                wanted_hours: estimate.wanted_s / 3_600.0,
            }),
    }
}

fn votes(votes: &lifeboat_health::Votes) -> Votes {
    let lifeboat_health::Votes {
        clear,
        suspect,
        dead,
        abstain,
    } = *votes;
    Votes {
        clear,
        suspect,
        dead,
        abstain,
    }
}

fn capacity(object: &Value) -> Capacity {
    let amount = |part: &str, resource: &str| {
        let text = object
            .pointer(&format!("/status/resourceSummary/{part}/{resource}"))
            .and_then(Value::as_str);
        text.and_then(|text| Nanos::parse(text).ok()).unwrap_or_default()
    };
    Capacity {
        cpu_millis: amount("allocatable", "cpu").milli_value(),
        cpu_used_millis: amount("allocated", "cpu").milli_value(),
        memory_bytes: amount("allocatable", "memory").value(),
        memory_used_bytes: amount("allocated", "memory").value(),
        pods: amount("allocatable", "pods").value(),
        pods_used: amount("allocated", "pods").value(),
    }
}

pub(super) fn binding(object: &Value, stale: impl Fn(&str) -> bool) -> Binding {
    let text = |pointer: &str| pointer_str(object, pointer).to_owned();
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let wanted = object.pointer("/spec/replicas").map_or(0, number);
    let workload = wanted > 0
        || object
            .pointer("/spec/replicaRequirements")
            .is_some_and(Value::is_object);
    let ready = reader::ready(object, workload);
    let placed = object
        .pointer("/spec/clusters")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut places: BTreeMap<&str, i64> = dependencies::clusters(object)
        .into_iter()
        .map(|cluster| (cluster, 0))
        .collect();
    let placed = placed.iter();
    places.extend(placed.filter_map(|at| Some((at["name"].as_str()?, number(&at["replicas"])))));
    let applied = object
        .pointer("/status/aggregatedStatus")
        .and_then(Value::as_array);
    let refused: BTreeMap<&str, &str> = applied
        .into_iter()
        .flatten()
        .filter(|item| item["applied"] == Value::Bool(false))
        .filter_map(|item| Some((item["clusterName"].as_str()?, item["appliedMessage"].as_str()?)))
        .collect();
    let clusters: Vec<BindingCluster> = places
        .into_iter()
        .map(|(name, replicas)| {
            let message = refused.get(name).copied().unwrap_or_default().to_owned();
            let name = name.to_owned();
            BindingCluster {
                replicas,
                message,
                ready: ready
                    .get(&name)
                    .copied()
                    .filter(|_| workload)
                    .map_or(0, i64::from),
                stale: stale(&name),
                name,
            }
        })
        .collect();
    let tasks = object
        .pointer("/spec/gracefulEvictionTasks")
        .and_then(Value::as_array)
        .cloned();
    let task = |task: &Value| {
        let field = |field: &str| task[field].as_str().unwrap_or_default().to_owned();
        Evicting {
            cluster: field("fromCluster"),
            reason: field("reason"),
            since: field("creationTimestamp"),
        }
    };
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let scheduled = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Scheduled");
    let unscheduled = scheduled.filter(|condition| condition["status"] != "True");
    Binding {
        namespace: namespace(object).to_owned(),
        name: name(object).to_owned(),
        kind: text("/spec/resource/kind"),
        template: text("/spec/resource/name"),
        workload,
        replicas: clusters.iter().map(|cluster| cluster.replicas).sum::<i64>(),
        ready: clusters.iter().map(|cluster| cluster.ready).sum(),
        stale: clusters
            .iter()
            .any(|cluster| cluster.stale && cluster.replicas > 0),
        clusters,
        evicting: tasks.unwrap_or_default().iter().map(task).collect(),
        scheduled: dependencies::is_attached(object) || scheduled.is_some() && unscheduled.is_none(),
        message: unscheduled
            .and_then(|condition| condition["message"].as_str())
            .unwrap_or_default()
            .to_owned(),
    }
}
