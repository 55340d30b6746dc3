//! What an override is about, as operators write it: a cluster, `NAME`, or `NAME/CLUSTER`.

use crate::name::Name;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A cluster, wherever it is answered.
    Cluster(String),
    /// A steered name, whoever serves it.
    Name(Name),
    /// One cluster in the answers of one name.
    Part { name: Name, cluster: String },
}

impl Subject {
    /// The cluster itself, if it is about all of it.
    pub(crate) fn cluster(&self) -> Option<&str> {
        match self {
            Self::Cluster(cluster) => Some(cluster),
            Self::Name(_) | Self::Part { .. } => None,
        }
    }

    /// The name and, of a part, the cluster.
    pub(crate) fn name(&self) -> Option<(&Name, Option<&str>)> {
        match self {
            Self::Cluster(_) => None,
            Self::Name(name) => Some((name, None)),
            Self::Part { name, cluster } => Some((name, Some(cluster))),
        }
    }
}
