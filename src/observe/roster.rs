//! Keeps the list of observers what the Observer objects say.

use std::collections::BTreeMap;
use std::time::Duration;

use lifeboat_health::Listed;

use crate::{
    api::{Observer, ObserverSpec, view},
    controller::Kinds,
    store::{self, Index, Watches, name},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Objects that are created one after the other are taken in together: a list with a few of them counts too few.
const GATHER: Duration = Duration::from_millis(500);

/// The observers by name. The name is the one in an observer's certificate.
pub type Roster = BTreeMap<String, ObserverSpec>;

/// Whose evidence counts, and their regions.
pub fn listed(roster: &Roster) -> Listed {
    let region = |(name, spec): (&String, &ObserverSpec)| (name.clone(), spec.region.clone());
    roster.iter().map(region).collect()
}

/// Hands over the observers when they change; without objects nobody is named, and nothing handed over. Runs until dropped.
///
/// # Errors
/// No client can be made from `kube`.
pub async fn follow_observers(kube: kube::Config, mut adopt: impl FnMut(&Roster)) -> Result<(), kube::Error> {
    let (index, kinds) = (Index::default(), Kinds::default());
    let watches = Watches::new(store::connect(kube)?, index.clone());
    watches.start(&kinds.observer);
    let mut changes = index.subscribe();
    let mut held = Roster::new();
    loop {
        if index.synced([&kinds.observer]) {
            let found = roster(&index, &kinds, &held);
            // An API that lost every observer at once is not believed.
            if found != held && !found.is_empty() {
                adopt(&found);
                held = found;
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

/// One that cannot be read is what it was, or is there by its name alone: a mistake in an object takes no vote away.
fn roster(index: &Index, kinds: &Kinds, held: &Roster) -> Roster {
    let read = |object: &serde_json::Value| {
        let name = name(object).to_owned();
        let spec = match view::<Observer>(object) {
            Ok(observer) => observer.spec,
            Err(error) => {
                tracing::warn!(observer.name = %name, %error, "an Observer object cannot be read");
                held.get(&name).cloned().unwrap_or_default()
            }
        };
        (name, spec)
    };
    let listed = index.list(&kinds.observer);
    let alive = listed
        .iter()
        .filter(|object| object.pointer("/metadata/deletionTimestamp").is_none());
    alive.map(|object| read(object)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_in_an_object_takes_no_vote_away() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let apply = |name: &str, spec: serde_json::Value| {
            index.apply(
                &kinds.observer,
                json!({
                    "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Observer",
                    "metadata": {"name": name, "resourceVersion": "1"}, "spec": spec,
                }),
            );
        };
        apply("a", json!({"region": "r", "consumers": ["192.0.2.1:7443"]}));
        apply("b", json!({"region": "s"}));
        let first = roster(&index, &kinds, &Roster::new());
        assert_eq!(first["a"].consumers, ["192.0.2.1:7443"]);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["a", "b"]);
        apply("a", json!({"region": "r", "consumers": 7}));
        assert_eq!(roster(&index, &kinds, &first), first);
        assert_eq!(roster(&index, &kinds, &Roster::new()).len(), 2);
    }
}
