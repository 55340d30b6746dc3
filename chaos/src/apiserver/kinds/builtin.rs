//! The built-in resource types as one table of data.

use std::sync::Arc;

use super::{Kind, ScalePaths, Source};
use crate::apiserver::schema::SchemaRef;

/// How an object is turned from the version it is stored in into the version it is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Stored as it is served.
    None,
    /// Only `apiVersion` differs.
    ApiVersion,
    /// `events.k8s.io` served from the table of core events.
    Event,
}

/// One row: everything the server knows about a built-in type apart from its schema.
#[derive(Debug)]
pub(crate) struct Builtin {
    pub group: &'static str,
    pub version: &'static str,
    pub resource: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    pub short: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub namespaced: bool,
    pub status: bool,
    pub scale: bool,
    pub generation: bool,
    /// Subresources beyond status and scale, for discovery.
    pub extra: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// Prefix of the schema's name; the kind follows.
    pub package: &'static str,
    pub conversion: Conversion,
}

const CORE: &str = "io.k8s.api.core.v1.";
const APPS: &str = "io.k8s.api.apps.v1.";
const BATCH: &str = "io.k8s.api.batch.v1.";
const NETWORKING: &str = "io.k8s.api.networking.v1.";
const RBAC: &str = "io.k8s.api.rbac.v1.";
const STORAGE: &str = "io.k8s.api.storage.v1.";
const ADMISSION: &str = "io.k8s.api.admissionregistration.v1.";

const ALL: &[&str] = &["all"];
const API_EXTENSIONS: &[&str] = &["api-extensions"];

const fn row(
    group: &'static str,
    version: &'static str,
    names: (&'static str, &'static str, &'static str),
    package: &'static str,
) -> Builtin {
    Builtin {
        group,
        version,
        resource: names.0,
        singular: names.1,
        kind: names.2,
        short: &[],
        categories: &[],
        namespaced: true,
        status: false,
        scale: false,
        generation: false,
        extra: &[],
        package,
        conversion: Conversion::None,
    }
}

impl Builtin {
    const fn short(mut self, names: &'static [&'static str]) -> Builtin {
        self.short = names;
        self
    }

    const fn category(mut self, names: &'static [&'static str]) -> Builtin {
        self.categories = names;
        self
    }

    const fn cluster(mut self) -> Builtin {
        self.namespaced = false;
        self
    }

    const fn status(mut self) -> Builtin {
        self.status = true;
        self
    }

    const fn scale(mut self) -> Builtin {
        self.scale = true;
        self
    }

    const fn generation(mut self) -> Builtin {
        self.generation = true;
        self
    }

    const fn extra(
        mut self,
        rows: &'static [(&'static str, &'static str, &'static [&'static str])],
    ) -> Builtin {
        self.extra = rows;
        self
    }

    const fn event(mut self) -> Builtin {
        self.conversion = Conversion::Event;
        self
    }

    /// Name of the OpenAPI definition.
    pub(crate) fn schema_name(&self) -> String {
        format!("{}{}", self.package, self.kind)
    }

    pub(super) fn to_kind(&'static self) -> Kind {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let storage = match (self.conversion, self.group) {
            (Conversion::Event, _) => "events".to_owned(),
            (_, "") => self.resource.to_owned(),
            (_, group) => format!("{}.{group}", self.resource),
        };
        Kind {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            resource: self.resource.to_owned(),
            singular: self.singular.to_owned(),
            kind: self.kind.to_owned(),
            list_kind: format!("{}List", self.kind),
            short_names: self.short.iter().map(|&name| name.to_owned()).collect(),
            categories: self.categories.iter().map(|&name| name.to_owned()).collect(),
            namespaced: self.namespaced,
            status: self.status,
            scale: self.scale.then(|| ScalePaths {
                spec: path("spec.replicas"),
                status: path("status.replicas"),
                selector: None,
            }),
            generation: self.generation,
            schema: SchemaRef::Named(self.schema_name().into()),
            storage: Arc::from(storage.as_str()),
            source: Source::Builtin(self),
        }
    }
}

