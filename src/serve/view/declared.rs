//! Names by the TrafficPolicies that declare them, whether they are served or not. Pure.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use crate::{
    controller::Kinds,
    serve::state::Condition,
    store::{Index, name, namespace},
};

/// One TrafficPolicy that declares a name.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    /// `NAMESPACE/NAME`.
    pub policy: String,
    /// Its condition `Ready`; none where the controller has not judged it yet.
    pub condition: Option<Condition>,
    #[serde(skip)]
    pub object: Arc<Value>,
}

impl Declared {
    /// The policy and its condition in a sentence.
    pub fn told(&self) -> String {
        let told = self.condition.as_ref().map_or_else(
            || "not judged by the controller yet".to_owned(),
            |condition| format!("{}: {}", condition.reason, condition.message),
        );
        format!("TrafficPolicy {}: {told}", self.policy)
    }
}

/// Lower case, without the final dot.
pub fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Every declared name; of several policies the one that speaks for the name comes first.
pub fn names(index: &Index, kinds: &Kinds) -> BTreeMap<String, Vec<Declared>> {
    let mut names: BTreeMap<String, Vec<Declared>> = BTreeMap::new();
    for object in index.list(&kinds.traffic_policy) {
        let Some(declared) = object.pointer("/spec/name").and_then(Value::as_str) else {
            continue;
        };
        let conditions = object.pointer("/status/conditions").cloned().unwrap_or_default();
        let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
        names.entry(canonical(declared)).or_default().push(Declared {
            policy: format!("{}/{}", namespace(&object), name(&object)),
            condition: conditions.into_iter().find(|condition| condition.kind == "Ready"),
            object,
        });
    }
    let taken = |declared: &Declared| {
        let condition = declared.condition.as_ref();
        condition.is_some_and(|condition| condition.reason == "NameTaken")
    };
    for policies in names.values_mut() {
        policies.sort_by_key(taken);
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_declared_name_tells_what_became_of_it() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let policy = |name: &str, reason: &str| {
            json!({
                "metadata": { "namespace": "default", "name": name },
                "spec": { "name": "Shop.demo.example." },
                "status": { "conditions": [
                    { "type": "Ready", "status": "False", "reason": reason, "message": "because" },
                ]},
            })
        };
        index.apply(&kinds.traffic_policy, policy("a", "NameTaken"));
        index.apply(&kinds.traffic_policy, policy("b", "NotReady"));
        let new = json!({ "metadata": { "namespace": "x", "name": "new" }, "spec": { "name": "new.demo.example" } });
        index.apply(&kinds.traffic_policy, new);
        let told: Vec<(String, Vec<String>)> = names(&index, &kinds)
            .into_iter()
            .map(|(name, policies)| (name, policies.iter().map(Declared::told).collect()))
            .collect();
        let expected = [
            (
                "new.demo.example",
                vec!["TrafficPolicy x/new: not judged by the controller yet"],
            ),
            (
                "shop.demo.example",
                vec![
                    "TrafficPolicy default/b: NotReady: because",
                    "TrafficPolicy default/a: NameTaken: because",
                ],
            ),
        ];
        let expected = expected.map(|(name, told)| {
            (
                name.to_owned(),
                told.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            )
        });
        assert_eq!(told, expected);
    }
}
