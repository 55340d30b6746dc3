//! Bindings, traffic policies and zones to one steering plan.
//!
//! ```text
//! claim   which policy may speak for which name, in which zone
//! weigh   candidate endpoints of a name, weighted by ready replicas
//! stamp   what changed since the previous plan, and what is taken away
//! ```
//! A live name is never emptied: where nothing can be said for it, it keeps the endpoints it had.
//! What is wrong with one object becomes a condition of that object and touches no other.
mod claim;
pub mod input;
mod stamp;
pub(super) mod weigh;

use std::collections::BTreeMap;

use lifeboat_dns::{Catalog, NameInput, Problem, SnapshotInput};
use serde::Serialize;

pub use input::{ClusterEdge, Input, ObjectKey, PolicyView, Ready, WorkloadKey, WorkloadView, ZoneView};

/// What one compilation gives.
#[derive(Clone, Debug)]
pub struct Output {
    pub plan: SnapshotInput,
    /// The plan differs from the previous one and is to be published.
    pub changed: bool,
    /// One for every TrafficPolicy and every Zone, in order of their keys.
    pub conditions: Vec<ObjectCondition>,
}

/// The `Ready` condition of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectCondition {
    pub object: ObjectKey,
    pub status: bool,
    pub reason: Reason,
    pub message: String,
}

/// The `reason` of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Reason {
    /// All is in the plan as it was asked for.
    Published,
    /// A field says something that is not allowed; what was served before stays.
    Invalid,
    InvalidName,
    InvalidTtl,
    ZoneNotFound,
    /// Another object declared it first.
    ZoneTaken,
    NameOutsideZone,
    /// Another object declared it first.
    NameTaken,
    WorkloadNotFound,
    /// The Service that users are to reach is not propagated to a cluster that runs the workload.
    ServiceNotFound,
    UnknownCluster,
    /// None of the clusters that `weighted` names is ready: the others share.
    WeightsPassedOver,
    /// A cluster that runs the workload has no ingress address.
    NoAddress,
    /// No replica is ready anywhere: the name is left out until one is.
    NotReady,
    /// Nothing is ready any more: the name keeps the endpoints it had.
    KeepsLastEndpoints,
    /// A DNS server does not take it; what was served before stays.
    Refused,
}

impl Reason {
    /// As it stands in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "Published",
            Self::Invalid => "Invalid",
            Self::InvalidName => "InvalidName",
            Self::InvalidTtl => "InvalidTtl",
            Self::ZoneNotFound => "ZoneNotFound",
            Self::ZoneTaken => "ZoneTaken",
            Self::NameOutsideZone => "NameOutsideZone",
            Self::NameTaken => "NameTaken",
            Self::WorkloadNotFound => "WorkloadNotFound",
            Self::ServiceNotFound => "ServiceNotFound",
            Self::UnknownCluster => "UnknownCluster",
            Self::WeightsPassedOver => "WeightsPassedOver",
            Self::NoAddress => "NoAddress",
            Self::NotReady => "NotReady",
            Self::KeepsLastEndpoints => "KeepsLastEndpoints",
            Self::Refused => "Refused",
        }
    }
}

/// What is wrong with one object; the first problem gives the reason, an unknown cluster only where there is no other; all give the message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems(Vec<(Reason, String)>);

impl Problems {
    fn push(&mut self, reason: Reason, message: String) {
        self.0.push((reason, message));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn into_condition(self, object: ObjectKey, fine: &str) -> ObjectCondition {
        // A remark about a cluster that plays no part leaves the rest served as it was asked for.
        let remark = |reason: &Reason| {
            matches!(
                reason,
                Reason::UnknownCluster | Reason::NoAddress | Reason::WeightsPassedOver
            )
        };
        let status = self.0.iter().all(|(reason, _)| remark(reason));
        let mut problems = self.0;
        // What names no cluster at all explains the least.
        problems.sort_by_key(|(reason, _)| *reason == Reason::UnknownCluster);
        let (reason, message) = match problems.first() {
            None => (Reason::Published, fine.to_owned()),
            Some((reason, _)) => {
                let all: Vec<&str> = problems.iter().map(|(_, message)| message.as_str()).collect();
                (*reason, format!("{object}: {}", all.join("; ")))
            }
        };
        ObjectCondition {
            object,
            status,
            reason,
            message,
        }
    }
}

/// Compiles one plan. A leader whose epoch is lower than the previous plan's gets that plan back unchanged.
pub fn compile(input: &Input<'_>) -> Output {
    let empty = SnapshotInput::default();
    let previous = input.previous.unwrap_or(&empty);
    let before: BTreeMap<&str, &NameInput> = previous
        .names
        .iter()
        .map(|name| (name.name.as_str(), name))
        .collect();

    let (zones, mut conditions) = claim::zones(input, previous);
    let mut names: BTreeMap<String, NameInput> = BTreeMap::new();
    let mut declared = Vec::new();
    let mut speakers: BTreeMap<String, ObjectKey> = BTreeMap::new();
    for claim in claim::names(input, &zones) {
        let claim::Claim {
            policy,
            name,
            usable,
            mut problems,
        } = claim;
        if let Some(name) = name {
            declared.push(name.clone());
            speakers.insert(name.clone(), policy.object.clone());
            let live = before.get(name.as_str()).copied();
            let entry = if usable {
                weigh::name(input, policy, &name, live, &mut problems)
            } else {
                live.cloned()
            };
            if let Some(entry) = entry {
                names.insert(name, entry);
            }
        }
        conditions.push(problems.into_condition(policy.object.clone(), "the name is in the steering plan"));
    }
    let (plan, changed) = stamp::stamp(input, previous, zones, names, &declared);
    for (object, problem) in refused(&plan, &speakers) {
        // A zone that is only kept for the names in it has no object to tell.
        if let Some(condition) = conditions.iter_mut().find(|condition| condition.object == object) {
            let mut problems = Problems::default();
            problems.push(Reason::Refused, format!("the DNS servers refuse it: {problem}"));
            *condition = problems.into_condition(object, "");
        }
    }
    conditions.sort_by(|a, b| a.object.cmp(&b.object));
    let output = Output {
        plan,
        changed,
        conditions,
    };
    debug_assert_eq!(super::invariants::all(input, &output), Vec::new());
    output
}

/// What the DNS servers will not take of the plan, by their own check, and the objects that asked for it.
fn refused(plan: &SnapshotInput, speakers: &BTreeMap<String, ObjectKey>) -> Vec<(ObjectKey, Problem)> {
    let Ok((_, applied)) = Catalog::default().applied(plan) else {
        return Vec::new();
    };
    let zone = |name: &str| ObjectKey {
        kind: "Zone".to_owned(),
        namespace: None,
        name: name.to_owned(),
    };
    let asked = |problem: Problem| {
        let (kind, name) = problem.object.split_once(' ')?;
        let object = match kind {
            "zone" => zone(name),
            _ => speakers.get(name)?.clone(),
        };
        Some((object, problem))
    };
    applied.rejected.into_iter().filter_map(asked).collect()
}

#[cfg(test)]
mod tests;
