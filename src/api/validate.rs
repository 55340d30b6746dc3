//! What a schema cannot say: pure checks by kind, each error with the field, the value and what is allowed.

mod cluster;
mod models;
mod placement;
mod policy;
mod selector;
mod traffic;
mod zone;

use std::fmt;

pub use policy::propagation;

const LABEL_KEY: &str = "must be a label key: an optional DNS subdomain and '/', then 1 to 63 letters, digits, '-', '_' or '.', \
                         with a letter or digit at both ends";

/// One field that is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path from the root of the object.
    pub field: String,
    /// What is wrong with it.
    pub kind: FieldErrorKind,
    /// What was found; empty where there is nothing to show.
    pub value: String,
    /// What is allowed.
    pub detail: String,
}

/// What is wrong with a field, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldErrorKind {
    /// The value is not allowed.
    Invalid,
    /// The value is not one of those listed.
    NotSupported,
    /// The value may be there only once.
    Duplicate,
    /// The field must be given.
    Required,
    /// The field must not be given here.
    Forbidden,
    /// The list is too long.
    TooMany,
    /// Fields contradict each other.
    TypeInvalid,
}

impl FieldErrorKind {
    /// The name Kubernetes gives it in a `StatusCause`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Required => "FieldValueRequired",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

impl FieldError {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, value: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid, field, value, detail)
    }

    /// A field that must be given.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Required, field, "", detail)
    }

    fn new(
        kind: FieldErrorKind,
        field: impl Into<String>,
        value: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            kind,
            value: value.to_string(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(formatter, "{}: {}", self.field, self.detail)
        } else {
            write!(formatter, "{}: {:?}: {}", self.field, self.value, self.detail)
        }
    }
}

impl std::error::Error for FieldError {}

/// A kind whose objects can be checked beyond their schema.
pub trait Validate {
    /// Every field that is not right, in the order of the object; empty when all is well.
    fn validate(&self) -> Vec<FieldError>;
}

#[cfg(test)]
mod tests;
