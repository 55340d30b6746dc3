//! One pass of the simulated controllers: everything read, decisions as values, everything written.
//!
//! ```text
//! Store ──World::load──► controllers (pure: &World → Vec<Write>) ──Write::apply──► Store
//! ```

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use super::json;
use crate::apiserver::{ApiError, Gvr, Store};

/// The kinds the simulation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
    Node,
    Event,
}

impl Kind {
    pub(crate) fn gvr(self) -> Gvr {
        match self {
            Self::Deployment => Gvr::new("apps", "v1", "deployments"),
            Self::ReplicaSet => Gvr::new("apps", "v1", "replicasets"),
            Self::StatefulSet => Gvr::new("apps", "v1", "statefulsets"),
            Self::DaemonSet => Gvr::new("apps", "v1", "daemonsets"),
            Self::Job => Gvr::new("batch", "v1", "jobs"),
            Self::Pod => Gvr::new("", "v1", "pods"),
            Self::Service => Gvr::new("", "v1", "services"),
            Self::Endpoints => Gvr::new("", "v1", "endpoints"),
            Self::EndpointSlice => Gvr::new("discovery.k8s.io", "v1", "endpointslices"),
            Self::Ingress => Gvr::new("networking.k8s.io", "v1", "ingresses"),
            Self::Node => Gvr::new("", "v1", "nodes"),
            Self::Event => Gvr::new("", "v1", "events"),
        }
    }
}

/// Facts about the cluster that its objects repeat.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) cluster: String,
    /// The address of the ingress VIP.
    pub(crate) vip: IpAddr,
    /// The second octet of pod addresses, so that they differ between clusters.
    pub(crate) pod_network: u8,
}

/// Everything the controllers look at, as of one moment.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) site: Site,
    /// Wall clock, for stamping objects only.
    pub(crate) now: Timestamp,
    pub(crate) deployments: Vec<Value>,
    pub(crate) replica_sets: Vec<Value>,
    pub(crate) stateful_sets: Vec<Value>,
    pub(crate) daemon_sets: Vec<Value>,
    pub(crate) jobs: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    pub(crate) services: Vec<Value>,
    pub(crate) endpoints: Vec<Value>,
    pub(crate) endpoint_slices: Vec<Value>,
    pub(crate) ingresses: Vec<Value>,
    pub(crate) nodes: Vec<Value>,
}

impl World {
    pub(crate) fn load(store: &Store, site: Site, now: Timestamp) -> Result<Self, ApiError> {
        let list = |kind: Kind| store.list(&kind.gvr(), None, "").map(|(items, _)| items);
        Ok(Self {
            site,
            now,
            deployments: list(Kind::Deployment)?,
            replica_sets: list(Kind::ReplicaSet)?,
            stateful_sets: list(Kind::StatefulSet)?,
            daemon_sets: list(Kind::DaemonSet)?,
            jobs: list(Kind::Job)?,
            pods: list(Kind::Pod)?,
            services: list(Kind::Service)?,
            endpoints: list(Kind::Endpoints)?,
            endpoint_slices: list(Kind::EndpointSlice)?,
            ingresses: list(Kind::Ingress)?,
            nodes: list(Kind::Node)?,
        })
    }

    /// The pods that the object with this uid controls.
    pub(crate) fn pods_of<'a>(&'a self, owner_uid: &'a str) -> impl Iterator<Item = &'a Value> {
        self.pods
            .iter()
            .filter(move |pod| json::controller(pod) == Some(owner_uid))
    }
}

/// One change that a controller wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Create {
        kind: Kind,
        object: Value,
    },
    Merge {
        kind: Kind,
        namespace: String,
        name: String,
        patch: Value,
        status: bool,
    },
    Delete {
        kind: Kind,
        namespace: String,
        name: String,
    },
    /// The end of a pod that was terminating.
    Remove {
        namespace: String,
        name: String,
    },
}

impl Write {
    /// A merge patch of `object`; `None` when it has all of it already.
    pub(crate) fn merge(kind: Kind, object: &Value, patch: Value) -> Option<Self> {
        Self::patch(kind, object, patch, false)
    }

    /// A merge patch of `object`'s status; `None` when it has all of it already.
    pub(crate) fn status(kind: Kind, object: &Value, status: Value) -> Option<Self> {
        Self::patch(kind, object, serde_json::json!({ "status": status }), true)
    }

    fn patch(kind: Kind, object: &Value, patch: Value, status: bool) -> Option<Self> {
        (!json::has_all(object, &patch)).then(|| Self::Merge {
            kind,
            namespace: json::namespace(object).to_owned(),
            name: json::name(object).to_owned(),
            patch,
            status,
        })
    }

    pub(crate) fn delete(kind: Kind, object: &Value) -> Self {
        Self::Delete {
            kind,
            namespace: json::namespace(object).to_owned(),
            name: json::name(object).to_owned(),
        }
    }

    pub(crate) fn remove(pod: &Value) -> Self {
        Self::Remove {
            namespace: json::namespace(pod).to_owned(),
            name: json::name(pod).to_owned(),
        }
    }

    pub(crate) fn apply(&self, store: &Store) -> Result<(), ApiError> {
        fn scope(namespace: &str) -> Option<&str> {
            (!namespace.is_empty()).then_some(namespace)
        }
        match self {
            Self::Create { kind, object } => store
                .create(&kind.gvr(), scope(json::namespace(object)), object.clone())
                .map(drop),
            Self::Merge {
                kind,
                namespace,
                name,
                patch,
                status,
            } => {
                let subresource = status.then_some("status");
                store
                    .patch_merge(&kind.gvr(), scope(namespace), name, patch, subresource)
                    .map(drop)
            }
            Self::Delete {
                kind,
                namespace,
                name,
            } => store.delete(&kind.gvr(), scope(namespace), name).map(drop),
            Self::Remove { namespace, name } => store
                .delete_now(&Kind::Pod.gvr(), scope(namespace), name)
                .map(drop),
        }
    }
}
