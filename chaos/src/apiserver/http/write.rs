//! Create, update, patch and delete requests.

use std::sync::Arc;

use hyper::Response;
use serde_json::{Value, json};

use super::body::{self, Syntax};
use super::negotiate::Form;
use super::resource::{home, query, subresource};
use super::respond::{self, Body};
use super::route::Target;
use super::{Call, Context};
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::meta;
use crate::apiserver::store::options::Propagation;
use crate::apiserver::store::scale;
use crate::apiserver::store::{DeleteOptions, FieldValidation, PatchKind, Subresource, WriteOptions};

/// What the query parameters and the user agent say about a write.
fn options(call: &Call) -> Result<WriteOptions, ApiError> {
    let agent = call.user_agent.split(['/', ' ']).next().unwrap_or_default();
    let manager =
        call.params
            .text("fieldManager")
            .unwrap_or(if agent.is_empty() { "unknown" } else { agent });
    if manager.len() > 128 || manager.chars().any(char::is_control) {
        return Err(ApiError::bad_request(
            "fieldManager: Invalid value: must be at most 128 printable characters",
        ));
    }
    Ok(WriteOptions {
        manager: manager.to_owned(),
        dry_run: call.params.dry_run()?,
        force: call.params.text("force").is_some() && call.params.flag("force"),
        validation: FieldValidation::parse(call.params.get("fieldValidation"))?,
        ..WriteOptions::in_process()
    })
}

async fn read(call: &mut Call, options: &mut WriteOptions) -> Result<Value, ApiError> {
    let syntax = Syntax::of(&call.content_type)?;
    let bytes = call.read_body().await?;
    let decoded = body::decode(&bytes, syntax)?;
    options.duplicates = decoded.duplicates;
    Ok(decoded.value)
}

fn answer(
    kind: &Kind,
    call: &Call,
    code: u16,
    object: Value,
    options: &WriteOptions,
    subresource: Subresource,
) -> Result<Response<Body>, ApiError> {
    let object = if subresource == Subresource::Scale {
        scale::read(kind, &object)?
    } else {
        let rv = meta::text(&object, "resourceVersion")
            .and_then(|rv| rv.parse().ok())
            .unwrap_or(0);
        Form::choose(&call.accept, &call.params)?.object(kind, object, rv)
    };
    let mut response = respond::json_code(code, &object);
    respond::warn(&mut response, &options.warnings);
    Ok(response)
}

pub(super) async fn create(
    context: &Context,
    kind: &Arc<Kind>,
    target: &Target,
    mut call: Call,
) -> Result<Response<Body>, ApiError> {
    if kind.namespaced && target.namespace.is_none() {
        return Err(ApiError::not_allowed(
            "the server does not allow this method on the requested resource",
        ));
    }
    let mut options = options(&call)?;
    let object = read(&mut call, &mut options).await?;
    let created = context
        .store
        .create_with(kind, target.namespace.as_deref(), object, &mut options)?;
    answer(kind, &call, 201, created, &options, Subresource::None)
}

pub(super) async fn update(
    context: &Context,
    kind: &Arc<Kind>,
    target: &Target,
    mut call: Call,
) -> Result<Response<Body>, ApiError> {
    let namespace = home(kind, target)?;
    let which = subresource(kind, target)?;
    let name = target.name.as_deref().unwrap_or_default();
    let mut options = options(&call)?;
    let object = read(&mut call, &mut options).await?;
    let updated = context
        .store
        .update_with(kind, namespace, name, which, object, &mut options)?;
    answer(kind, &call, 200, updated, &options, which)
}

pub(super) async fn patch(
    context: &Context,
    kind: &Arc<Kind>,
    target: &Target,
    mut call: Call,
) -> Result<Response<Body>, ApiError> {
    let namespace = home(kind, target)?;
    let which = subresource(kind, target)?;
    let name = target.name.as_deref().unwrap_or_default();
    let media = call.content_type.split(';').next().unwrap_or_default().trim();
    let how = match media {
        "application/json-patch+json" => PatchKind::Json,
        "application/merge-patch+json" => PatchKind::Merge,
        "application/strategic-merge-patch+json" => PatchKind::Strategic,
        "application/apply-patch+yaml" => PatchKind::Apply,
        other => {
            return Err(ApiError::unsupported_media(format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
            )));
        }
    };
    let mut options = options(&call)?;
    if how == PatchKind::Apply && call.params.text("fieldManager").is_none() {
        options.manager.clear();
    }
    if how != PatchKind::Apply && options.force {
        return Err(ApiError::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        ));
    }
    let patch = read(&mut call, &mut options).await?;
    if how == PatchKind::Json {
        // Operations repeat "op" and "path" by nature; duplicates inside one are the client's business.
        options.duplicates.clear();
    }
    let patched = context
        .store
        .patch_with(kind, namespace, name, which, how, &patch, &mut options)?;
    let code = if options.created { 201 } else { 200 };
    answer(kind, &call, code, patched, &options, which)
}

pub(super) async fn delete(
    context: &Context,
    kind: &Arc<Kind>,
    target: &Target,
    mut call: Call,
) -> Result<Response<Body>, ApiError> {
    let options = delete_options(&mut call).await?;
    let Some(name) = target.name.as_deref() else {
        let query = query(kind, target, &call)?;
        let deleted = context.store.delete_collection(kind, &query, &options)?;
        return Ok(respond::json(&json!({
            "kind": kind.list_kind, "apiVersion": kind.api_version(),
            "metadata": {"resourceVersion": context.store.resource_version().to_string()}, "items": deleted,
        })));
    };
    let deleted = context
        .store
        .delete_with(kind, home(kind, target)?, name, &options)?;
    if !deleted.gone || kind.is_core("pods") {
        return Ok(respond::json(&deleted.object));
    }
    Ok(respond::json(&json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": name, "group": kind.group, "kind": kind.resource, "uid": meta::uid(&deleted.object)},
    })))
}

/// From the body, with query parameters for what it leaves out.
pub(super) async fn delete_options(call: &mut Call) -> Result<DeleteOptions, ApiError> {
    let bytes = call.read_body().await?;
    let body = if bytes.iter().all(u8::is_ascii_whitespace) {
        Value::Null
    } else {
        body::decode(&bytes, Syntax::of(&call.content_type)?)?.value
    };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let policy = text("/propagationPolicy").or_else(|| call.params.text("propagationPolicy"));
    let orphan = body.get("orphanDependents").and_then(Value::as_bool);
    let propagation = match (policy, orphan) {
        (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
        (Some("Foreground"), _) => Propagation::Foreground,
        (Some("Background") | None, _) => Propagation::Background,
        (Some(other), _) => {
            return Err(ApiError::bad_request(format!(
                "propagationPolicy: Unsupported value: \"{other}\": supported values: \"Background\", \"Foreground\", \"Orphan\""
            )));
        }
    };
    let dry_run =
        body.pointer("/dryRun/0").and_then(Value::as_str) == Some("All") || call.params.dry_run()?;
    Ok(DeleteOptions {
        propagation,
        grace_period_s: body
            .get("gracePeriodSeconds")
            .and_then(Value::as_i64)
            .or(call.params.number("gracePeriodSeconds")?),
        uid: text("/preconditions/uid").map(str::to_owned),
        resource_version: text("/preconditions/resourceVersion").map(str::to_owned),
        dry_run,
    })
}
