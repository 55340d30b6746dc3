use super::*;

#[test]
fn a_permanent_id_is_a_uuid_and_always_the_same() {
    let id = permanent_id("ResourceBinding", "7d3c");
    assert_eq!(id, permanent_id("ResourceBinding", "7d3c"));
    assert_ne!(id, permanent_id("ResourceBinding", "7d3d"));
    assert_ne!(id, permanent_id("ClusterResourceBinding", "7d3c"));
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    assert_eq!(id.as_bytes()[14], b'8', "version of {id}");
    assert!(
        matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
        "variant of {id}"
    );
}

#[test]
fn execution_namespaces_name_their_cluster() {
    assert_eq!(cluster_of(&execution_namespace("eu-north-1")), Some("eu-north-1"));
    assert_eq!(cluster_of("default"), None);
    assert!(is_reserved("karmada-es-eu-north-1") && is_reserved("karmada-system") && !is_reserved("karmada"));
}
