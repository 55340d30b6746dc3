//! Which policy an object follows: explicit priority, then how closely it selects the object, then its name;
//! a policy of the object's namespace before a cluster-wide one. A claim holds until its policy goes, no
//! longer selects the object, or a policy with `preemption: Always` wins over it.

mod selector;

use std::{cmp::Reverse, collections::BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::names::{self, keys};
use crate::{
    api::{
        ClusterPropagationPolicy, PropagationPolicy, PropagationSpec, ViewError,
        policy::{Preemption, ResourceSelector},
        view,
    },
    store::{
        annotation, label,
        merge::{diff, diff_fields},
        name, namespace, uid,
    },
};
pub use selector::{Closeness, closeness};

/// A `PropagationPolicy` or `ClusterPropagationPolicy`, as far as propagation needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyView {
    /// `None` for a `ClusterPropagationPolicy`.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Id that its objects and bindings are labelled with.
    pub permanent_id: String,
    /// What it says, with the defaults.
    pub spec: PropagationSpec,
    /// The same in its own words, with the fields that are unknown here.
    pub raw: Value,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// It is being deleted, and claims nothing any more.
    pub deleting: bool,
}

impl PolicyView {
    /// Reads a policy of either kind.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn read(object: &Value) -> Result<Self, ViewError> {
        let cluster_wide = object["kind"] == "ClusterPropagationPolicy";
        let said = if cluster_wide {
            view::<ClusterPropagationPolicy>(object)?.spec
        } else {
            view::<PropagationPolicy>(object)?.spec
        };
        let own = (!cluster_wide).then(|| namespace(object));
        let mut spec = said.clone();
        spec.fill_defaults(own);
        let mut raw = object["spec"].clone();
        if let Some(defaults) = diff(&json!(said), &json!(spec)) {
            json_patch::merge(&mut raw, &defaults);
        }
        let (kind, id) = if cluster_wide {
            ("ClusterPropagationPolicy", keys::CLUSTER_POLICY_ID)
        } else {
            ("PropagationPolicy", keys::POLICY_ID)
        };
        let created = object
            .pointer("/metadata/creationTimestamp")
            .and_then(Value::as_str);
        Ok(Self {
            namespace: own.map(str::to_owned),
            name: name(object).to_owned(),
            uid: uid(object).to_owned(),
            // One that Karmada gave is kept.
            permanent_id: label(object, id).map_or_else(|| id_of(kind, object), str::to_owned),
            spec,
            raw,
            created: created.and_then(|text| text.parse().ok()),
            deleting: object
                .pointer("/metadata/deletionTimestamp")
                .is_some_and(|time| !time.is_null()),
        })
    }

    /// How closely this policy selects the object, if it does.
    pub fn selects(&self, template: &Value) -> Option<Closeness> {
        let inside = self
            .namespace
            .as_deref()
            .is_none_or(|own| own == namespace(template));
        if self.deleting || !inside {
            return None;
        }
        self.spec
            .resource_selectors
            .iter()
            .filter_map(|selector| closeness(template, selector))
            .max()
    }

    fn preempts(&self) -> bool {
        self.spec.preemption == Some(Preemption::Always)
    }
}

/// An id by UID, or by name where an object has no UID.
pub(super) fn id_of(kind: &str, object: &Value) -> String {
    match uid(object) {
        "" => names::permanent_id(kind, &format!("{}/{}", namespace(object), name(object))),
        uid => names::permanent_id(kind, uid),
    }
}

/// The policy that `template` follows. One that another controller has claimed, such as for a
/// MultiClusterService, follows none.
pub fn winner<'a>(template: &Value, policies: &'a [PolicyView]) -> Option<&'a PolicyView> {
    if label(template, keys::CLAIMED_BY).is_some_and(|claimant| !claimant.is_empty()) {
        return None;
    }
    let Some(holder) = holder(template, policies) else {
        return best(template, policies.iter());
    };
    let priority = holder.spec.explicit_priority();
    let wins = |policy: &&PolicyView| {
        policy.preempts()
            && match (policy.namespace.is_some(), holder.namespace.is_some()) {
                (true, false) => true,
                (false, true) => false,
                (true, true) | (false, false) => policy.spec.explicit_priority() > priority,
            }
    };
    best(template, policies.iter().filter(wins)).or(Some(holder))
}

