//! Names of generated objects, the same as Karmada gives them, so that a fleet can move over in place.

/// Labels and annotations that say where an object came from, as in Karmada.
pub mod keys {
    /// On bindings, works and manifests: id of the binding.
    pub const BINDING_ID: &str = "resourcebinding.karmada.io/permanent-id";
    /// The same for a cluster-scoped template.
    pub const CLUSTER_BINDING_ID: &str = "clusterresourcebinding.karmada.io/permanent-id";
    /// On works and manifests: namespace of the binding.
    pub const BINDING_NAMESPACE: &str = "resourcebinding.karmada.io/namespace";
    /// On works and manifests: name of the binding.
    pub const BINDING_NAME: &str = "resourcebinding.karmada.io/name";
    /// On works and manifests of a cluster-scoped template: name of the binding.
    pub const CLUSTER_BINDING_NAME: &str = "clusterresourcebinding.karmada.io/name";
    /// On templates and bindings: id of the policy that claims them.
    pub const POLICY_ID: &str = "propagationpolicy.karmada.io/permanent-id";
    /// On templates and bindings: namespace of the policy.
    pub const POLICY_NAMESPACE: &str = "propagationpolicy.karmada.io/namespace";
    /// On templates and bindings: name of the policy.
    pub const POLICY_NAME: &str = "propagationpolicy.karmada.io/name";
    /// On templates and bindings: id of the cluster policy that claims them.
    pub const CLUSTER_POLICY_ID: &str = "clusterpropagationpolicy.karmada.io/permanent-id";
    /// On templates and bindings: name of the cluster policy.
    pub const CLUSTER_POLICY_NAME: &str = "clusterpropagationpolicy.karmada.io/name";
    /// On works and manifests: id of the work.
    pub const WORK_ID: &str = "work.karmada.io/permanent-id";
    /// On manifests: namespace of the work.
    pub const WORK_NAMESPACE: &str = "work.karmada.io/namespace";
    /// On manifests: name of the work.
    pub const WORK_NAME: &str = "work.karmada.io/name";
    /// On templates, works and manifests: `overwrite` or `abort` when the member has such an object already.
    pub const CONFLICT_RESOLUTION: &str = "work.karmada.io/conflict-resolution";
    /// On templates: the kind of controller that propagates it instead of a policy.
    pub const CLAIMED_BY: &str = "resourcetemplate.karmada.io/claimed-by";
    /// On manifests: UID of the template.
    pub const TEMPLATE_UID: &str = "resourcetemplate.karmada.io/uid";
    /// On manifests: the annotations that come from the template, so that removed ones can be told.
    pub const MANAGED_ANNOTATIONS: &str = "resourcetemplate.karmada.io/managed-annotations";
    /// On manifests: the labels that come from the template.
    pub const MANAGED_LABELS: &str = "resourcetemplate.karmada.io/managed-labels";
    /// Label on manifests: the object in the member is ours.
    pub const MANAGED: &str = "karmada.io/managed";
}

const EXECUTION_PREFIX: &str = "karmada-es-";

/// Name of the binding of an object.
pub fn binding_name(kind: &str, name: &str) -> String {
    format!("{}-{kind}", name.replace(':', ".")).to_lowercase()
}

/// Name of the work of an object. The group does not count: two kinds of one name in different groups
/// collide, in Karmada as here.
pub fn work_name(kind: &str, namespace: &str, name: &str) -> String {
    let name = name.replace(':', ".");
    let text = if namespace.is_empty() {
        format!("{name}-{kind}")
    } else {
        format!("{namespace}-{name}-{kind}")
    };
    format!("{name}-{}", hash(&text.to_lowercase())).to_lowercase()
}

/// Hash that stands for a binding in labels.
pub fn binding_reference_key(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        hash(name)
    } else {
        hash(&format!("{namespace}/{name}"))
    }
}

/// Name of the policy that is made for an object of a member that is taken over.
pub fn policy_name(namespace: &str, name: &str, gvk: &str) -> String {
    format!(
        "{}-{}",
        name.replace(':', "."),
        hash(&format!("{namespace}{gvk}"))
    )
    .to_lowercase()
}

/// Namespace of a member's works.
pub fn execution_namespace(cluster: &str) -> String {
    format!("{EXECUTION_PREFIX}{cluster}")
}

/// The member whose works live in `namespace`.
pub fn cluster_of(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(EXECUTION_PREFIX)
}

/// Namespaces of the control plane itself; nothing is propagated from them.
pub fn is_reserved(namespace: &str) -> bool {
    matches!(namespace, "karmada-system" | "karmada-cluster") || namespace.starts_with(EXECUTION_PREFIX)
}

/// An id that stays with an object, in the form of a UUID (version 8).
///
/// Karmada draws a random one. Ours follows from the object's UID, so that every controller, and every
/// replay of a simulation, finds the same one, and a binding needs one write instead of two.
pub fn permanent_id(kind: &str, uid: &str) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in kind.bytes().chain([0]).chain(uid.bytes()) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    hash = hash & !(0xf << 76) | (0x8 << 76);
    hash = hash & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{hash:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Karmada's hash of names: FNV-1a of 32 bits, in decimal, each digit moved into an alphabet in which no
/// words can be written.
pub fn hash(text: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.to_string()
        .bytes()
        .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
        .collect()
}

#[cfg(test)]
mod tests;
