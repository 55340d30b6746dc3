//! What a workload means: replicas, health, status, dependencies. The native kinds, as Karmada reads them.
//!
//! ```text
//! template ── needs ────────> replicas and what one of them asks for   (scheduler)
//!          ── revise, prune ─> the manifest of one member              (works)
//!          ── dependencies ──> what must follow it
//! member's ── retain ────────> what the member itself filled in
//! object   ── reflect, health > what is collected of it
//! items    ── aggregate ─────> status of the template
//! ```
//! A kind that is not known here has no replicas, is healthy once it exists, and its whole status is collected.

mod counts;
mod dependencies;
mod job;
mod native;
mod network;
mod pod;
mod prune;
mod requirements;
mod retain;
mod scaled;
mod small;
mod storage;

use serde_json::{Value, json};

use crate::api::work::{ReplicaRequirements, ResourceHealth};
use native::Native;

pub use dependencies::{Dependency, dependencies};
pub use prune::prune;
pub use retain::retain;

/// Label of a template whose replicas a member may set by itself, such as by an autoscaler.
pub const RETAIN_REPLICAS: &str = "resourcetemplate.karmada.io/retain-replicas";
/// Annotation of a manifest: the generation of the template it was made from.
pub const TEMPLATE_GENERATION: &str = "resourcetemplate.karmada.io/generation";

/// How many replicas a workload wants, and what one of them asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// Replicas over all clusters for a divided workload, in each for a duplicated one.
    pub replicas: i64,
    /// Absent when a replica asks for nothing.
    pub requirements: Option<ReplicaRequirements>,
}

/// Whether an object does its job; Karmada's `ResourceHealth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It does not, or not yet.
    Unhealthy,
    /// It could not be told.
    Unknown,
}

