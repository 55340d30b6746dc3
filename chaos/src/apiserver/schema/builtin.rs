//! The schemas of built-in types: generated once from the k8s-openapi types, shared by every server of the
//! process, kept in two forms: parsed for the write path, and as compact JSON text for the OpenAPI documents.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, authentication::v1 as authentication,
    authorization::v1 as authorization, autoscaling::v1 as scale, autoscaling::v2 as autoscaling,
    batch::v1 as batch, coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
    events::v1 as events, networking::v1 as networking, node::v1 as node, policy::v1 as policy,
    rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as aggregator;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::Schema;

mod lists;

struct Builtins {
    parsed: BTreeMap<Box<str>, Schema>,
    text: BTreeMap<Box<str>, Box<str>>,
    fingerprint: u64,
}

/// The parsed definition of that name, or the schema that accepts everything.
pub(crate) fn get(name: &str) -> &'static Schema {
    builtins().parsed.get(name).unwrap_or_else(|| super::any())
}

/// A definition as JSON text; references read `#/$defs/NAME`.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    builtins().text.get(name).map(|text| &**text)
}

/// Changes when any definition does; clients cache the OpenAPI documents by it.
pub(crate) fn fingerprint() -> u64 {
    builtins().fingerprint
}

fn builtins() -> &'static Builtins {
    static BUILTINS: OnceLock<Builtins> = OnceLock::new();
    BUILTINS.get_or_init(|| {
        let mut definitions = generate();
        lists::annotate(&mut definitions);
        let parsed = definitions
            .iter()
            .map(|(name, raw)| (name.as_str().into(), super::parse(raw)));
        let parsed = parsed.collect();
        let text = definitions
            .into_iter()
            .map(|(name, raw)| (name.into(), raw.to_string().into()));
        let text: BTreeMap<Box<str>, Box<str>> = text.collect();
        let mut hasher = std::hash::DefaultHasher::new();
        text.hash(&mut hasher);
        Builtins {
            parsed,
            text,
            fingerprint: hasher.finish(),
        }
    })
}

fn generate() -> serde_json::Map<String, Value> {
    let mut draft = SchemaGenerator::default();
    macro_rules! add {
        ($($ty:ty),* $(,)?) => { $( let _ = draft.subschema_for::<$ty>(); )* };
    }
    add!(
        core::ConfigMap,
        core::Endpoints,
        core::Event,
        core::LimitRange,
        core::Namespace,
        core::Node,
        core::PersistentVolumeClaim,
        core::PersistentVolume,
        core::Pod,
        core::PodTemplate,
        core::ReplicationController,
        core::ResourceQuota,
        core::Secret,
        core::ServiceAccount,
        core::Service,
        core::Binding,
        policy::Eviction,
        scale::Scale,
        apps::ControllerRevision,
        apps::DaemonSet,
        apps::Deployment,
        apps::ReplicaSet,
        apps::StatefulSet,
        batch::CronJob,
        batch::Job,
        autoscaling::HorizontalPodAutoscaler,
        networking::IngressClass,
        networking::Ingress,
        networking::NetworkPolicy,
        coordination::Lease,
        events::Event,
        rbac::ClusterRoleBinding,
        rbac::ClusterRole,
        rbac::RoleBinding,
        rbac::Role,
        discovery::EndpointSlice,
        policy::PodDisruptionBudget,
        scheduling::PriorityClass,
        node::RuntimeClass,
        storage::CSIDriver,
        storage::CSINode,
        storage::StorageClass,
        storage::VolumeAttachment,
        admission::MutatingWebhookConfiguration,
        admission::ValidatingWebhookConfiguration,
        extensions::CustomResourceDefinition,
        aggregator::APIService,
        authorization::SelfSubjectAccessReview,
        authorization::SubjectAccessReview,
        authorization::LocalSubjectAccessReview,
        authorization::SelfSubjectRulesReview,
        authentication::SelfSubjectReview,
        authentication::TokenReview,
        meta::ObjectMeta,
        meta::DeleteOptions,
        meta::Status,
        meta::ListMeta,
        meta::Patch,
    );
    let mut definitions = draft.take_definitions(true);
    for name in OPAQUE {
        if let Some(raw) = definitions.get_mut(*name) {
            let description = raw.get("description").cloned().unwrap_or_default();
            *raw = json!({"description": description, "x-kubernetes-preserve-unknown-fields": true});
        }
    }
    definitions
}

/// Types that hold whatever JSON they are given.
const OPAQUE: &[&str] = &[
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::kinds::BUILTINS;
    use crate::apiserver::schema::{Merge, Type};

    #[test]
    fn every_builtin_kind_has_its_definition() {
        for row in BUILTINS {
            assert_eq!(get(&row.schema_name()).ty, Type::Object, "{}", row.schema_name());
        }
    }

    #[test]
    fn containers_merge_by_name() {
        let containers = get("io.k8s.api.core.v1.PodSpec").field("containers").unwrap();
        assert_eq!(containers.merge, Merge::Map(vec!["name".into()]));
        assert_eq!(containers.patch.key.as_deref(), Some("name"));
    }
}
