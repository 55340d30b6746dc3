//! What a workload refers to and cannot run without.

use std::collections::BTreeSet;

use serde_json::Value;

use super::native::Native;
use crate::store::{name, namespace};

/// An object that another one needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace, that of the object that needs it.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// ConfigMaps, Secrets, ServiceAccounts and volume claims of a pod template, Secrets of an Ingress.
pub fn dependencies(object: &Value) -> Vec<Dependency> {
    let spec = &object["spec"];
    let mut found = Found {
        namespace: namespace(object),
        all: BTreeSet::new(),
    };
    match Native::of(object) {
        Some(Native::Deployment | Native::ReplicaSet | Native::DaemonSet | Native::Job) => {
            found.pod(&spec["template"]["spec"], &BTreeSet::new());
        }
        Some(Native::StatefulSet) => {
            let templates = spec["volumeClaimTemplates"].as_array();
            let own = templates.into_iter().flatten().map(name).collect();
            found.pod(&spec["template"]["spec"], &own);
        }
        Some(Native::CronJob) => {
            found.pod(&spec["jobTemplate"]["spec"]["template"]["spec"], &BTreeSet::new())
        }
        Some(Native::Pod) => found.pod(spec, &BTreeSet::new()),
        Some(Native::Ingress) => {
            for tls in spec["tls"].as_array().into_iter().flatten() {
                found.add("Secret", tls.get("secretName"));
            }
        }
        Some(Native::ServiceImport) => {
            let service = Value::String(format!("derived-{}", name(object)));
            found.add("Service", Some(&service));
        }
        _ => {}
    }
    found.all.into_iter().collect()
}

struct Found<'a> {
    namespace: &'a str,
    all: BTreeSet<Dependency>,
}

/// Where the kinds of volume name the Secret they use.
const VOLUME_SECRETS: &[&str] = &[
    "/azureFile/secretName",
    "/cephfs/secretRef/name",
    "/cinder/secretRef/name",
    "/csi/nodePublishSecretRef/name",
    "/flexVolume/secretRef/name",
    "/iscsi/secretRef/name",
    "/rbd/secretRef/name",
    "/scaleIO/secretRef/name",
    "/secret/secretName",
    "/storageos/secretRef/name",
];

impl Found<'_> {
    fn add(&mut self, kind: &str, name: Option<&Value>) {
        if let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
            self.all.insert(Dependency {
                api_version: "v1".to_owned(),
                kind: kind.to_owned(),
                namespace: self.namespace.to_owned(),
                name: name.to_owned(),
            });
        }
    }

    /// Claims of `own` names are made by the workload itself.
    fn pod(&mut self, pod: &Value, own: &BTreeSet<&str>) {
        let list = |field: &str| pod[field].as_array().into_iter().flatten();
        for secret in list("imagePullSecrets") {
            self.add("Secret", secret.get("name"));
        }
        for field in ["initContainers", "containers", "ephemeralContainers"] {
            list(field).for_each(|container| self.container(container));
        }
        for volume in list("volumes") {
            for path in VOLUME_SECRETS {
                self.add("Secret", volume.pointer(path));
            }
            self.add("ConfigMap", volume.pointer("/configMap/name"));
            for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
                self.add("Secret", source.pointer("/secret/name"));
                self.add("ConfigMap", source.pointer("/configMap/name"));
            }
            let claim = volume.pointer("/persistentVolumeClaim/claimName");
            self.add(
                "PersistentVolumeClaim",
                claim.filter(|name| !own.contains(name.as_str().unwrap_or_default())),
            );
        }
        let account = pod.get("serviceAccountName");
        self.add("ServiceAccount", account.filter(|account| *account != "default"));
    }

    fn container(&mut self, container: &Value) {
        for from in container["envFrom"].as_array().into_iter().flatten() {
            self.add("ConfigMap", from.pointer("/configMapRef/name"));
            self.add("Secret", from.pointer("/secretRef/name"));
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            self.add("ConfigMap", variable.pointer("/valueFrom/configMapKeyRef/name"));
            self.add("Secret", variable.pointer("/valueFrom/secretKeyRef/name"));
        }
    }
}
