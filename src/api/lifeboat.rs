//! Our own group, `lifeboat.dev/v1alpha1`.
//!
//! ```text
//! traffic.rs   TrafficPolicy, Zone              what users resolve, written by people
//! steer.rs     a policy's steering chain
//! failover.rs  FailoverPolicy                   when and how fast replicas move, written by people
//! state.rs     SteeringPlan, SteeringPlanShard, FailoverEpoch, EvictionIntent    written by Lifeboat;
//!              Observer                         written by people, its status by Lifeboat
//! ```

mod failover;
mod state;
mod steer;
mod traffic;

pub use failover::{EvictionBudget, Failback, FailoverPolicy, FailoverPolicySpec, FailoverPolicyStatus};
pub use state::{
    EvictionIntent, EvictionIntentSpec, FailoverEpoch, FailoverEpochSpec, Observer, ObserverSpec,
    ObserverStatus, ShardReference, SteeringPlan, SteeringPlanShard, SteeringPlanShardSpec, SteeringPlanSpec,
};
pub use steer::SteerStep;
pub(crate) use traffic::{MAX_TTL_SECONDS, RECORD_TYPES};
pub use traffic::{
    NameServer, Soa, TrafficPolicy, TrafficPolicySpec, TrafficPolicyStatus, TrafficService, TrafficWorkload,
    WhenAllDown, Zone, ZoneRecord, ZoneSpec, ZoneStatus,
};
