//! The name of a resource type as it stands in a URL.

use std::fmt;

/// Group, version and plural resource, for example `apps/v1 deployments`. The core group is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvr {
    pub group: String,
    pub version: String,
    pub resource: String,
}

impl Gvr {
    /// `Gvr::new("apps", "v1", "deployments")`; the core group is `""`.
    #[must_use]
    pub fn new(group: &str, version: &str, resource: &str) -> Gvr {
        Gvr {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
        }
    }

    /// A resource of the core group, version v1.
    #[must_use]
    pub fn core(resource: &str) -> Gvr {
        Gvr::new("", "v1", resource)
    }

    /// The `apiVersion` objects of this resource carry.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.resource)
    }
}
