use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(from: &Value, to: &Value, expected: Option<Value>) {
    assert_eq!(diff(from, to), expected, "{from} to {to}");
}

#[test]
fn a_patch_names_what_changes_and_nothing_else() {
    check(&json!({"a": 1}), &json!({"a": 1}), None);
    let patch = json!({"a": null, "b": {"d": null}});
    check(
        &json!({"a": 1, "b": {"c": 1, "d": 2}}),
        &json!({"b": {"c": 1}}),
        Some(patch),
    );
    check(
        &json!({}),
        &json!({"a": {"b": [1]}}),
        Some(json!({"a": {"b": [1]}})),
    );
    check(&json!({"a": [1, 2]}), &json!({"a": [2]}), Some(json!({"a": [2]})));
    check(&json!({"a": null}), &json!({"b": null}), None);
}

#[test]
fn other_fields_are_left_alone() {
    let (from, to) = (json!({"mine": {"a": 1}, "theirs": 1}), json!({"mine": {"b": 1}}));
    let changes = Value::Object(diff_fields(&from, &to, &["mine", "gone"]));
    assert_eq!(changes, json!({"mine": {"a": null, "b": 1}}));
}

/// Values without `null`, which a merge patch cannot store.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "[ab]".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_patch_leads_to_its_goal(from in values(), to in values()) {
        let mut patched = from.clone();
        if let Some(patch) = diff(&from, &to) {
            apply(patch, &mut patched);
        }
        prop_assert_eq!(&patched, &to);
        prop_assert_eq!(diff(&patched, &to), None);
    }
}