/// Every built-in type the server stores.
pub(crate) static BUILTINS: &[Builtin] = &[
    row("", "v1", ("configmaps", "configmap", "ConfigMap"), CORE).short(&["cm"]),
    row("", "v1", ("endpoints", "endpoints", "Endpoints"), CORE).short(&["ep"]),
    row("", "v1", ("events", "event", "Event"), CORE).short(&["ev"]),
    row("", "v1", ("limitranges", "limitrange", "LimitRange"), CORE).short(&["limits"]),
    row("", "v1", ("namespaces", "namespace", "Namespace"), CORE)
        .short(&["ns"])
        .cluster()
        .status()
        .extra(&[("finalize", "Namespace", &["update"])]),
    row("", "v1", ("nodes", "node", "Node"), CORE)
        .short(&["no"])
        .cluster()
        .status(),
    row(
        "",
        "v1",
        (
            "persistentvolumeclaims",
            "persistentvolumeclaim",
            "PersistentVolumeClaim",
        ),
        CORE,
    )
    .short(&["pvc"])
    .status(),
    row(
        "",
        "v1",
        ("persistentvolumes", "persistentvolume", "PersistentVolume"),
        CORE,
    )
    .short(&["pv"])
    .cluster()
    .status(),
    row("", "v1", ("pods", "pod", "Pod"), CORE)
        .short(&["po"])
        .category(ALL)
        .status()
        .generation()
        .extra(&[
            ("binding", "Binding", &["create"]),
            ("eviction", "Eviction", &["create"]),
            ("exec", "PodExecOptions", &["create", "get"]),
            ("log", "Pod", &["get"]),
        ]),
    row("", "v1", ("podtemplates", "podtemplate", "PodTemplate"), CORE),
    row(
        "",
        "v1",
        (
            "replicationcontrollers",
            "replicationcontroller",
            "ReplicationController",
        ),
        CORE,
    )
    .short(&["rc"])
    .category(ALL)
    .status()
    .scale()
    .generation(),
    row(
        "",
        "v1",
        ("resourcequotas", "resourcequota", "ResourceQuota"),
        CORE,
    )
    .short(&["quota"])
    .status(),
    row("", "v1", ("secrets", "secret", "Secret"), CORE),
    row(
        "",
        "v1",
        ("serviceaccounts", "serviceaccount", "ServiceAccount"),
        CORE,
    )
    .short(&["sa"]),
    row("", "v1", ("services", "service", "Service"), CORE)
        .short(&["svc"])
        .category(ALL)
        .status(),
    row(
        "apps",
        "v1",
        ("controllerrevisions", "controllerrevision", "ControllerRevision"),
        APPS,
    ),
    row("apps", "v1", ("daemonsets", "daemonset", "DaemonSet"), APPS)
        .short(&["ds"])
        .category(ALL)
        .status()
        .generation(),
    row("apps", "v1", ("deployments", "deployment", "Deployment"), APPS)
        .short(&["deploy"])
        .category(ALL)
        .status()
        .scale()
        .generation(),
    row("apps", "v1", ("replicasets", "replicaset", "ReplicaSet"), APPS)
        .short(&["rs"])
        .category(ALL)
        .status()
        .scale()
        .generation(),
    row("apps", "v1", ("statefulsets", "statefulset", "StatefulSet"), APPS)
        .short(&["sts"])
        .category(ALL)
        .status()
        .scale()
        .generation(),
    row("batch", "v1", ("cronjobs", "cronjob", "CronJob"), BATCH)
        .short(&["cj"])
        .category(ALL)
        .status()
        .generation(),
    row("batch", "v1", ("jobs", "job", "Job"), BATCH)
        .category(ALL)
        .status()
        .generation(),
    row(
        "autoscaling",
        "v2",
        (
            "horizontalpodautoscalers",
            "horizontalpodautoscaler",
            "HorizontalPodAutoscaler",
        ),
        "io.k8s.api.autoscaling.v2.",
    )
    .short(&["hpa"])
    .category(ALL)
    .status(),
    row(
        "networking.k8s.io",
        "v1",
        ("ingressclasses", "ingressclass", "IngressClass"),
        NETWORKING,
    )
    .cluster()
    .generation(),
    row(
        "networking.k8s.io",
        "v1",
        ("ingresses", "ingress", "Ingress"),
        NETWORKING,
    )
    .short(&["ing"])
    .status()
    .generation(),
    row(
        "networking.k8s.io",
        "v1",
        ("networkpolicies", "networkpolicy", "NetworkPolicy"),
        NETWORKING,
    )
    .short(&["netpol"])
    .generation(),
    row(
        "coordination.k8s.io",
        "v1",
        ("leases", "lease", "Lease"),
        "io.k8s.api.coordination.v1.",
    ),
    row(
        "events.k8s.io",
        "v1",
        ("events", "event", "Event"),
        "io.k8s.api.events.v1.",
    )
    .short(&["ev"])
    .event(),
    row(
        "rbac.authorization.k8s.io",
        "v1",
        ("clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding"),
        RBAC,
    )
    .cluster(),
    row(
        "rbac.authorization.k8s.io",
        "v1",
        ("clusterroles", "clusterrole", "ClusterRole"),
        RBAC,
    )
    .cluster(),
    row(
        "rbac.authorization.k8s.io",
        "v1",
        ("rolebindings", "rolebinding", "RoleBinding"),
        RBAC,
    ),
    row("rbac.authorization.k8s.io", "v1", ("roles", "role", "Role"), RBAC),
    row(
        "discovery.k8s.io",
        "v1",
        ("endpointslices", "endpointslice", "EndpointSlice"),
        "io.k8s.api.discovery.v1.",
    )
    .generation(),
    row(
        "policy",
        "v1",
        (
            "poddisruptionbudgets",
            "poddisruptionbudget",
            "PodDisruptionBudget",
        ),
        "io.k8s.api.policy.v1.",
    )
    .short(&["pdb"])
    .status()
    .generation(),
    row(
        "scheduling.k8s.io",
        "v1",
        ("priorityclasses", "priorityclass", "PriorityClass"),
        "io.k8s.api.scheduling.v1.",
    )
    .short(&["pc"])
    .cluster()
    .generation(),
    row(
        "node.k8s.io",
        "v1",
        ("runtimeclasses", "runtimeclass", "RuntimeClass"),
        "io.k8s.api.node.v1.",
    )
    .cluster(),
    row(
        "storage.k8s.io",
        "v1",
        ("csidrivers", "csidriver", "CSIDriver"),
        STORAGE,
    )
    .cluster(),
    row(
        "storage.k8s.io",
        "v1",
        ("csinodes", "csinode", "CSINode"),
        STORAGE,
    )
    .cluster(),
    row(
        "storage.k8s.io",
        "v1",
        ("storageclasses", "storageclass", "StorageClass"),
        STORAGE,
    )
    .short(&["sc"])
    .cluster(),
    row(
        "storage.k8s.io",
        "v1",
        ("volumeattachments", "volumeattachment", "VolumeAttachment"),
        STORAGE,
    )
    .cluster()
    .status(),
    row(
        "admissionregistration.k8s.io",
        "v1",
        (
            "mutatingwebhookconfigurations",
            "mutatingwebhookconfiguration",
            "MutatingWebhookConfiguration",
        ),
        ADMISSION,
    )
    .category(API_EXTENSIONS)
    .cluster()
    .generation(),
    row(
        "admissionregistration.k8s.io",
        "v1",
        (
            "validatingwebhookconfigurations",
            "validatingwebhookconfiguration",
            "ValidatingWebhookConfiguration",
        ),
        ADMISSION,
    )
    .category(API_EXTENSIONS)
    .cluster()
    .generation(),
    row(
        "apiextensions.k8s.io",
        "v1",
        (
            "customresourcedefinitions",
            "customresourcedefinition",
            "CustomResourceDefinition",
        ),
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.",
    )
    .short(&["crd", "crds"])
    .category(API_EXTENSIONS)
    .cluster()
    .status()
    .generation(),
    row(
        "apiregistration.k8s.io",
        "v1",
        ("apiservices", "apiservice", "APIService"),
        "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.",
    )
    .category(API_EXTENSIONS)
    .cluster()
    .status(),
];
