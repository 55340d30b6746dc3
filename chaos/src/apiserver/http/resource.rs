//! Requests for resources: get, list and watch here, writes in [`super::write`].

use std::sync::Arc;

use hyper::{Method, Response};
use serde_json::json;

use super::negotiate::Form;
use super::respond::{self, Body};
use super::route::Target;
use super::{Call, Context, pods, reviews, stream, write};
use crate::apiserver::convert;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::{Kind, Source};
use crate::apiserver::selector::{Selector, fields::FieldSelector, labels::LabelSelector};
use crate::apiserver::store::scale;
use crate::apiserver::store::{ListQuery, Subresource};

pub(super) async fn handle(
    context: &Arc<Context>,
    target: Target,
    call: Call,
) -> Result<Response<Body>, ApiError> {
    if reviews::is_review(&target.gvr) {
        return reviews::handle(&target, call).await;
    }
    let kind = context.store.kind(&target.gvr)?;
    if target.namespace.is_some() && !kind.namespaced {
        return Err(ApiError::no_such_path());
    }
    let mut response = match (&target.name, call.method.clone()) {
        _ if target
            .subresource
            .as_deref()
            .is_some_and(|sub| pods::is_special(&kind, sub)) =>
        {
            pods::handle(context, &kind, &target, call).await?
        }
        (Some(_), Method::GET | Method::HEAD) if !watches(&target, &call) => {
            get(context, &kind, &target, &call)?
        }
        (_, Method::GET | Method::HEAD) => list(context, &kind, &target, &call)?,
        (None, Method::POST) => write::create(context, &kind, &target, call).await?,
        (Some(_), Method::PUT) => write::update(context, &kind, &target, call).await?,
        (Some(_), Method::PATCH) => write::patch(context, &kind, &target, call).await?,
        (_, Method::DELETE) if target.subresource.is_none() => {
            write::delete(context, &kind, &target, call).await?
        }
        _ => {
            return Err(ApiError::not_allowed(
                "the server does not allow this method on the requested resource",
            ));
        }
    };
    if let Source::Custom {
        deprecated: Some(warning),
        ..
    } = &kind.source
    {
        respond::warn(&mut response, std::slice::from_ref(warning));
    }
    Ok(response)
}

fn watches(target: &Target, call: &Call) -> bool {
    target.watch || (call.params.get("watch").is_some() && call.params.flag("watch"))
}

/// The namespace a named object is looked up in; namespaced kinds need one in the path.
pub(super) fn home<'a>(kind: &Kind, target: &'a Target) -> Result<&'a str, ApiError> {
    match (&target.namespace, kind.namespaced) {
        (Some(namespace), true) => Ok(namespace),
        (None, true) => Err(ApiError::no_such_path()),
        (_, false) => Ok(""),
    }
}

pub(super) fn subresource(kind: &Kind, target: &Target) -> Result<Subresource, ApiError> {
    Subresource::parse(target.subresource.as_deref().unwrap_or_default(), kind)
}

fn get(context: &Context, kind: &Kind, target: &Target, call: &Call) -> Result<Response<Body>, ApiError> {
    let form = Form::choose(&call.accept, &call.params)?;
    let namespace = home(kind, target)?;
    let which = subresource(kind, target)?;
    let name = target.name.as_deref().unwrap_or_default();
    let stored = context.store.find(kind, namespace, name)?;
    if which == Subresource::Scale {
        return Ok(respond::json(&scale::read(kind, &convert::value(kind, &stored))?));
    }
    if form == Form::Object {
        return Ok(respond::json_bytes(convert::bytes(kind, &stored)));
    }
    Ok(respond::json(&form.object(
        kind,
        convert::value(kind, &stored),
        stored.rv,
    )))
}

fn list(
    context: &Arc<Context>,
    kind: &Arc<Kind>,
    target: &Target,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    if target.subresource.is_some() {
        return Err(ApiError::no_such_path());
    }
    let form = Form::choose(&call.accept, &call.params)?;
    let query = query(kind, target, call)?;
    if watches(target, call) {
        return stream::watch(context, kind, query, form, &call.params);
    }
    let page = context.store.list_page(kind, &query)?;
    let mut metadata = json!({"resourceVersion": page.rv.to_string()});
    if let Some(next) = &page.next {
        metadata["continue"] = next.as_str().into();
    }
    // As the real server: with a selector it does not count what is left.
    if let Some(remaining) = page.remaining.filter(|_| {
        call.params.text("labelSelector").is_none() && call.params.text("fieldSelector").is_none()
    }) {
        metadata["remainingItemCount"] = remaining.into();
    }
    Ok(respond::json_bytes(form.list(kind, &page.items, metadata)))
}

/// The list options of a request.
pub(super) fn query(kind: &Kind, target: &Target, call: &Call) -> Result<ListQuery, ApiError> {
    let params = &call.params;
    let labels = LabelSelector::parse(params.get("labelSelector").unwrap_or_default())
        .map_err(ApiError::bad_request)?;
    let mut fields = params.get("fieldSelector").unwrap_or_default().to_owned();
    if let Some(name) = &target.name {
        let separator = if fields.is_empty() { "" } else { "," };
        fields.push_str(&format!("{separator}metadata.name={name}"));
    }
    let fields = FieldSelector::parse(&fields, kind).map_err(ApiError::bad_request)?;
    let resource_version = params.number("resourceVersion")?;
    let exact = match (params.text("resourceVersionMatch"), resource_version) {
        (None, _) => false,
        (Some("Exact"), Some(0)) => {
            return Err(ApiError::bad_request(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        (Some("Exact"), Some(_)) => true,
        (Some("NotOlderThan"), _)
            if resource_version.is_some() || params.get("sendInitialEvents").is_some() =>
        {
            false
        }
        (Some("Exact" | "NotOlderThan"), _) => {
            return Err(ApiError::bad_request(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        (Some(other), _) => {
            return Err(ApiError::bad_request(format!(
                "resourceVersionMatch: Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\""
            )));
        }
    };
    let continue_token = params.text("continue").map(str::to_owned);
    if continue_token.is_some() && resource_version.is_some_and(|rv: u64| rv > 0) {
        return Err(ApiError::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    Ok(ListQuery {
        namespace: target.namespace.clone(),
        selector: Selector { labels, fields },
        limit: params.number("limit")?.unwrap_or(0),
        continue_token,
        resource_version,
        exact,
    })
}
