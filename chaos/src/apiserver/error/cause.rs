//! One field of one object that is wrong, worded as the real API server words it.

use std::fmt;

use serde_json::{Value, json};

/// The sort of complaint; its name is the `reason` of the cause on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CauseKind {
    Required,
    Invalid,
    NotSupported,
    Duplicate,
    Forbidden,
    TooLong,
    TooMany,
    TypeInvalid,
    ManagerConflict,
    ResourceVersionTooLarge,
}

/// A field path, what is wrong with it and what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub kind: CauseKind,
    pub field: String,
    /// Without the field path.
    pub message: String,
}

impl Cause {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Cause {
        let message = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        Cause {
            kind: CauseKind::Required,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Cause {
        let message = format!("Invalid value: {}: {detail}", shown(value));
        Cause {
            kind: CauseKind::Invalid,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn type_invalid(field: impl Into<String>, found: &str, detail: &str) -> Cause {
        let message = format!("Invalid value: \"{found}\": {detail}");
        Cause {
            kind: CauseKind::TypeInvalid,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, allowed: &[Value]) -> Cause {
        let allowed: Vec<String> = allowed.iter().map(shown).collect();
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            shown(value),
            allowed.join(", ")
        );
        Cause {
            kind: CauseKind::NotSupported,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Cause {
        let message = format!("Duplicate value: {}", shown(value));
        Cause {
            kind: CauseKind::Duplicate,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
        Cause {
            kind: CauseKind::Forbidden,
            field: field.into(),
            message: format!("Forbidden: {detail}"),
        }
    }

    pub(crate) fn too_long(field: impl Into<String>, max: u64) -> Cause {
        let message = format!("Too long: may not be more than {max} bytes");
        Cause {
            kind: CauseKind::TooLong,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn too_many(field: impl Into<String>, found: u64, max: u64) -> Cause {
        let message = format!("Too many: {found}: must have at most {max} items");
        Cause {
            kind: CauseKind::TooMany,
            field: field.into(),
            message,
        }
    }

    fn reason(&self) -> &'static str {
        match self.kind {
            CauseKind::Required => "FieldValueRequired",
            CauseKind::Invalid => "FieldValueInvalid",
            CauseKind::NotSupported => "FieldValueNotSupported",
            CauseKind::Duplicate => "FieldValueDuplicate",
            CauseKind::Forbidden => "FieldValueForbidden",
            CauseKind::TooLong => "FieldValueTooLong",
            CauseKind::TooMany => "FieldValueTooMany",
            CauseKind::TypeInvalid => "FieldValueTypeInvalid",
            CauseKind::ManagerConflict => "FieldManagerConflict",
            CauseKind::ResourceVersionTooLarge => "ResourceVersionTooLarge",
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        json!({"reason": self.reason(), "message": self.message, "field": self.field})
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// A value as error messages quote it; long ones are cut so that a Status stays small.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = value.to_string();
    if text.len() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}…")
}
