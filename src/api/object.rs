//! Reading a typed view out of a raw object, with an error that names the object and the field.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object that does not have the shape its kind has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {path}: {reason}")]
pub struct ViewError {
    /// `Kind namespace/name`.
    pub object: String,
    /// Field that could not be read, `.` for the whole object.
    pub path: String,
    /// What was found and what is allowed.
    pub reason: String,
}

/// Reads `object` as `T`. Fields that `T` does not know are ignored, and `null` counts as absent.
///
/// # Errors
/// Names the first field that does not fit.
pub fn view<T: DeserializeOwned>(object: &Value) -> Result<T, ViewError> {
    let mut cleaned = object.clone();
    drop_nulls(&mut cleaned);
    serde_path_to_error::deserialize(cleaned).map_err(|error| ViewError {
        object: describe(object),
        path: error.path().to_string(),
        reason: error.inner().to_string(),
    })
}

/// `Kind namespace/name`, with what is missing left out.
pub fn describe(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or("object");
    let name = object["metadata"]["name"].as_str().unwrap_or("without a name");
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, field| !field.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PropagationPolicy;
    use serde_json::json;

    #[test]
    fn error_names_object_and_field() {
        let error = view::<PropagationPolicy>(&json!({
            "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "resourceSelectors": [], "priority": "high" },
        }))
        .unwrap_err();
        assert_eq!(error.object, "PropagationPolicy default/web");
        assert_eq!(error.path, "spec.priority");
    }

    #[test]
    fn cluster_scoped_kinds_say_what_they_are() {
        let written = serde_json::to_value(crate::api::ClusterPropagationPolicy::new(
            "web",
            Default::default(),
        ))
        .unwrap();
        assert_eq!(written["apiVersion"], "policy.karmada.io/v1alpha1");
        assert_eq!(written["kind"], "ClusterPropagationPolicy");
        let binding = crate::api::ClusterResourceBinding::new("web", Default::default());
        let read: crate::api::ClusterResourceBinding =
            view(&serde_json::to_value(&binding).unwrap()).unwrap();
        assert_eq!(read, binding);
    }

    #[test]
    fn null_is_absent() {
        let policy: PropagationPolicy = view(&json!({
            "metadata": { "name": "web" },
            "spec": { "resourceSelectors": [], "placement": { "clusterTolerations": null } },
        }))
        .unwrap();
        assert!(policy.spec.placement.unwrap().cluster_tolerations.is_empty());
    }
}
