//! The document that describes the whole fleet at one moment: `GET /api/state` and each `state` event.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use lifeboat_health::{ProbesOtherwise, ProfilePatch};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    pub now: Timestamp,
    pub up_ms: u64,
    pub fleet: Fleet,
    pub clusters: Vec<Cluster>,
    pub names: Vec<Name>,
    pub dns: Vec<DnsServer>,
    pub bindings: Vec<Binding>,
    pub observers: Vec<Observer>,
    /// Why something is not done, or not yet; empty while the controller is down.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Bindings on lost clusters with nowhere to go.
    #[serde(default)]
    pub no_target: Vec<NoTarget>,
    /// What would happen if one cluster were lost now; null until first computed.
    pub standing: Option<Vec<Standing>>,
    /// Synthetic users; null outside the demo.
    pub users: Option<Value>,
    /// Faults in force; null outside the demo.
    pub faults: Option<Value>,
}

impl State {
    /// What is not done, or not yet, about a cluster: its own holds, the fleet's, and those of bindings that are in
    /// it or are leaving it; and what has nowhere to go from it.
    pub fn held_up(&self, cluster: &str) -> (Vec<&Hold>, Vec<&NoTarget>) {
        let here: BTreeSet<String> = self
            .bindings
            .iter()
            .filter(|binding| {
                binding.clusters.iter().any(|at| at.name == cluster)
                    || binding.evicting.iter().any(|task| task.cluster == cluster)
            })
            .map(|binding| match binding.namespace.as_str() {
                "" => binding.name.clone(),
                namespace => format!("{namespace}/{}", binding.name),
            })
            .collect();
        let concerns =
            |hold: &&Hold| hold.subject == cluster || hold.subject == "fleet" || here.contains(&hold.subject);
        let stays = |none: &&NoTarget| none.clusters.iter().any(|at| at == cluster);
        (
            self.holds.iter().filter(concerns).collect(),
            self.no_target.iter().filter(stays).collect(),
        )
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    pub uid: String,
    pub epoch: u64,
    pub seq: u64,
    /// `running` or `down`.
    pub controller: String,
    /// The eviction tier's brake is on.
    pub freeze: bool,
    /// The DNS tier's brake is on for at least one name.
    pub panic: bool,
    pub demo: bool,
    pub hold_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    pub name: String,
    pub provider: String,
    pub region: String,
    pub zones: Vec<String>,
    pub vips: Vec<String>,
    pub traffic: PathState,
    pub control: PathState,
    /// Its override of the fleet's profile, as far as one is in force; null without.
    #[serde(default)]
    pub detection: Option<ProfilePatch>,
    pub replicas: Replicas,
    pub capacity: Capacity,
    pub conditions: Vec<Condition>,
    pub taints: Vec<String>,
    pub faults: Vec<String>,
}

/// One path's verdict with the votes behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathState {
    /// Whether a check looks at it.
    pub probed: bool,
    /// `Unknown` while it is frozen.
    pub verdict: String,
    /// The last verdict that was reached; the same as `verdict` unless it is frozen.
    #[serde(default)]
    pub last_verdict: String,
    /// Too few observers are fresh to decide anything.
    #[serde(default)]
    pub frozen: bool,
    /// For how long `last_verdict` stands.
    pub since_ms: u64,
    pub votes: Votes,
    pub rtt_ms: Option<f64>,
    /// Kept out of rotation for flapping: `held_back` says for how long.
    pub suppressed: bool,
    /// By the gates of the DNS servers, which decide it; null on the control path, and while it is not suppressed.
    #[serde(default)]
    pub held_back: Option<HeldBack>,
    /// Gray failure; null on the control path, and while there is none.
    #[serde(default)]
    pub gray: Option<GrayPath>,
    /// What each observer region sees, in order of the regions.
    #[serde(default)]
    pub regions: Vec<PathFromRegion>,
    /// Null while all regions see the same.
    #[serde(default)]
    pub partial: Option<PartialPath>,
    /// Null until probes have lost anything while it was up.
    #[serde(default)]
    pub losses: Option<PathLosses>,
}

/// One path as the observers of one region see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFromRegion {
    /// Empty for observers that name no region.
    pub region: String,
    /// `reached`, `not reached` or `unclear`.
    pub reach: String,
    pub votes: Votes,
}

/// What probes of a path lose while it is up ([`lifeboat_health::LossEstimate`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathLosses {
    pub percent: f64,
    /// Mean length of a burst, in probes.
    pub burst: f64,
    /// Of two observers' losses, 0 to 1.
    pub correlation: f64,
    /// Hours from one wrong Down to the next that these make expect; null where they say nothing.
    pub recurrence_hours: Option<f64>,
    /// Hours that the profile asks for.
    pub wanted_hours: f64,
}

