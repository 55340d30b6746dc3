//! A part of a plan that was not taken: which object, which field, and what is allowed.

use std::fmt;

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `zone NAME`, `name NAME` or `removed NAME`.
    pub object: String,
    /// The path of the field.
    pub field: String,
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(
        kind: &str,
        name: impl fmt::Display,
        field: impl Into<String>,
        reason: impl fmt::Display,
    ) -> Self {
        Self {
            object: format!("{kind} {name}"),
            field: field.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.reason)
    }
}
