//! `placement`: which clusters are candidates, how they are chosen, and how replicas are divided over them.

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// Where to, and how many.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Groups of candidates, tried in order; not together with clusterAffinity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_affinities: Vec<ClusterAffinityTerm>,
    /// The candidates; all clusters when neither this nor clusterAffinities is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_affinity: Option<ClusterAffinity>,
    /// Taints of clusters that are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_tolerations: Vec<Toleration>,
    /// How replicas are divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_scheduling: Option<ReplicaSchedulingStrategy>,
    /// Over how many clusters, regions and so on the workload is spread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread_constraints: Vec<SpreadConstraint>,
    /// Workloads that want to be together, or apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_affinity: Option<WorkloadAffinity>,
}

/// Selects clusters; every condition given must hold, and `exclude` always wins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAffinity {
    /// Names of the clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_names: Vec<String>,
    /// Names of clusters that are never selected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Conditions on provider, region and zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<FieldSelector>,
    /// Conditions on labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
}

/// Conditions on the fields provider, region and zone with the operators In and NotIn.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldSelector {
    /// All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<NodeSelectorRequirement>,
}

/// One named group of candidates.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAffinityTerm {
    /// Name of the group.
    #[schemars(length(min = 1, max = 32))]
    pub affinity_name: String,
    /// The clusters of the group.
    #[serde(flatten)]
    pub affinity: ClusterAffinity,
    /// Clusters that take what the group cannot hold, tier by tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overflow_affinities: Vec<OverflowAffinity>,
}

/// One tier of overflow.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverflowAffinity {
    /// Name of the tier.
    #[schemars(length(min = 1, max = 32))]
    pub affinity_name: String,
    /// The clusters of the tier.
    #[serde(flatten)]
    pub affinity: ClusterAffinity,
}

/// How many groups of a field's values the workload is spread over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpreadConstraint {
    /// Most groups; 0 or absent for no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "schema::plain_int")]
    pub max_groups: i64,
    /// Fewest groups; 0 or absent means 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "schema::plain_int")]
    pub min_groups: i64,
    /// Field whose values make the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_by_field: Option<SpreadField>,
    /// Label whose values make the groups.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spread_by_label: String,
}

/// Field of a cluster that can be spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum SpreadField {
    Cluster,
    Region,
    Zone,
    Provider,
}

/// How replicas are divided.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaSchedulingStrategy {
    /// Aggregated: over as few clusters as hold them. Weighted: by weightPreference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_division_preference: Option<DivisionPreference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling_type")]
    pub replica_scheduling_type: Option<SchedulingType>,
    /// The weights; the same weight for every cluster when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_preference: Option<ClusterPreferences>,
}

/// Duplicated: every cluster gets all replicas. Divided: they are shared out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum SchedulingType {
    Duplicated,
    #[default]
    Divided,
}

/// See `ReplicaSchedulingStrategy::replica_division_preference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum DivisionPreference {
    Aggregated,
    Weighted,
}

/// Weights of clusters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPreferences {
    /// Weights that follow the clusters; staticWeightList is ignored then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_weight: Option<DynamicWeightFactor>,
    /// Fixed weights; a cluster gets the greatest of those that match it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_weight_list: Vec<StaticClusterWeight>,
}

/// What dynamic weights follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum DynamicWeightFactor {
    AvailableReplicas,
}

/// A fixed weight for some clusters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticClusterWeight {
    /// The clusters.
    pub target_cluster: ClusterAffinity,
    /// Their weight.
    #[schemars(range(min = 1))]
    pub weight: i64,
}

/// Workloads that want to be together, or apart.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadAffinity {
    /// Together with workloads of the same label value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<WorkloadAffinityTerm>,
    /// Apart from workloads of the same label value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anti_affinity: Option<WorkloadAffinityTerm>,
}

/// The label that makes the groups.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadAffinityTerm {
    /// Key of a label of the workload template.
    pub group_by_label_key: String,
}

impl Placement {
    /// The scheduling type in force: Duplicated when nothing is said about replicas.
    pub fn scheduling_type(&self) -> SchedulingType {
        match &self.replica_scheduling {
            None => SchedulingType::Duplicated,
            Some(strategy) => strategy.replica_scheduling_type.unwrap_or_default(),
        }
    }

    /// Whether replicas are shared out over clusters, instead of every cluster getting all.
    pub fn divides_replicas(&self) -> bool {
        self.scheduling_type() == SchedulingType::Divided
    }
}

fn scheduling_type(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Duplicated: every cluster gets all replicas. Divided: they are shared out.",
        "type": "string", "enum": ["Duplicated", "Divided"], "default": "Divided",
    })
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}
