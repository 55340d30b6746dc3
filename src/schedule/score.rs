//! Scores of clusters: those that hold the workload already come first.

use crate::api::TargetCluster;

const BEST: i64 = 100;

/// 100 for a cluster that holds the workload, 0 for others.
pub fn score(cluster: &str, previous: &[TargetCluster]) -> i64 {
    if previous.iter().any(|target| target.name == cluster) {
        BEST
    } else {
        0
    }
}
