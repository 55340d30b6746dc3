//! JSON patch (RFC 6902).

use serde_json::Value;

/// Bound on the operations of one patch, as the real server has it.
const MAX_OPERATIONS: usize = 10_000;

#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// Not a JSON patch.
    Malformed(String),
    /// A JSON patch that does not apply to this object.
    Refused(String),
}

/// Applies the patch; the target is unchanged if it fails.
pub(crate) fn apply(target: &mut Value, patch: &Value) -> Result<(), Failure> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|error| {
        Failure::Malformed(format!(
            "json: a JSON patch must be a list of operations: {error}"
        ))
    })?;
    if operations.0.len() > MAX_OPERATIONS {
        let message = format!(
            "the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.0.len()
        );
        return Err(Failure::Refused(message));
    }
    json_patch::patch(target, &operations.0).map_err(|error| Failure::Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_apply_or_leave_the_target_alone() {
        let mut target = json!({"a": {"b": [1, 2]}});
        let patch = json!([{"op": "test", "path": "/a/b/0", "value": 1}, {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "replace", "path": "/a/b/0", "value": 9}, {"op": "remove", "path": "/a/b/1"}]);
        apply(&mut target, &patch).unwrap();
        assert_eq!(target, json!({"a": {"b": [9, 3]}}));
        let refused = json!([{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/nope"}]);
        assert!(matches!(apply(&mut target, &refused), Err(Failure::Refused(_))));
        assert_eq!(target, json!({"a": {"b": [9, 3]}}));
        assert!(matches!(
            apply(&mut target, &json!({"op": "add"})),
            Err(Failure::Malformed(_))
        ));
    }
}
