//! What is served: the group and resource lists kubectl and kube-rs start with, plain and aggregated.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::respond::{self, Body};
use super::reviews::REVIEWS;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::{Kind, Source};
use crate::apiserver::store::Store;

mod aggregated;

/// The Kubernetes version whose API is modelled.
pub(super) fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3+lifeboat", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "simulated/any"})
}

/// Group → version → kinds, versions newest first.
pub(super) type Groups = BTreeMap<String, Vec<(String, Vec<Arc<Kind>>)>>;

pub(super) fn groups(store: &Store) -> Groups {
    let state = store.inner.state.read();
    let mut groups = Groups::new();
    for kind in state.registry.iter() {
        add(&mut groups, &kind.group, &kind.version).push(kind.clone());
    }
    for (group, ..) in REVIEWS {
        add(&mut groups, group, "v1");
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(priority(version)));
    }
    groups
}

fn add<'a>(groups: &'a mut Groups, group: &str, version: &str) -> &'a mut Vec<Arc<Kind>> {
    let versions = groups.entry(group.to_owned()).or_default();
    let at = versions
        .iter()
        .position(|(found, _)| found == version)
        .unwrap_or_else(|| {
            versions.push((version.to_owned(), Vec::new()));
            versions.len() - 1
        });
    &mut versions[at].1
}

/// Kubernetes' order of versions: stable before beta before alpha, higher numbers first.
fn priority(version: &str) -> (u8, u32, u32) {
    let parse = || -> Option<(u8, u32, u32)> {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major = rest[..digits].parse().ok()?;
        let (stage, minor) = match &rest[digits..] {
            "" => (3, 0),
            beta if beta.starts_with("beta") => (2, beta[4..].parse().unwrap_or(0)),
            alpha if alpha.starts_with("alpha") => (1, alpha[5..].parse().unwrap_or(0)),
            _ => return None,
        };
        Some((stage, major, minor))
    };
    parse().unwrap_or_default()
}

pub(super) fn root(store: &Store) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in groups(store).iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(
            versions
                .iter()
                .map(|(version, _)| format!("/apis/{group}/{version}")),
        );
    }
    paths.extend(
        [
            "/healthz",
            "/livez",
            "/openapi/v2",
            "/openapi/v3",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned),
    );
    json!({"paths": paths})
}

pub(super) fn api(store: &Store, accept: &str, addr: SocketAddr) -> Response<Body> {
    if aggregated::wanted(accept) {
        return aggregated_response(&aggregated::document(&groups(store), true));
    }
    respond::json(&json!({"kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": addr.to_string()}]}))
}

pub(super) fn apis(store: &Store, accept: &str) -> Response<Body> {
    let groups = groups(store);
    if aggregated::wanted(accept) {
        return aggregated_response(&aggregated::document(&groups, false));
    }
    let groups = groups.iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = groups
        .map(|(group, versions)| api_group(group, versions))
        .collect();
    respond::json(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

fn aggregated_response(document: &Value) -> Response<Body> {
    let mut response = respond::json(document);
    let media =
        HeaderValue::from_static("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

fn api_group(group: &str, versions: &[(String, Vec<Arc<Kind>>)]) -> Value {
    let entry = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let listed: Vec<Value> = versions.iter().map(|(version, _)| entry(version)).collect();
    json!({"name": group, "versions": listed, "preferredVersion": listed.first()})
}

pub(super) fn group(store: &Store, group: &str) -> Result<Response<Body>, ApiError> {
    let groups = groups(store);
    let versions = groups
        .get(group)
        .filter(|_| !group.is_empty())
        .ok_or_else(ApiError::no_such_path)?;
    let mut found = api_group(group, versions);
    found["kind"] = "APIGroup".into();
    found["apiVersion"] = "v1".into();
    Ok(respond::json(&found))
}

pub(super) fn group_version(store: &Store, group: &str, version: &str) -> Result<Response<Body>, ApiError> {
    let groups = groups(store);
    let versions = groups.get(group).ok_or_else(ApiError::no_such_path)?;
    let (_, kinds) = versions
        .iter()
        .find(|(found, _)| found == version)
        .ok_or_else(ApiError::no_such_path)?;
    let mut resources: Vec<Value> = kinds.iter().flat_map(|kind| resources(kind)).collect();
    for (_, resource, kind, namespaced) in REVIEWS.iter().filter(|row| row.0 == group) {
        resources.push(
            json!({"name": resource, "singularName": kind.to_ascii_lowercase(),
            "namespaced": namespaced, "kind": kind, "verbs": ["create"]}),
        );
    }
    let name = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Ok(respond::json(
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}),
    ))
}

pub(super) const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// A resource and its subresources, as an `APIResourceList` has them.
fn resources(kind: &Kind) -> Vec<Value> {
    let mut main = json!({"name": kind.resource, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": VERBS, "storageVersionHash": ""});
    if !kind.short_names.is_empty() {
        main["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        main["categories"] = json!(kind.categories);
    }
    let mut all = vec![main];
    for (name, of, verbs) in subresources(kind) {
        let mut entry = json!({"name": format!("{}/{name}", kind.resource), "singularName": "",
            "namespaced": kind.namespaced, "kind": of, "verbs": verbs});
        match name {
            "scale" => {
                entry["group"] = "autoscaling".into();
                entry["version"] = "v1".into();
            }
            "eviction" => {
                entry["group"] = "policy".into();
                entry["version"] = "v1".into();
            }
            _ => {}
        }
        all.push(entry);
    }
    all
}

/// Name, kind and verbs of each subresource.
pub(super) fn subresources(kind: &Kind) -> Vec<(&'static str, String, Vec<&'static str>)> {
    let mut all = Vec::new();
    let writable = || vec!["get", "patch", "update"];
    if let Source::Builtin(row) = &kind.source {
        all.extend(
            row.extra
                .iter()
                .map(|(name, of, verbs)| (*name, (*of).to_owned(), verbs.to_vec())),
        );
    }
    if kind.scale.is_some() {
        all.push(("scale", "Scale".to_owned(), writable()));
    }
    if kind.status {
        all.push(("status", kind.kind.clone(), writable()));
    }
    all
}
