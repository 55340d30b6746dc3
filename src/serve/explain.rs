//! Why a binding's replicas are where they are, and what the loss of a cluster would do to it. Pure.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use lifeboat_health::FleetView;
use serde::Serialize;
use serde_json::Value;

use super::{
    Refusal,
    state::{Binding, HeldBack, PathState},
    view,
};
use crate::{
    api::TargetCluster,
    controller::{Kinds, Status, reader},
    failover::{HoldNotice, Movement, NoFeasibleTarget, Standing, executor::HOME},
    propagate::dependencies,
    store::{Index, Key, annotation, name, namespace},
    timeline::Entry,
};

/// Names told to someone who asks for a binding that does not exist.
const KNOWN: usize = 20;

/// Everything an explanation is made from.
pub struct Known<'a> {
    pub index: &'a Index,
    pub kinds: &'a Kinds,
    pub verdicts: &'a FleetView,
    /// Clusters that DNS holds back for flapping.
    pub held_back: &'a BTreeMap<String, HeldBack>,
    pub controller: &'a Status,
    /// The whole timeline, oldest first.
    pub entries: Vec<Entry>,
    /// The plan for the loss of a cluster now; none while the controller is down.
    pub if_lost: &'a dyn Fn(&str) -> Option<Standing>,
}

/// `GET /api/explain/binding/[NAMESPACE/]NAME`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingExplanation {
    /// As in `GET /api/bindings`.
    pub binding: Binding,
    /// The policy that placed it, with its kind; none where nothing says.
    pub policy: Option<String>,
    /// The bindings it follows, because their objects need its object (`propagateDeps`).
    pub required_by: Vec<String>,
    /// The policy's `placement`, as the binding holds it.
    pub placement: Value,
    /// Verdicts of every cluster it is in, leaves, or has its home in.
    pub clusters: Vec<Verdicts>,
    /// Where it was before the first eviction; empty while it is at home.
    pub home: Vec<TargetCluster>,
    /// The planned move home under way.
    pub movement: Option<Movement>,
    /// Why something is not done to it, or not yet: its own, its clusters' and the fleet's.
    pub holds: Vec<HoldNotice>,
    pub no_target: Vec<NoFeasibleTarget>,
    /// For each cluster it is in; empty while the controller is down.
    pub if_lost: Vec<IfLost>,
    /// What the timeline tells of it.
    pub history: Vec<Entry>,
}

#[derive(Debug, Serialize)]
pub struct Verdicts {
    pub name: String,
    pub traffic: PathState,
    pub control: PathState,
}

/// What the loss of one cluster would do to the binding.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IfLost {
    pub if_lost: String,
    /// That loss would stop every eviction.
    pub freeze: bool,
    pub from: Vec<TargetCluster>,
    pub to: Vec<TargetCluster>,
    pub message: String,
}

/// Explains the binding named `NAMESPACE/NAME`, or `NAME` where that names one only.
///
/// # Errors
/// No binding has this name, or several have.
pub fn binding(known: Known<'_>, asked: &str) -> Result<BindingExplanation, Refusal> {
    let Known {
        index,
        kinds,
        verdicts,
        held_back,
        controller,
        entries,
        if_lost,
    } = known;
    let (id, object) = find(index, kinds, asked)?;
    let binding = view::binding(&object, |cluster| !controller.fresh.contains(cluster));
    let home: Vec<TargetCluster> = annotation(&object, HOME)
        .and_then(|stored| serde_json::from_str(stored).ok())
        .unwrap_or_default();
    let mut concerned: Vec<&str> = binding
        .clusters
        .iter()
        .map(|cluster| cluster.name.as_str())
        .chain(binding.evicting.iter().map(|task| task.cluster.as_str()))
        .chain(home.iter().map(|cluster| cluster.name.as_str()))
        .collect();
    concerned.sort_unstable();
    concerned.dedup();
    let concerns = |hold: &&HoldNotice| {
        hold.subject == id || hold.subject == "fleet" || concerned.contains(&hold.subject.as_str())
    };
    Ok(BindingExplanation {
        policy: policy(&object),
        required_by: dependencies::required_by(&object),
        placement: object.pointer("/spec/placement").cloned().unwrap_or_default(),
        clusters: concerned
            .iter()
            .map(|cluster| {
                let (traffic, control) = view::paths(verdicts, held_back, cluster);
                Verdicts {
                    name: (*cluster).to_owned(),
                    traffic,
                    control,
                }
            })
            .collect(),
        movement: reader::movement(&object),
        holds: controller.holds.iter().filter(concerns).cloned().collect(),
        no_target: controller
            .no_target
            .iter()
            .filter(|none| none.binding.to_string() == id)
            .cloned()
            .collect(),
        if_lost: losses(&id, &binding, if_lost),
        // The timeline's entries about a binding begin with its name.
        history: entries
            .into_iter()
            .filter(|entry| {
                entry
                    .detail
                    .strip_prefix(&id)
                    .is_some_and(|rest| rest.starts_with(':'))
            })
            .collect(),
        home,
        binding,
    })
}

