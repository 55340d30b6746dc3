//! `/openapi/v3`: an index, and one document a group version.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hyper::Response;
use serde_json::{Map, Value, json};

use super::super::discovery;
use super::super::respond::{self, Body};
use super::{definitions, paths, relocate};
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::{Kind, Source};
use crate::apiserver::schema::builtin;
use crate::apiserver::store::Store;

/// The `hash` lets clients cache a document: that of a custom group follows its schemas.
pub(crate) fn index(store: &Store) -> Value {
    let mut paths = Map::new();
    for (group, versions) in discovery::groups(store) {
        for (version, kinds) in versions {
            let path = if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            };
            let custom = kinds.iter().any(|kind| kind.is_custom());
            let hash = if custom {
                custom_hash(&kinds)
            } else {
                builtin::fingerprint()
            };
            let url = format!("/openapi/v3/{path}?hash={hash:016X}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

fn custom_hash(kinds: &[Arc<Kind>]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    for kind in kinds {
        (&kind.kind, kind.namespaced, kind.status, kind.scale.is_some()).hash(&mut hasher);
        if let Source::Custom { raw_schema, .. } = &kind.source {
            raw_schema.hash(&mut hasher);
        }
    }
    hasher.finish()
}

pub(crate) fn document(store: &Store, group: &str, version: &str) -> Result<Response<Body>, ApiError> {
    let groups = discovery::groups(store);
    let versions = groups.get(group).ok_or_else(ApiError::no_such_path)?;
    let (_, kinds) = versions
        .iter()
        .find(|(found, _)| found == version)
        .ok_or_else(ApiError::no_such_path)?;
    let mut schemas = Value::Object(definitions(kinds));
    relocate(&mut schemas, "#/components/schemas/", true);
    let mut all = Map::new();
    for kind in kinds {
        paths::v3(kind, &mut all);
    }
    Ok(respond::json(&json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.3+lifeboat"},
        "paths": all, "components": {"schemas": schemas},
    })))
}
