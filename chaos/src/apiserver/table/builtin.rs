//! Which columns each kind shows.

use serde_json::Value;

use super::jsonpath::JsonPath;

/// A column: name, OpenAPI type, priority (above 0 only with `-o wide`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(pub &'static str, pub &'static str, pub i64);

/// A column declared by `additionalPrinterColumns`.
#[derive(Clone, Debug)]
pub(crate) struct CustomColumn {
    pub name: String,
    pub ty: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    pub path: JsonPath,
}

impl CustomColumn {
    pub(crate) fn parse_all(raw: Option<&Value>) -> Vec<CustomColumn> {
        let list = raw.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|column| {
            let text = |key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default();
            Some(CustomColumn {
                name: text("name").to_owned(),
                ty: text("type").to_owned(),
                format: text("format").to_owned(),
                description: text("description").to_owned(),
                priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
                path: JsonPath::parse(text("jsonPath"))?,
            })
        })
        .collect()
    }
}

const NAME: Column = s("Name");
const AGE: Column = s("Age");

const fn s(name: &'static str) -> Column {
    Column(name, "string", 0)
}

const fn i(name: &'static str) -> Column {
    Column(name, "integer", 0)
}

const fn w(name: &'static str) -> Column {
    Column(name, "string", 1)
}

/// Columns of a built-in resource; [`super::render`] fills them by name.
pub(super) fn columns(group: &str, resource: &str) -> &'static [Column] {
    const CONTAINERS: Column = w("Containers");
    const IMAGES: Column = w("Images");
    const SELECTOR: Column = w("Selector");
    match (group, resource) {
        ("", "pods") => {
            const {
                &[
                    NAME,
                    s("Ready"),
                    s("Status"),
                    s("Restarts"),
                    AGE,
                    w("IP"),
                    w("Node"),
                    w("Nominated Node"),
                    w("Readiness Gates"),
                ]
            }
        }
        ("apps", "deployments") => {
            const {
                &[
                    NAME,
                    s("Ready"),
                    i("Up-to-date"),
                    i("Available"),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            }
        }
        ("apps", "replicasets") | ("", "replicationcontrollers") => {
            const {
                &[
                    NAME,
                    i("Desired"),
                    i("Current"),
                    i("Ready"),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            }
        }
        ("apps", "statefulsets") => const { &[NAME, s("Ready"), AGE, CONTAINERS, IMAGES] },
        ("apps", "daemonsets") => {
            const {
                &[
                    NAME,
                    i("Desired"),
                    i("Current"),
                    i("Ready"),
                    i("Up-to-date"),
                    i("Available"),
                    s("Node Selector"),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            }
        }
        ("batch", "jobs") => {
            const {
                &[
                    NAME,
                    s("Status"),
                    s("Completions"),
                    s("Duration"),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            }
        }
        ("batch", "cronjobs") => {
            const {
                &[
                    NAME,
                    s("Schedule"),
                    s("Timezone"),
                    s("Suspend"),
                    i("Active"),
                    s("Last Schedule"),
                    AGE,
                    CONTAINERS,
                    IMAGES,
                    SELECTOR,
                ]
            }
        }
        ("", "services") => {
            const {
                &[
                    NAME,
                    s("Type"),
                    s("Cluster-IP"),
                    s("External-IP"),
                    s("Port(s)"),
                    AGE,
                    SELECTOR,
                ]
            }
        }
        ("", "nodes") => {
            const {
                &[
                    NAME,
                    s("Status"),
                    s("Roles"),
                    AGE,
                    s("Version"),
                    w("Internal-IP"),
                    w("External-IP"),
                    w("OS-Image"),
                    w("Kernel-Version"),
                    w("Container-Runtime"),
                ]
            }
        }
        ("", "namespaces") => const { &[NAME, s("Status"), AGE] },
        ("", "configmaps") => const { &[NAME, i("Data"), AGE] },
        ("", "secrets") => const { &[NAME, s("Type"), i("Data"), AGE] },
        ("", "serviceaccounts") => const { &[NAME, i("Secrets"), AGE] },
        ("", "endpoints") => const { &[NAME, s("Endpoints"), AGE] },
        ("" | "events.k8s.io", "events") => {
            const {
                &[
                    s("Last Seen"),
                    s("Type"),
                    s("Reason"),
                    s("Object"),
                    w("Subobject"),
                    w("Source"),
                    s("Message"),
                    w("First Seen"),
                    w("Count"),
                    w("Name"),
                ]
            }
        }
        ("", "persistentvolumeclaims") => {
            const {
                &[
                    NAME,
                    s("Status"),
                    s("Volume"),
                    s("Capacity"),
                    s("Access Modes"),
                    s("StorageClass"),
                    AGE,
                ]
            }
        }
        ("", "persistentvolumes") => {
            const {
                &[
                    NAME,
                    s("Capacity"),
                    s("Access Modes"),
                    s("Reclaim Policy"),
                    s("Status"),
                    s("Claim"),
                    s("StorageClass"),
                    AGE,
                ]
            }
        }
        ("networking.k8s.io", "ingresses") => {
            const { &[NAME, s("Class"), s("Hosts"), s("Address"), s("Ports"), AGE] }
        }
        ("networking.k8s.io", "ingressclasses") => const { &[NAME, s("Controller"), s("Parameters"), AGE] },
        ("networking.k8s.io", "networkpolicies") => const { &[NAME, s("Pod-Selector"), AGE] },
        ("coordination.k8s.io", "leases") => const { &[NAME, s("Holder"), AGE] },
        ("discovery.k8s.io", "endpointslices") => {
            const { &[NAME, s("AddressType"), s("Ports"), s("Endpoints"), AGE] }
        }
        ("policy", "poddisruptionbudgets") => {
            const {
                &[
                    NAME,
                    s("Min Available"),
                    s("Max Unavailable"),
                    i("Allowed Disruptions"),
                    AGE,
                ]
            }
        }
        ("autoscaling", "horizontalpodautoscalers") => {
            const {
                &[
                    NAME,
                    s("Reference"),
                    s("Targets"),
                    i("MinPods"),
                    i("MaxPods"),
                    i("Replicas"),
                    AGE,
                ]
            }
        }
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") | ("apiextensions.k8s.io", _) => {
            const { &[NAME, s("Created At")] }
        }
        ("rbac.authorization.k8s.io", _) => const { &[NAME, s("Role"), AGE] },
        ("scheduling.k8s.io", "priorityclasses") => {
            const { &[NAME, i("Value"), Column("Global-Default", "boolean", 0), AGE] }
        }
        ("storage.k8s.io", "storageclasses") => {
            const {
                &[
                    NAME,
                    s("Provisioner"),
                    s("ReclaimPolicy"),
                    s("VolumeBindingMode"),
                    AGE,
                ]
            }
        }
        _ => const { &[NAME, AGE] },
    }
}
