//! Custom resources: Karmada's, so that the YAML users already have works unchanged, and ours.
//!
//! ```text
//! cluster.rs    Cluster                                         cluster.karmada.io/v1alpha1
//! policy.rs     PropagationPolicy, ClusterPropagationPolicy     policy.karmada.io/v1alpha1
//! work.rs       ResourceBinding, ClusterResourceBinding, Work   work.karmada.io/v1alpha2, v1alpha1
//! lifeboat.rs   TrafficPolicy, Zone, FailoverPolicy, plans      lifeboat.dev/v1alpha1
//! crd.rs        the CustomResourceDefinitions of all of them
//! validate.rs   what a schema cannot say
//! ```
//!
//! Architecture invariant: these structs are views. An object read from the API is edited as raw JSON or by
//! a patch of our own fields, and a struct is never written back whole, so that fields we do not know survive.

#![allow(
    clippy::duplicated_attributes,
    reason = "each printcolumn of a kind has a type"
)]

pub mod cluster;
pub mod crd;
pub mod lifeboat;
pub mod object;
pub mod policy;
pub mod quantity;
mod schema;
mod twin;
pub mod validate;
pub mod work;

pub use cluster::{ApiEnablement, ApiResource, Cluster, ClusterSpec, ClusterStatus};
pub use crd::{crds, crds_yaml};
pub use k8s_openapi::api::core::v1::{Taint, Toleration};
pub use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
pub use lifeboat::{
    EvictionIntent, FailoverEpoch, FailoverPolicy, Observer, ObserverSpec, SteerStep, SteeringPlan,
    SteeringPlanShard, TrafficPolicy, Zone,
};
pub use object::{ViewError, view};
pub use policy::{ClusterPropagationPolicy, Placement, PropagationPolicy, PropagationSpec};
pub use work::{
    ClusterResourceBinding, ResourceBinding, ResourceBindingSpec, ResourceBindingStatus, TargetCluster, Work,
};
