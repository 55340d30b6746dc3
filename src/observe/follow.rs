//! Keeps the targets what the Cluster objects ask for.

use std::time::Duration;

use lifeboat_health::{Profile, Target};

use super::targets::{self, Targets};
use crate::{
    controller::Kinds,
    store::{self, Index, Watches},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(20);

/// Hands over the targets when they change, with the clusters' overrides of the profile `fleet`. Runs until dropped.
///
/// # Errors
/// No client can be made from `kube`.
pub async fn follow(
    kube: kube::Config,
    fleet: &Profile,
    mut adopt: impl FnMut(&[Target]),
) -> Result<(), kube::Error> {
    let (index, kinds) = (Index::default(), Kinds::default());
    let watches = Watches::new(store::connect(kube)?, index.clone());
    watches.start(&kinds.cluster);
    let mut changes = index.subscribe();
    let mut held = Targets::default();
    loop {
        if index.synced([&kinds.cluster]) {
            let found = targets::targets(&index.list(&kinds.cluster), fleet, &held.targets);
            for problem in found
                .problems
                .iter()
                .filter(|problem| !held.problems.contains(problem))
            {
                let (cluster, path, why) = problem;
                let kept = |target: &Target| target.cluster == *cluster && target.path == *path;
                if found.targets.iter().any(kept) {
                    tracing::warn!(cluster, %path, why, "a check is not taken; what was in force stays");
                } else {
                    tracing::warn!(cluster, %path, why, "a path is not probed");
                }
            }
            for (cluster, why) in found
                .overrides
                .iter()
                .filter(|told| !held.overrides.contains(told))
            {
                tracing::warn!(
                    cluster,
                    why,
                    "an override of detection is not taken; what was in force stays"
                );
            }
            // An API that lost every cluster at once is not believed: verdicts outlive it.
            let lost_all = found.targets.is_empty() && !held.targets.is_empty();
            if found.targets != held.targets && !lost_all {
                adopt(&found.targets);
            }
            (held.problems, held.overrides) = (found.problems, found.overrides);
            if !lost_all {
                held.targets = found.targets;
            }
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(RESYNC) => {}
        }
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
    }
}
