//! Which objects of a member must change so that it holds what its works say. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    interpret,
    store::{Key, Kind, Op, Write, generation, resource_version, uid},
};

/// What was last applied: the manifest, and the version of the object that came of it. An API server may
/// store a value in another form (`0.5` cpu as `500m`); the memory keeps that from looking like drift.
pub(super) type Applied = BTreeMap<(Kind, Key), (Value, String)>;

/// The write that makes `observed` hold all of `manifest`; none if it does already.
pub(super) fn write(
    kind: &Kind,
    manifest: &Value,
    observed: Option<&Value>,
    applied: &Applied,
) -> Option<Write> {
    let key = Key::of(manifest);
    let mut wanted = manifest.clone();
    if let Some(observed) = observed {
        // What the member's own controllers decide stays theirs.
        wanted = interpret::retain(wanted, observed);
        let version = version(observed);
        let known = applied.get(&(kind.clone(), key.clone()));
        let unchanged = known.is_some_and(|(last, at)| last == manifest && *at == version);
        if unchanged || contains(observed, &wanted) {
            return None;
        }
    }
    Some(Write {
        kind: kind.clone(),
        key,
        op: Op::Apply(wanted),
    })
}

/// The write that removes an object we put there; none if it is gone.
pub(super) fn removal(kind: &Kind, observed: Option<&Value>) -> Option<Write> {
    let observed = observed?;
    Some(Write {
        kind: kind.clone(),
        key: Key::of(observed),
        op: Op::Delete {
            uid: uid(observed).to_owned(),
        },
    })
}

/// What changes when somebody changes the object's spec: its generation, or for a kind without one its
/// resource version.
pub(super) fn version(object: &Value) -> String {
    match generation(object) {
        0 => resource_version(object).to_owned(),
        generation => format!("g{generation}"),
    }
}

/// Whether every field of `wanted` stands in `held` with that value. Lists must be as long, item by item.
fn contains(held: &Value, wanted: &Value) -> bool {
    match (held, wanted) {
        (Value::Object(held), Value::Object(wanted)) => wanted.iter().all(|(name, value)| {
            held.get(name)
                .map_or_else(|| value.is_null(), |held| contains(held, value))
        }),
        (Value::Array(held), Value::Array(wanted)) => {
            held.len() == wanted.len()
                && held
                    .iter()
                    .zip(wanted)
                    .all(|(held, wanted)| contains(held, wanted))
        }
        (held, wanted) => held == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Kind {
        Kind::new("apps/v1", "Deployment", "deployments", true)
    }

    fn check(manifest: &Value, observed: Option<&Value>, writes: bool) {
        let write = write(&deployment(), manifest, observed, &Applied::new());
        assert_eq!(write.is_some(), writes, "{manifest} over {observed:?}");
    }

    #[test]
    fn defaults_added_by_the_server_are_no_drift() {
        let manifest = json!({"metadata": {"name": "a"}, "spec": {"replicas": 2, "list": [{"x": 1}]}});
        check(&manifest, None, true);
        let mut held = json!({"metadata": {"name": "a", "uid": "u", "generation": 1},
            "spec": {"replicas": 2, "strategy": {}, "list": [{"x": 1, "y": 2}]}});
        check(&manifest, Some(&held), false);
        held["spec"]["replicas"] = json!(3);
        check(&manifest, Some(&held), true);
    }

    #[test]
    fn a_value_stored_in_another_form_is_applied_once() {
        let manifest = json!({"metadata": {"name": "a"}, "spec": {"cpu": "0.5"}});
        let held = json!({"metadata": {"name": "a", "generation": 4}, "spec": {"cpu": "500m"}});
        let key = (deployment(), Key::of(&manifest));
        let applied = Applied::from([(key, (manifest.clone(), version(&held)))]);
        assert_eq!(write(&deployment(), &manifest, Some(&held), &applied), None);
        let moved = json!({"metadata": {"name": "a", "generation": 5}, "spec": {"cpu": "400m"}});
        assert!(write(&deployment(), &manifest, Some(&moved), &applied).is_some());
    }
}
