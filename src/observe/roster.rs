//! Keeps the list of observers what the Observer objects say.

use std::collections::BTreeMap;
use std::time::Duration;

use lifeboat_health::{Listed, Observer as Process};

use super::host_port;
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
    let (mut held, mut told) = (Roster::new(), Problems::new());
    loop {
        if index.synced([&kinds.observer]) {
            let (found, problems) = roster(&index, &kinds, &held);
            for (name, problem) in problems
                .iter()
                .filter(|(name, problem)| told.get(*name) != Some(problem))
            {
                tracing::warn!(observer.name = %name, problem, "an Observer object is not taken; what was in force stays, or else its name alone");
            }
            told = problems;
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

/// What is wrong with objects, by their names.
type Problems = BTreeMap<String, String>;

/// One that cannot be used is what it was, or is there by its name alone: a mistake in an object takes no vote away.
fn roster(index: &Index, kinds: &Kinds, held: &Roster) -> (Roster, Problems) {
    let mut problems = Problems::new();
    let mut read = |object: &serde_json::Value| {
        let name = name(object).to_owned();
        let spec = usable(&name, object).unwrap_or_else(|problem| {
            problems.insert(name.clone(), problem);
            held.get(&name).cloned().unwrap_or_default()
        });
        (name, spec)
    };
    let listed = index.list(&kinds.observer);
    let alive = listed
        .iter()
        .filter(|object| object.pointer("/metadata/deletionTimestamp").is_none());
    let roster = alive.map(|object| read(object)).collect();
    (roster, problems)
}

/// The same is refused as in an observer's file.
fn usable(name: &str, object: &serde_json::Value) -> Result<ObserverSpec, String> {
    let spec = view::<Observer>(object).map_err(|error| error.to_string())?.spec;
    Process::check_names(name, &spec.region).map_err(|error| error.to_string())?;
    for (at, consumer) in spec.consumers.iter().enumerate() {
        host_port::check(consumer).map_err(|wrong| format!("spec.consumers[{at}]: {wrong}"))?;
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_in_an_object_takes_no_vote_away() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let version = std::cell::Cell::new(0);
        let apply = |name: &str, spec: serde_json::Value| {
            version.set(version.get() + 1);
            index.apply(
                &kinds.observer,
                json!({
                    "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Observer",
                    "metadata": {"name": name, "resourceVersion": version.get().to_string()}, "spec": spec,
                }),
            );
        };
        apply("a", json!({"region": "r", "consumers": ["192.0.2.1:7443"]}));
        apply("b", json!({"region": "s"}));
        let (first, problems) = roster(&index, &kinds, &Roster::new());
        assert_eq!(problems, Problems::new());
        assert_eq!(first["a"].consumers, ["192.0.2.1:7443"]);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["a", "b"]);
        for (wrong, why) in [
            (json!({"region": "r", "consumers": 7}), "invalid type"),
            (json!({"region": "a\u{1b}[31m\nb"}), "region"),
            (
                json!({"region": "r", "consumers": ["192.0.2.1:7443", "a:99999"]}),
                "spec.consumers[1]: \"a:99999\"",
            ),
        ] {
            apply("a", wrong);
            let (now, problems) = roster(&index, &kinds, &first);
            assert_eq!(now, first);
            assert!(problems["a"].contains(why), "{problems:?}");
            assert!(!problems["a"].contains(char::is_control), "{problems:?}");
            assert_eq!(roster(&index, &kinds, &Roster::new()).0.len(), 2);
        }
    }
}
