//! What a request can be refused with: one error type that is a `metav1.Status` on the wire.

use std::fmt;

use serde_json::{Value, json};

use super::kinds::Kind;

mod cause;
pub use cause::{Cause, CauseKind};

/// A refused request: HTTP code, machine-readable reason and a message in the words of the real API server.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    inner: Box<Inner>,
}

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    code: u16,
    reason: &'static str,
    message: String,
    name: String,
    group: String,
    kind: String,
    causes: Vec<Cause>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> ApiError {
        let inner = Inner {
            code,
            reason,
            message: message.into(),
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            causes: Vec::new(),
            retry_after_s: None,
        };
        ApiError {
            inner: Box::new(inner),
        }
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> ApiError {
        ApiError::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", kind.group_resource()),
        )
        .about(&kind.group, &kind.resource, name)
    }

    pub(crate) fn no_such_path() -> ApiError {
        ApiError::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> ApiError {
        let message = format!("{} \"{name}\" already exists", kind.group_resource());
        ApiError::new(409, "AlreadyExists", message).about(&kind.group, &kind.resource, name)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> ApiError {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.group_resource()
        );
        ApiError::new(409, "Conflict", message).about(&kind.group, &kind.resource, name)
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> ApiError {
        ApiError::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> ApiError {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.group_resource());
        ApiError::new(403, "Forbidden", message).about(&kind.group, &kind.resource, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> ApiError {
        ApiError::new(410, "Expired", message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> ApiError {
        ApiError::new(413, "RequestEntityTooLarge", message)
    }

    pub(crate) fn unsupported_media(message: impl Into<String>) -> ApiError {
        ApiError::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_allowed(what: &str) -> ApiError {
        ApiError::new(405, "MethodNotAllowed", what)
    }

    pub(crate) fn not_implemented(message: impl Into<String>) -> ApiError {
        ApiError::new(501, "NotImplemented", message)
    }

    /// 422 with every cause, worded as `Kind.group "name" is invalid: …`.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> ApiError {
        let listed: Vec<String> = causes.iter().map(ToString::to_string).collect();
        let detail = match listed.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut error = ApiError::new(
            422,
            "Invalid",
            format!("{} \"{name}\" is invalid: {detail}", kind.group_kind()),
        )
        .about(&kind.group, &kind.kind, name);
        error.inner.causes = causes;
        error
    }

    pub(crate) fn about(mut self, group: &str, kind: &str, name: &str) -> ApiError {
        group.clone_into(&mut self.inner.group);
        kind.clone_into(&mut self.inner.kind);
        name.clone_into(&mut self.inner.name);
        self
    }

    pub(crate) fn with_causes(mut self, causes: Vec<Cause>) -> ApiError {
        self.inner.causes = causes;
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> ApiError {
        self.inner.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.inner.retry_after_s
    }

    /// The HTTP status code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.inner.code
    }

    /// The `reason` of the Status, for example `NotFound`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.inner.reason
    }

    /// The field-level causes of an `Invalid` or `Conflict` answer.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.inner.causes
    }

    /// The object, or its resource type, is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.code == 404
    }

    /// Somebody else wrote first, or owns the field.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.inner.reason == "Conflict"
    }

    /// An object of that name exists.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.inner.reason == "AlreadyExists"
    }

    /// The history no longer reaches back to the asked resource version: list again.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.inner.code == 410
    }

    /// The `metav1.Status` sent over the wire.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let inner = &self.inner;
        let mut details = serde_json::Map::new();
        for (key, text) in [
            ("name", &inner.name),
            ("group", &inner.group),
            ("kind", &inner.kind),
        ] {
            if !text.is_empty() {
                details.insert(key.to_owned(), Value::String(text.clone()));
            }
        }
        if !inner.causes.is_empty() {
            details.insert(
                "causes".to_owned(),
                inner.causes.iter().map(Cause::to_value).collect(),
            );
        }
        if let Some(seconds) = inner.retry_after_s {
            details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": inner.message, "reason": inner.reason, "code": inner.code,
        });
        if !details.is_empty() {
            status["details"] = Value::Object(details);
        }
        status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for ApiError {}
