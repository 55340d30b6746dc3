//! Everything a drill saw, as data. Times are microseconds since the start of the drill.

use crate::fault::FaultKind;

/// A set of clusters: bit `i` is the cluster at index `i` of [`EventLog::clusters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterMask(pub u64);

impl ClusterMask {
    /// The clusters that a mask can tell apart.
    pub const CLUSTERS_MAX: usize = 63;
    /// Some address that belongs to no cluster of the fleet.
    pub const FOREIGN: Self = Self(1 << 63);

    /// The set of the cluster at this index.
    pub fn of(index: usize) -> Self {
        if index < Self::CLUSTERS_MAX {
            Self(1 << index)
        } else {
            Self::FOREIGN
        }
    }

    /// Whether the sets have a cluster in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set has no cluster.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The clusters in either set.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many clusters it has.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// What a drill recorded.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    /// The fleet; masks refer to it by index.
    pub clusters: Vec<String>,
    /// The DNS servers probed.
    pub servers: Vec<String>,
    /// The names probed.
    pub names: Vec<String>,
    /// The workloads counted, as `namespace/name`, with the replicas their templates ask for over the fleet.
    pub workloads: Vec<(String, u32)>,
    /// Faults in the order of their injection.
    pub injections: Vec<Injection>,
    /// Probes of the DNS servers in the order of their ends.
    pub dns: Vec<DnsSample>,
    /// Requests of synthetic users in the order of their ends.
    pub requests: Vec<UserRequest>,
    /// What the console's stream said.
    pub verdicts: Vec<VerdictChange>,
    /// Counts of ready replicas.
    pub workload_samples: Vec<WorkloadSample>,
    /// Which clusters hold each binding.
    pub binding_samples: Vec<BindingSample>,
    /// When the drill ended.
    pub end_us: u64,
    /// Records that found no room.
    pub dropped: u64,
}

/// A fault and its end.
#[derive(Clone, Debug)]
pub struct Injection {
    /// Just before the first cluster was touched.
    pub at_us: u64,
    /// What was injected.
    pub kind: FaultKind,
    /// Where.
    pub clusters: ClusterMask,
    /// When it was cleared or expired.
    pub cleared_us: Option<u64>,
}

/// One probe of one DNS server for one name.
#[derive(Clone, Copy, Debug)]
pub struct DnsSample {
    /// When the answer came, or the wait ended.
    pub at_us: u64,
    /// Index into [`EventLog::servers`].
    pub server: u16,
    /// Index into [`EventLog::names`].
    pub name: u16,
    /// What came.
    pub outcome: DnsOutcome,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsOutcome {
    /// Addresses of these clusters.
    Answer(ClusterMask),
    /// A positive or NXDOMAIN response without an address.
    Empty,
    /// SERVFAIL, or another code that tells a resolver to go elsewhere.
    ServFail,
    /// Nothing within 200 ms.
    NoAnswer,
}

/// One request of a synthetic user, resolution included.
#[derive(Clone, Copy, Debug)]
pub struct UserRequest {
    /// Who.
    pub user: u32,
    /// When it began.
    pub start_us: u64,
    /// When it was answered or given up.
    pub end_us: u64,
    /// Whether it was answered with 200.
    pub ok: bool,
}

/// A line of the console's timeline.
#[derive(Clone, Debug)]
pub struct VerdictChange {
    /// When it reached us.
    pub at_us: u64,
    /// Such as `cluster.down`.
    pub kind: String,
    /// The cluster, empty when it concerns none.
    pub cluster: String,
    /// In words.
    pub detail: String,
}

/// Ready replicas at one moment.
#[derive(Clone, Debug)]
pub struct WorkloadSample {
    /// When the count was complete.
    pub at_us: u64,
    /// By index of [`EventLog::workloads`], over all members that answered.
    pub ready: Vec<u32>,
}

/// The bindings at one moment.
#[derive(Clone, Debug)]
pub struct BindingSample {
    /// When the control plane answered.
    pub at_us: u64,
    /// Each binding by namespace and name, with the clusters of its `spec.clusters`.
    pub holders: Vec<(String, ClusterMask)>,
}

impl EventLog {
    /// The clusters of these names; unknown names are left out.
    pub fn mask<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> ClusterMask {
        let index = |name: &str| self.clusters.iter().position(|cluster| cluster == name);
        names
            .into_iter()
            .filter_map(index)
            .map(ClusterMask::of)
            .fold(ClusterMask::default(), ClusterMask::union)
    }

    /// The names of the clusters in a set.
    pub fn cluster_names(&self, mask: ClusterMask) -> Vec<&str> {
        let named = self.clusters.iter().enumerate();
        named
            .filter(|(index, _)| ClusterMask::of(*index).meets(mask))
            .map(|(_, name)| name.as_str())
            .collect()
    }
}
