//! How a write is to be done, apart from what is written.

use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;

/// What to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    #[default]
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    pub(crate) fn parse(text: Option<&str>) -> Result<FieldValidation, ApiError> {
        match text {
            None | Some("" | "Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(ApiError::bad_request(format!(
                "fieldValidation: Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

/// Which part of an object a write may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subresource {
    None,
    Status,
    Scale,
}

impl Subresource {
    pub(crate) fn parse(text: &str, kind: &Kind) -> Result<Subresource, ApiError> {
        match text {
            "" => Ok(Subresource::None),
            "status" if kind.status => Ok(Subresource::Status),
            "scale" if kind.scale.is_some() => Ok(Subresource::Scale),
            _ => Err(ApiError::no_such_path()),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Subresource::None => "",
            Subresource::Status => "status",
            Subresource::Scale => "scale",
        }
    }
}

/// Who writes, and how strictly.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    /// Field manager.
    pub manager: String,
    pub dry_run: bool,
    /// Server-side apply takes over fields others own.
    pub force: bool,
    pub validation: FieldValidation,
    /// Duplicate fields the body reader saw.
    pub duplicates: Vec<String>,
    /// Filled by the write: what to tell the client besides the result.
    pub warnings: Vec<String>,
    /// Filled by the write: whether an apply created the object.
    pub created: bool,
}

impl WriteOptions {
    /// A write by a controller that runs inside this process.
    pub(crate) fn in_process() -> WriteOptions {
        WriteOptions {
            manager: "kube-controller-manager".to_owned(),
            dry_run: false,
            force: false,
            validation: FieldValidation::Ignore,
            duplicates: Vec::new(),
            warnings: Vec::new(),
            created: false,
        }
    }
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Propagation {
    #[default]
    Background,
    Foreground,
    Orphan,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub propagation: Propagation,
    pub grace_period_s: Option<i64>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub dry_run: bool,
}
