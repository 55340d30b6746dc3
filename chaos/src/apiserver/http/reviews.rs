//! Questions about access and identity, answered on the spot: everybody may do everything.

use hyper::{Method, Response};
use serde_json::{Value, json};

use super::Call;
use super::body::{self, Syntax};
use super::respond::{self, Body};
use super::route::Target;
use crate::apiserver::clock;
use crate::apiserver::error::ApiError;
use crate::apiserver::gvr::Gvr;

/// group, resource, kind, namespaced.
pub(super) const REVIEWS: &[(&str, &str, &str, bool)] = &[
    (
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
        false,
    ),
    ("authentication.k8s.io", "tokenreviews", "TokenReview", false),
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        true,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "subjectaccessreviews",
        "SubjectAccessReview",
        false,
    ),
];

pub(super) fn is_review(gvr: &Gvr) -> bool {
    find(gvr).is_some()
}

fn find(gvr: &Gvr) -> Option<&'static str> {
    let mut rows = REVIEWS.iter().filter(|_| gvr.version == "v1");
    rows.find(|(group, resource, ..)| *group == gvr.group && *resource == gvr.resource)
        .map(|(_, _, kind, _)| *kind)
}

pub(super) async fn handle(target: &Target, mut call: Call) -> Result<Response<Body>, ApiError> {
    if call.method != Method::POST || target.name.is_some() {
        return Err(ApiError::not_allowed(
            "the server does not allow this method on the requested resource",
        ));
    }
    let kind = find(&target.gvr).ok_or_else(ApiError::no_such_path)?;
    let bytes = call.read_body().await?;
    let mut review = body::decode(&bytes, Syntax::of(&call.content_type)?)?.value;
    if !review.is_object() {
        return Err(ApiError::bad_request(
            "the body of the request is not a JSON object",
        ));
    }
    let user = json!({"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]});
    let status = match kind {
        "SelfSubjectReview" => json!({"userInfo": user}),
        "TokenReview" => json!({"authenticated": true, "user": user}),
        "SelfSubjectRulesReview" => json!({
            "incomplete": false,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }),
        _ => json!({"allowed": true, "reason": "this simulated cluster allows everything"}),
    };
    review["apiVersion"] = Value::from(target.gvr.api_version());
    review["kind"] = kind.into();
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    review["metadata"]["creationTimestamp"] = clock::now_rfc3339().into();
    review["status"] = status;
    Ok(respond::json_code(201, &review))
}
