//! Subresources that are acts rather than views: binding, eviction, finalize; and those that need a kubelet.

use std::sync::Arc;

use hyper::{Method, Response};
use serde_json::{Value, json};

use super::body::{self, Syntax};
use super::resource::home;
use super::respond::{self, Body};
use super::route::Target;
use super::{Call, Context, write};
use crate::apiserver::convert;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::store::{PatchKind, Subresource, WriteOptions};

pub(super) fn is_special(kind: &Kind, subresource: &str) -> bool {
    match kind.resource.as_str() {
        "pods" => matches!(
            subresource,
            "binding"
                | "eviction"
                | "log"
                | "exec"
                | "attach"
                | "portforward"
                | "proxy"
                | "ephemeralcontainers"
                | "resize"
        ),
        "namespaces" => subresource == "finalize",
        "services" | "nodes" => subresource == "proxy",
        "serviceaccounts" => subresource == "token",
        _ => false,
    }
}

pub(super) async fn handle(
    context: &Context,
    kind: &Arc<Kind>,
    target: &Target,
    mut call: Call,
) -> Result<Response<Body>, ApiError> {
    let namespace = home(kind, target)?;
    let name = target.name.as_deref().unwrap_or_default();
    let stored = context.store.find(kind, namespace, name)?;
    match (target.subresource.as_deref(), call.method.clone()) {
        (Some("finalize"), Method::PUT) => Ok(respond::json(&convert::value(kind, &stored))),
        (Some("binding"), Method::POST) => {
            let bytes = call.read_body().await?;
            let binding = body::decode(&bytes, Syntax::of(&call.content_type)?)?.value;
            bind(context, kind, namespace, name, &binding)
        }
        (Some("eviction"), Method::POST) => {
            let bytes = call.read_body().await?;
            let eviction = body::decode(&bytes, Syntax::of(&call.content_type)?)?.value;
            let grace = eviction.pointer("/deleteOptions/gracePeriodSeconds").and_then(Value::as_i64);
            let options = crate::apiserver::store::DeleteOptions {
                grace_period_s: grace,
                dry_run: call.params.dry_run()?,
                ..Default::default()
            };
            context.store.delete_with(kind, namespace, name, &options)?;
            let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
            Ok(respond::json_code(201, &done))
        }
        (Some(what), _) => Err(ApiError::not_implemented(format!(
            "{what} of {} \"{name}\" is not available: this is a simulated cluster, its containers do not run",
            kind.group_resource()
        ))
        .about(&kind.group, &kind.resource, name)),
        (None, _) => write::delete(context, kind, target, call).await,
    }
}

/// What a scheduler does: names the node of a pod that has none.
fn bind(
    context: &Context,
    kind: &Arc<Kind>,
    namespace: &str,
    name: &str,
    binding: &Value,
) -> Result<Response<Body>, ApiError> {
    let node = binding
        .pointer("/target/name")
        .and_then(Value::as_str)
        .filter(|node| !node.is_empty());
    let node = node
        .ok_or_else(|| ApiError::bad_request("target.name: Required value: the node to bind the pod to"))?;
    let pod = convert::value(kind, &*context.store.find(kind, namespace, name)?);
    if let Some(bound) = pod
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .filter(|bound| !bound.is_empty())
    {
        return Err(ApiError::conflict(
            kind,
            name,
            &format!("pod {name} is already assigned to node \"{bound}\""),
        ));
    }
    let version = pod
        .pointer("/metadata/resourceVersion")
        .cloned()
        .unwrap_or_default();
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"nodeName": node}});
    let mut options = WriteOptions {
        manager: "kube-scheduler".to_owned(),
        ..WriteOptions::in_process()
    };
    context.store.patch_with(
        kind,
        namespace,
        name,
        Subresource::None,
        PatchKind::Merge,
        &patch,
        &mut options,
    )?;
    let done =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::json_code(201, &done))
}