impl Health {
    /// As it is written in objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Unhealthy => "Unhealthy",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads what `as_str` wrote; any other text is `Unknown`.
    pub fn parse(text: &str) -> Self {
        match text {
            "Healthy" => Self::Healthy,
            "Unhealthy" => Self::Unhealthy,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Health {
    fn from(healthy: bool) -> Self {
        if healthy { Self::Healthy } else { Self::Unhealthy }
    }
}

impl From<ResourceHealth> for Health {
    fn from(health: ResourceHealth) -> Self {
        match health {
            ResourceHealth::Healthy => Self::Healthy,
            ResourceHealth::Unhealthy => Self::Unhealthy,
            ResourceHealth::Unknown => Self::Unknown,
        }
    }
}

/// What one member reports of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Name of the member.
    pub cluster: String,
    /// As `reflect` collected it.
    pub status: Option<Value>,
    /// As `health` judged it.
    pub health: Health,
}

/// Replicas of a workload; `None` for a kind that has none.
///
/// Absent replicas are 1, the default of every kind that has them.
pub fn needs(object: &Value) -> Option<Needs> {
    let spec = &object["spec"];
    let (replicas, pod) = match Native::of(object)? {
        Native::Deployment | Native::StatefulSet | Native::ReplicaSet => {
            (spec["replicas"].as_i64().unwrap_or(1), &spec["template"]["spec"])
        }
        Native::Job => (job::replicas(spec), &spec["template"]["spec"]),
        Native::Pod => (1, spec),
        Native::DaemonSet
        | Native::CronJob
        | Native::Service
        | Native::Ingress
        | Native::Secret
        | Native::ServiceAccount
        | Native::PersistentVolume
        | Native::PersistentVolumeClaim
        | Native::PodDisruptionBudget
        | Native::HorizontalPodAutoscaler
        | Native::ServiceImport => return None,
    };
    Some(Needs {
        replicas: replicas.max(0),
        requirements: requirements::of_pod(pod),
    })
}

/// Sets the replicas of a workload; a Job's are its parallelism. Kinds without a number stay as they are.
pub fn revise(object: &mut Value, replicas: i64) {
    let field = match Native::of(object) {
        Some(Native::Deployment | Native::StatefulSet | Native::ReplicaSet) => "replicas",
        Some(Native::Job) => "parallelism",
        _ => return,
    };
    if let Some(object) = object.as_object_mut() {
        let spec = object.entry("spec").or_insert_with(|| json!({}));
        if let Some(spec) = spec.as_object_mut() {
            spec.insert(field.to_owned(), json!(replicas));
        }
    }
}

/// The part of a member's object's status that is collected; `None` if there is none.
pub fn reflect(observed: &Value) -> Option<Value> {
    let status = observed.get("status").filter(|status| status.is_object())?;
    match Native::of(observed) {
        Some(Native::Deployment) => Some(scaled::reflect(observed, status, scaled::DEPLOYMENT)),
        Some(Native::StatefulSet) => Some(scaled::reflect(observed, status, scaled::STATEFUL_SET)),
        Some(Native::ReplicaSet) => Some(scaled::reflect(observed, status, scaled::REPLICA_SET)),
        Some(Native::DaemonSet) => Some(scaled::reflect(observed, status, scaled::DAEMON_SET)),
        Some(Native::Job) => Some(job::reflect(status)),
        Some(Native::Service) => network::reflect_service(observed, status),
        Some(Native::PodDisruptionBudget) => Some(small::reflect_budget(status)),
        Some(Native::HorizontalPodAutoscaler) => Some(small::reflect_autoscaler(status)),
        _ => Some(status.clone()),
    }
}

/// Whether a member's object does its job. A kind that has no notion of health is healthy.
pub fn health(observed: &Value) -> Health {
    let status = observed.get("status").unwrap_or(&Value::Null);
    if !status.is_null() && !status.is_object() {
        return Health::Unknown;
    }
    let healthy = match Native::of(observed) {
        Some(Native::Deployment) => scaled::deployment_is_healthy(observed, status),
        Some(Native::StatefulSet) => scaled::stateful_set_is_healthy(observed, status),
        Some(Native::ReplicaSet) => scaled::replica_set_is_healthy(observed, status),
        Some(Native::DaemonSet) => scaled::daemon_set_is_healthy(observed, status),
        Some(Native::Pod) => pod::is_healthy(status),
        Some(Native::Service) => network::service_is_healthy(observed, status),
        Some(Native::Ingress) => network::has_address(status),
        Some(Native::PersistentVolumeClaim) => status["phase"] == "Bound",
        Some(Native::PodDisruptionBudget) => small::budget_is_healthy(status),
        _ => true,
    };
    healthy.into()
}

/// The new `.status` of a template; `None` when its kind has nothing to aggregate.
pub fn aggregate(template: &Value, items: &[Item]) -> Option<Value> {
    match Native::of(template)? {
        Native::Deployment => Some(scaled::aggregate(template, items, scaled::DEPLOYMENT)),
        Native::StatefulSet => Some(scaled::aggregate(template, items, scaled::STATEFUL_SET)),
        Native::DaemonSet => Some(scaled::aggregate(template, items, scaled::DAEMON_SET)),
        Native::Job => job::aggregate(template, items),
        Native::CronJob => Some(job::aggregate_cron(template, items)),
        Native::Pod => pod::aggregate(items),
        Native::Service => network::aggregate_service(template, items),
        Native::Ingress => Some(network::aggregate(items)),
        Native::PersistentVolume => storage::aggregate_volume(items),
        Native::PersistentVolumeClaim => Some(storage::aggregate_claim(items)),
        Native::PodDisruptionBudget => Some(small::aggregate_budget(items)),
        Native::HorizontalPodAutoscaler => Some(small::aggregate_autoscaler(template, items)),
        Native::ReplicaSet | Native::Secret | Native::ServiceAccount | Native::ServiceImport => None,
    }
}

/// Replicas that serve, by a status as `reflect` collected it: those of a Deployment and its like, the
/// scheduled ones of a DaemonSet, a Job's that run, and 1 for a ready Pod.
pub fn ready_replicas(status: &Value) -> i64 {
    let numbers = ["readyReplicas", "numberReady", "active"].into_iter();
    let number = numbers.filter_map(|field| status[field].as_i64()).next();
    number.unwrap_or_else(|| i64::from(status.get("phase").is_some() && pod::is_healthy(status)))
}

#[cfg(test)]
mod tests;
