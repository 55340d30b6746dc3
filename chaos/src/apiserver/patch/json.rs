//! JSON patch (RFC 6902).

use json_patch::PatchOperation;
use serde_json::Value;

use crate::apiserver::schema::conform::{MAX_DEPTH, too_deep};

/// Bound on the operations of one patch, as the real server has it.
const MAX_OPERATIONS: usize = 10_000;
/// Each is checked, which takes time in proportion to the object.
const MAX_RELOCATIONS: usize = 100;
const MAX_COPIED_BYTES: usize = 3 << 20;

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
    let relocates =
        |operation: &PatchOperation| matches!(operation, PatchOperation::Copy(_) | PatchOperation::Move(_));
    let count = operations
        .0
        .iter()
        .filter(|operation| relocates(operation))
        .count();
    if count > MAX_RELOCATIONS {
        let message = format!(
            "at most {MAX_RELOCATIONS} copy and move operations are done in a JSON patch, got {count}"
        );
        return Err(Failure::Refused(message));
    }
    if operations
        .0
        .iter()
        .any(|operation| operation.path().count() > MAX_DEPTH)
    {
        return Err(Failure::Refused(format!(
            "a path leads deeper than {MAX_DEPTH} levels"
        )));
    }
    if count == 0 {
        return json_patch::patch(target, &operations.0).map_err(|error| Failure::Refused(error.to_string()));
    }
    // A copy can double the object, a copy or move can nest it in itself; look after every one.
    let mut work = target.clone();
    for operation in operations.0 {
        let look = relocates(&operation);
        json_patch::patch(&mut work, &[operation]).map_err(|error| Failure::Refused(error.to_string()))?;
        if look && (too_deep(&work) || work.to_string().len() > MAX_COPIED_BYTES) {
            let message = format!(
                "the object would exceed {MAX_COPIED_BYTES} bytes or {MAX_DEPTH} levels while it is patched"
            );
            return Err(Failure::Refused(message));
        }
    }
    *target = work;
    Ok(())
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
        for (from, path) in [("/a/b", "/a/b/-"), ("/a", "/a/x")] {
            let bomb = Value::Array(vec![json!({"op": "copy", "from": from, "path": path}); 100]);
            assert!(
                matches!(apply(&mut target, &bomb), Err(Failure::Refused(_))),
                "{from}"
            );
        }
        let deep = json!([{"op": "add", "path": "/x".repeat(200), "value": 1}]);
        assert!(matches!(apply(&mut target, &deep), Err(Failure::Refused(_))));
    }
}