/// The binding and its full name.
fn find(index: &Index, kinds: &Kinds, asked: &str) -> Result<(String, Arc<Value>), Refusal> {
    if let Some((namespace, name)) = asked.split_once('/') {
        return match index.get(&kinds.binding, &Key::new(namespace, name)) {
            Some(object) => Ok((asked.to_owned(), object)),
            None => Err(unknown(index, kinds, asked)),
        };
    }
    let all = [&kinds.cluster_binding, &kinds.binding]
        .into_iter()
        .flat_map(|kind| index.list(kind));
    let mut named: Vec<_> = all
        .filter(|object| name(object) == asked)
        .map(|object| (full_name(&object), object))
        .collect();
    match (named.pop(), named.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some((last, _)), false) => {
            let names = named.iter().map(|(id, _)| id.as_str()).chain([last.as_str()]);
            Err(Refusal::Invalid(format!(
                "binding {asked:?}: several have this name; say which: {}",
                names.collect::<Vec<_>>().join(", ")
            )))
        }
        (None, _) => Err(unknown(index, kinds, asked)),
    }
}

fn unknown(index: &Index, kinds: &Kinds, asked: &str) -> Refusal {
    let mut names: Vec<String> = [&kinds.binding, &kinds.cluster_binding]
        .into_iter()
        .flat_map(|kind| index.list(kind))
        .map(|object| full_name(&object))
        .collect();
    let more = names.len().saturating_sub(KNOWN);
    names.truncate(KNOWN);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    Refusal::Unknown(format!(
        "binding {asked:?} is not known; known: {}",
        names.join(", ")
    ))
}

/// As plans and the timeline write it.
fn full_name(object: &Value) -> String {
    match namespace(object) {
        "" => name(object).to_owned(),
        namespace => format!("{namespace}/{}", name(object)),
    }
}

fn policy(object: &Value) -> Option<String> {
    if let Some(name) = annotation(object, "propagationpolicy.karmada.io/name") {
        let stated = annotation(object, "propagationpolicy.karmada.io/namespace");
        let own = namespace(object);
        return Some(format!("PropagationPolicy {}/{name}", stated.unwrap_or(own)));
    }
    annotation(object, "clusterpropagationpolicy.karmada.io/name")
        .map(|name| format!("ClusterPropagationPolicy {name}"))
}

fn losses(id: &str, binding: &Binding, if_lost: &dyn Fn(&str) -> Option<Standing>) -> Vec<IfLost> {
    let loss = |cluster: &str| {
        let plan = if_lost(cluster)?;
        let step = plan.by_binding.into_iter().find(|step| step.binding == id);
        let stays = if binding.workload {
            "stays as it is"
        } else {
            "stays, and follows its workload where that goes"
        };
        let (from, to, message) = step.map_or_else(
            || (Vec::new(), Vec::new(), stays.to_owned()),
            |step| (step.from, step.to, step.message),
        );
        Some(IfLost {
            if_lost: cluster.to_owned(),
            freeze: plan.freeze,
            from,
            to,
            message,
        })
    };
    binding
        .clusters
        .iter()
        .filter_map(|cluster| loss(&cluster.name))
        .collect()
}
