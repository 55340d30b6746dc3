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

/// Hands over the targets, with the clusters' overrides of the profile `fleet`, once the objects are read and when anything
/// of it changes. `held` is what was in force before. Runs until dropped.
///
/// # Errors
/// No client can be made from `kube`.
pub async fn follow(
    kube: kube::Config,
    fleet: &Profile,
    held: Targets,
    mut adopt: impl FnMut(&Targets),
) -> Result<(), kube::Error> {
    let (index, kinds) = (Index::default(), Kinds::default());
    let watches = Watches::new(store::connect(kube)?, index.clone());
    watches.start(&kinds.cluster);
    let mut changes = index.subscribe();
    let (mut held, mut told) = (held, false);
    loop {
        if index.synced([&kinds.cluster]) {
            let mut found = targets::targets(&index.list(&kinds.cluster), fleet, &held.targets);
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
            if found.targets.is_empty() && !held.targets.is_empty() {
                found.targets.clone_from(&held.targets);
                found.regions.clone_from(&held.regions);
            }
            if !told || found != held {
                adopt(&found);
                (held, told) = (found, true);
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