impl fmt::Display for PathLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PathLosses {
            percent,
            burst,
            correlation,
            recurrence_hours,
            wanted_hours,
        } = self;
        write!(
            f,
            "{percent:.2} % of probes lost in bursts of {burst:.1}, correlation {correlation:.2}"
        )?;
        match recurrence_hours {
            Some(hours) => write!(
                f,
                "; a wrong Down every {hours:.0} h is to be expected, {wanted_hours:.0} h are wanted"
            ),
            None => Ok(()),
        }
    }
}

/// A path that some observer regions reach and others do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartialPath {
    pub since_ms: u64,
    pub reached: Vec<String>,
    pub not_reached: Vec<String>,
}

impl fmt::Display for PartialPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_reached = self.not_reached.join(", ");
        write!(f, "partial outage: not reached from {not_reached}")
    }
}

/// A cluster that answers late or with errors, and so has less traffic weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrayPath {
    /// `mild`, `severe` or `failing`.
    pub degree: String,
    /// What is left of its weight, in percent; 100 where all clusters are alike.
    pub weight_percent: f64,
    /// Who finds it, and what.
    pub reason: String,
}

impl fmt::Display for GrayPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "gray ({}), {} % of its weight",
            self.degree, self.weight_percent
        )
    }
}

/// A cluster that went down too often, and is kept out after its return as far as others can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// How often it went Down since its flap penalty was last below the profile's `flapRelease`.
    pub downs: u32,
    /// When it is let in again, if it does not go Down before.
    pub until: Timestamp,
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.strftime("%H:%M:%S UTC");
        write!(f, "held back after {} Downs, until about {until}", self.downs)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    pub clear: u32,
    pub suspect: u32,
    pub dead: u32,
    pub abstain: u32,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Replicas {
    pub assigned: i64,
    pub ready: i64,
    /// `ready` is what was last known; the cluster cannot be read now.
    pub stale: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    pub cpu_millis: i64,
    pub cpu_used_millis: i64,
    pub memory_bytes: i64,
    pub memory_used_bytes: i64,
    pub pods: i64,
    pub pods_used: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Name {
    pub name: String,
    pub zone: String,
    pub ttl: u32,
    pub policy: String,
    /// What became of the TrafficPolicy that declares it; null where none does, or the controller has not said yet.
    #[serde(default)]
    pub condition: Option<Condition>,
    /// Empty for a name that is declared and not served.
    pub servers: Vec<NameAtServer>,
}

/// What one DNS server would answer now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NameAtServer {
    pub server: String,
    pub address: String,
    pub panic: bool,
    pub answers: Vec<Share>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Share {
    pub cluster: String,
    pub addresses: Vec<String>,
    /// Part of all answers, 0 to 1.
    pub share: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsServer {
    pub server: String,
    pub address: String,
    pub ready: bool,
    /// `plan`, `last-known-good` or `none`.
    pub source: String,
    pub epoch: u64,
    pub seq: u64,
    pub qps: f64,
    pub queries: u64,
    pub nxdomain: u64,
    pub servfail: u64,
    pub verdicts: BTreeMap<String, String>,
    /// Clusters that this server holds back for flapping.
    #[serde(default)]
    pub held_back: BTreeMap<String, HeldBack>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Binding {
    pub namespace: String,
    pub name: String,
    pub kind: String,
    pub template: String,
    /// The object has replicas; a Service has none, and `replicas` and `ready` say nothing of it.
    pub workload: bool,
    pub replicas: i64,
    pub ready: i64,
    /// Some part of `ready` is what was last known.
    pub stale: bool,
    pub clusters: Vec<BindingCluster>,
    pub evicting: Vec<Evicting>,
    pub scheduled: bool,
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BindingCluster {
    pub name: String,
    pub replicas: i64,
    pub ready: i64,
    /// `ready` is what was last known; the cluster cannot be read now.
    pub stale: bool,
    /// Why it is not applied there; empty where it is, or that is not known yet.
    #[serde(default)]
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evicting {
    pub cluster: String,
    pub reason: String,
    pub since: String,
}

/// One observer that is heard, or should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observer {
    pub name: String,
    /// Empty for an observer that names none.
    pub region: String,
    pub fresh: bool,
    pub abstaining: bool,
    /// Since its last evidence; null for one that was never heard.
    pub age_ms: Option<u64>,
    /// How it probes otherwise than the consumer's profile says, and whether its evidence counts all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes_otherwise: Option<ProbesOtherwise>,
}

/// The standing plan for the loss of one cluster, in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub if_lost: String,
    pub moves: i64,
    pub short_replicas: i64,
    /// A sum of settings, not a measurement: see [`crate::failover::Standing::estimated_seconds`].
    pub estimated_seconds: f64,
    pub feasible: bool,
}

/// Why something is not done, or not yet: see [`crate::failover::HoldNotice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// A cluster, a binding, or `fleet`.
    pub subject: String,
    pub reason: String,
    pub message: String,
    /// How much longer, where that is known.
    pub remaining_ms: Option<u64>,
}

/// A binding on lost clusters with nowhere to go: see [`crate::failover::NoFeasibleTarget`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoTarget {
    pub binding: String,
    pub clusters: Vec<String>,
    pub short_replicas: i64,
    pub message: String,
}
