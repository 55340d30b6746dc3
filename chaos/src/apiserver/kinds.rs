//! Which resource types a server knows: the built-in table, and whatever CustomResourceDefinitions add.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::gvr::Gvr;
use super::schema::SchemaRef;
use super::table::CustomColumn;

mod builtin;
pub(crate) mod crd;

pub(crate) use builtin::{BUILTINS, Builtin, Conversion};

/// One resource type in one version.
#[derive(Debug)]
pub(crate) struct Kind {
    pub group: String,
    pub version: String,
    pub resource: String,
    pub singular: String,
    pub kind: String,
    pub list_kind: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Has the `/status` subresource, so that spec and status are written apart.
    pub status: bool,
    pub scale: Option<ScalePaths>,
    /// Whether `metadata.generation` counts changes of the desired state.
    pub generation: bool,
    pub schema: SchemaRef,
    /// Name of the table the objects live in; versions of one resource share it.
    pub storage: Arc<str>,
    pub source: Source,
}

/// Where a kind was declared.
#[derive(Debug)]
pub(crate) enum Source {
    Builtin(&'static Builtin),
    Custom {
        columns: Vec<CustomColumn>,
        /// Warning sent with every answer of a deprecated version.
        deprecated: Option<String>,
        many_versions: bool,
        /// `openAPIV3Schema` as written, for the OpenAPI documents.
        raw_schema: Box<str>,
    },
}

/// Where the scale subresource finds its numbers, as paths of plain field names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScalePaths {
    pub spec: Vec<String>,
    pub status: Vec<String>,
    pub selector: Option<Vec<String>>,
}

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `deployments.apps`, as messages name it; the core group has no suffix.
    pub(crate) fn group_resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    /// `Deployment.apps`.
    pub(crate) fn group_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    pub(crate) fn gvr(&self) -> Gvr {
        Gvr::new(&self.group, &self.version, &self.resource)
    }

    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.source, Source::Custom { .. })
    }

    pub(crate) fn conversion(&self) -> Conversion {
        match &self.source {
            Source::Builtin(row) => row.conversion,
            Source::Custom {
                many_versions: true, ..
            } => Conversion::ApiVersion,
            Source::Custom {
                many_versions: false, ..
            } => Conversion::None,
        }
    }

    pub(crate) fn is_core(&self, resource: &str) -> bool {
        self.group.is_empty() && self.resource == resource
    }

    pub(crate) fn is_crd(&self) -> bool {
        self.group == "apiextensions.k8s.io" && self.resource == "customresourcedefinitions"
    }
}

/// The resource types one server serves now.
#[derive(Debug)]
pub(crate) struct Registry {
    kinds: BTreeMap<Gvr, Arc<Kind>>,
}

impl Registry {
    pub(crate) fn new() -> Registry {
        let kinds = builtin_kinds()
            .iter()
            .map(|kind| (kind.gvr(), kind.clone()))
            .collect();
        Registry { kinds }
    }

    pub(crate) fn get(&self, gvr: &Gvr) -> Option<&Arc<Kind>> {
        self.kinds.get(gvr)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// Any version of a table, to name it in messages and to read its scope.
    pub(crate) fn by_storage(&self, storage: &str) -> Option<&Arc<Kind>> {
        self.kinds.values().find(|kind| &*kind.storage == storage)
    }

    /// Replaces every version a custom definition had by those it has now.
    pub(crate) fn replace_custom(&mut self, storage: &str, kinds: Vec<Kind>) {
        self.kinds
            .retain(|_, kind| !kind.is_custom() || &*kind.storage != storage);
        for kind in kinds {
            self.kinds.insert(kind.gvr(), Arc::new(kind));
        }
    }
}

fn builtin_kinds() -> &'static [Arc<Kind>] {
    static KINDS: OnceLock<Vec<Arc<Kind>>> = OnceLock::new();
    KINDS.get_or_init(|| BUILTINS.iter().map(|row| Arc::new(row.to_kind())).collect())
}
