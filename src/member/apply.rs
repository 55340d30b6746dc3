//! Which objects of a member must change so that it holds what its works say. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    interpret,
    propagate::names::keys,
    store::{Key, Kind, Op, Write, annotation, generation, label, resource_version, uid},
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

/// Why `observed`, which stands in the member where `manifest` is to go, is left as it is; none if it may be
/// written. It may where it came from this work, where nobody but us made it, and where the manifest says
/// `overwrite`, as in Karmada.
pub(super) fn refusal(cluster: &str, kind: &Kind, manifest: &Value, observed: &Value) -> Option<String> {
    // A namespace that was made for the sake of what goes into it belongs to no work.
    let made_by_us = label(observed, keys::MANAGED) == Some("true") && !of_some_work(observed);
    let overwrite = annotation(manifest, keys::CONFLICT_RESOLUTION) == Some("overwrite");
    if overwrite || made_by_us || of_same_work(manifest, observed) {
        return None;
    }
    Some(format!(
        "{} {} exists in {cluster} and is not managed by this work: annotation {} is \"abort\"; allowed is \
         \"overwrite\" (spec.conflictResolution: Overwrite of the policy), which takes the object over",
        kind.kind,
        Key::of(manifest),
        keys::CONFLICT_RESOLUTION,
    ))
}

/// By the id of the work, or by its name where the id is another, such as the random one of Karmada.
fn of_same_work(manifest: &Value, observed: &Value) -> bool {
    let same = |wanted: Option<&str>, held: Option<&str>| wanted.is_some() && wanted == held;
    let annotated = |key: &str| same(annotation(manifest, key), annotation(observed, key));
    same(label(manifest, keys::WORK_ID), label(observed, keys::WORK_ID))
        || (annotated(keys::WORK_NAMESPACE) && annotated(keys::WORK_NAME))
}

fn of_some_work(observed: &Value) -> bool {
    label(observed, keys::WORK_ID).is_some() || annotation(observed, keys::WORK_NAME).is_some()
}

/// Whether `observed` is what we put there for `manifest`; nothing else is ever removed.
pub(super) fn ours(manifest: &Value, observed: &Value) -> bool {
    label(observed, keys::MANAGED) == Some("true") && of_same_work(manifest, observed)
}

/// The write that removes an object; none if it is on its way out.
pub(super) fn removal(kind: &Kind, observed: &Value) -> Option<Write> {
    let going = observed.pointer("/metadata/deletionTimestamp").is_some();
    (!going).then(|| Write {
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

    fn marked(manifest: bool, id: &str, work: &str) -> Value {
        let mut object = json!({
            "metadata": { "namespace": "shop", "name": "a", "uid": "u",
                "labels": { "work.karmada.io/permanent-id": id },
                "annotations": { "work.karmada.io/namespace": "karmada-es-m", "work.karmada.io/name": work } },
        });
        if manifest {
            object["metadata"]["annotations"]["work.karmada.io/conflict-resolution"] = json!("abort");
        } else {
            object["metadata"]["labels"]["karmada.io/managed"] = json!("true");
        }
        object
    }

    #[test]
    fn an_object_of_somebody_else_is_neither_written_nor_removed() {
        let manifest = marked(true, "1", "w");
        let bare = json!({"metadata": {"namespace": "shop", "name": "a", "uid": "u"}});
        let labelled = json!({"metadata": {"name": "a", "labels": {"karmada.io/managed": "true"}}});
        // (observed, may be written, may be removed)
        let cases = [
            (bare.clone(), false, false),
            (labelled, true, false),
            (marked(false, "1", "w"), true, true),
            (marked(false, "of Karmada", "w"), true, true),
            (marked(false, "1", "other"), true, true),
            (marked(false, "2", "other"), false, false),
        ];
        for (observed, written, removed) in cases {
            let refusal = refusal("m", &deployment(), &manifest, &observed);
            assert_eq!(refusal.is_none(), written, "{observed}: {refusal:?}");
            assert_eq!(ours(&manifest, &observed), removed, "{observed}");
        }
        let mut overwrite = manifest;
        overwrite["metadata"]["annotations"]["work.karmada.io/conflict-resolution"] = json!("overwrite");
        assert_eq!(refusal("m", &deployment(), &overwrite, &bare), None);
    }

    #[test]
    fn a_refusal_names_the_object_the_cluster_and_what_is_allowed() {
        let bare = json!({"metadata": {"namespace": "shop", "name": "a"}});
        let refusal = refusal("m", &deployment(), &marked(true, "1", "w"), &bare).unwrap();
        for part in [
            "Deployment shop/a",
            "exists in m",
            "work.karmada.io/conflict-resolution",
            "\"overwrite\"",
        ] {
            assert!(refusal.contains(part), "{part} is not in: {refusal}");
        }
    }
}