/// The policy that has claimed the object and still selects it.
fn holder<'a>(template: &Value, policies: &'a [PolicyView]) -> Option<&'a PolicyView> {
    let claimed: (Option<&str>, &str) = match (
        annotation(template, keys::POLICY_NAMESPACE),
        annotation(template, keys::POLICY_NAME),
    ) {
        (Some(namespace), Some(name)) => (Some(namespace), name),
        _ => (None, annotation(template, keys::CLUSTER_POLICY_NAME)?),
    };
    let held = policies
        .iter()
        .find(|policy| (policy.namespace.as_deref(), policy.name.as_str()) == claimed)?;
    held.selects(template).map(|_| held)
}

fn best<'a>(template: &Value, candidates: impl Iterator<Item = &'a PolicyView>) -> Option<&'a PolicyView> {
    let ranked = candidates.filter_map(|policy| {
        let rank = (
            policy.namespace.is_none(),
            Reverse(policy.spec.explicit_priority()),
            Reverse(policy.selects(template)?),
            policy.name.as_str(),
        );
        Some((rank, policy))
    });
    ranked.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, policy)| policy)
}

/// Versions and kinds that some policy selects: (apiVersion, kind).
pub fn selected_kinds(policies: &[PolicyView]) -> BTreeSet<(String, String)> {
    let selectors = policies
        .iter()
        .filter(|policy| !policy.deleting)
        .flat_map(|policy| &policy.spec.resource_selectors);
    selectors
        .map(
            |ResourceSelector {
                 api_version, kind, ..
             }| (api_version.clone(), kind.clone()),
        )
        .collect()
}

/// The labels and annotations that say who has claimed an object.
pub(super) fn claim(policy: &PolicyView) -> (Map<String, Value>, Map<String, Value>) {
    let (labels, annotations) = match &policy.namespace {
        Some(namespace) => (
            json!({ keys::POLICY_ID: policy.permanent_id }),
            json!({ keys::POLICY_NAMESPACE: namespace, keys::POLICY_NAME: policy.name }),
        ),
        None => (
            json!({ keys::CLUSTER_POLICY_ID: policy.permanent_id }),
            json!({ keys::CLUSTER_POLICY_NAME: policy.name }),
        ),
    };
    let map = |value: Value| match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    (map(labels), map(annotations))
}

/// Labels and annotations of claims of either kind.
pub(super) const CLAIM_LABELS: &[&str] = &[keys::POLICY_ID, keys::CLUSTER_POLICY_ID];
pub(super) const CLAIM_ANNOTATIONS: &[&str] = &[
    keys::POLICY_NAMESPACE,
    keys::POLICY_NAME,
    keys::CLUSTER_POLICY_NAME,
];

/// The merge patch that claims `template` for `policy` and ends a claim of another kind; `None` when the
/// claim stands.
pub fn claim_patch(template: &Value, policy: &PolicyView) -> Option<Value> {
    let (labels, annotations) = claim(policy);
    metadata_patch(template, &labels, &annotations)
}

/// The merge patch that ends any claim on `template`; `None` when there is none.
pub fn release_patch(template: &Value) -> Option<Value> {
    metadata_patch(template, &Map::new(), &Map::new())
}

fn metadata_patch(
    template: &Value,
    labels: &Map<String, Value>,
    annotations: &Map<String, Value>,
) -> Option<Value> {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    let mut patch = Map::new();
    for (field, wanted, owned) in [
        ("labels", labels, CLAIM_LABELS),
        ("annotations", annotations, CLAIM_ANNOTATIONS),
    ] {
        let held = metadata.get(field).unwrap_or(&Value::Null);
        let changes = diff_fields(held, &Value::Object(wanted.clone()), owned);
        if !changes.is_empty() {
            patch.insert(field.to_owned(), Value::Object(changes));
        }
    }
    (!patch.is_empty()).then(|| json!({ "metadata": patch }))
}

#[cfg(test)]
mod tests;
