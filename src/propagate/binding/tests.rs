use super::*;
use crate::store::merge::apply;

fn template() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "namespace": "default", "name": "shop", "uid": "u-1", "resourceVersion": "7",
            "labels": {"group": "fast"},
        },
        "spec": { "replicas": 6, "template": { "spec": {
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}],
        } } },
    })
}

fn policy(spec: Value) -> PolicyView {
    let mut object = json!({
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": { "namespace": "default", "name": "shop", "uid": "p-1" },
        "spec": { "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}] },
    });
    json_patch::merge(&mut object["spec"], &spec);
    PolicyView::read(&object).unwrap()
}

/// What the API server, the scheduler and the failover planner make of a binding.
fn stored(desired: &Value) -> Value {
    let mut stored = desired.clone();
    stored["metadata"]["uid"] = json!("b-1");
    stored["metadata"]["annotations"]["policy.karmada.io/applied-placement"] = json!("{}");
    stored["spec"]["clusters"] = json!([{"name": "a", "replicas": 6}]);
    stored["spec"]["gracefulEvictionTasks"] = json!([{"fromCluster": "b"}]);
    stored["status"] = json!({"schedulerObservedGeneration": 1});
    stored
}

#[test]
fn a_binding_says_what_template_and_policy_say() {
    let spec = json!({
        "placement": {
            "clusterAffinity": {"clusterNames": ["a", "b"], "fieldOfTomorrow": 1},
            "workloadAffinity": {"affinity": {"groupByLabelKey": "group"}},
        },
        "propagateDeps": true, "suspension": {"dispatching": true},
    });
    let binding = desired(&template(), &policy(spec.clone()));
    let metadata = &binding["metadata"];
    assert_eq!(
        (&metadata["namespace"], &metadata["name"]),
        (&json!("default"), &json!("shop-deployment"))
    );
    assert_eq!(metadata["finalizers"], json!([FINALIZER]));
    assert_eq!(
        metadata["ownerReferences"],
        json!([{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "uid": "u-1",
            "controller": true, "blockOwnerDeletion": true,
        }]),
    );
    assert_eq!(
        metadata["annotations"],
        json!({keys::POLICY_NAMESPACE: "default", keys::POLICY_NAME: "shop"}),
    );
    assert_eq!(
        metadata["labels"],
        json!({
            keys::POLICY_ID: names::permanent_id("PropagationPolicy", "p-1"),
            keys::BINDING_ID: names::permanent_id("ResourceBinding", "u-1"),
        }),
    );
    assert_eq!(
        binding["spec"],
        json!({
            "resource": {
                "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "shop",
                "uid": "u-1", "resourceVersion": "7",
            },
            "replicas": 6, "replicaRequirements": {"resourceRequest": {"cpu": "100m"}},
            "placement": spec["placement"], "propagateDeps": true, "suspension": {"dispatching": true},
            "conflictResolution": "Abort", "schedulerName": "default-scheduler",
            "workloadAffinityGroups": {"affinityGroup": "group=fast"},
        }),
    );
    assert_eq!(template_key(&binding).unwrap().name, "shop");
    let view: crate::api::ResourceBinding = crate::api::view(&binding).unwrap();
    assert_eq!(view.spec.replicas, 6);
}

#[test]
fn a_cluster_scoped_template_has_a_cluster_scoped_binding() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "system:view", "uid": "u"}});
    let binding = desired(&role, &policy(json!({})));
    assert_eq!(
        (&binding["kind"], &binding["metadata"]["name"]),
        (
            &json!("ClusterResourceBinding"),
            &json!("system.view-clusterrole")
        )
    );
    assert!(binding["metadata"].get("namespace").is_none() && binding["spec"].get("replicas").is_none());
    assert!(
        binding["metadata"]["labels"]
            .get(keys::CLUSTER_BINDING_ID)
            .is_some()
    );
}

#[test]
fn what_others_wrote_is_no_difference() {
    let desired = desired(&template(), &policy(json!({})));
    let mut held = stored(&desired);
    assert_eq!(patch(&held, &desired), None);
    held["metadata"]["labels"][keys::BINDING_ID] = json!("drawn-by-karmada");
    held["spec"]["resource"]["resourceVersion"] = json!("6");
    assert_eq!(patch(&held, &desired), None);
}

#[test]
fn a_patch_touches_only_our_fields() {
    let before = policy(
        json!({"placement": {"clusterAffinity": {"clusterNames": ["a"]}}, "suspension": {"dispatching": true}}),
    );
    let mut held = stored(&desired(&template(), &before));
    held["spec"]["suspension"]["scheduling"] = json!(true);
    let mut grown = template();
    grown["spec"]["replicas"] = json!(9);
    grown["metadata"]["resourceVersion"] = json!("8");
    let wanted = desired(&grown, &policy(json!({"placement": {"spreadConstraints": []}})));
    let change = patch(&held, &wanted).unwrap();
    assert_eq!(
        change,
        json!({"spec": {
            "replicas": 9, "placement": {"clusterAffinity": null, "spreadConstraints": []},
            "suspension": {"dispatching": null}, "resource": {"resourceVersion": "8"},
        }}),
    );
    json_patch::merge(&mut held, &change);
    assert_eq!(held["spec"]["clusters"], json!([{"name": "a", "replicas": 6}]));
    assert_eq!(held["spec"]["suspension"], json!({"scheduling": true}));
    assert_eq!(patch(&held, &wanted), None);
}

#[test]
fn another_policy_takes_the_binding_over() {
    let mut held = stored(&desired(&template(), &policy(json!({}))));
    let cluster_wide = PolicyView {
        namespace: None,
        name: "all".into(),
        permanent_id: "id".into(),
        ..policy(json!({}))
    };
    let wanted = desired(&template(), &cluster_wide);
    apply(patch(&held, &wanted).unwrap(), &mut held);
    assert_eq!(patch(&held, &wanted), None);
    assert_eq!(
        held["metadata"]["annotations"],
        json!({keys::CLUSTER_POLICY_NAME: "all", "policy.karmada.io/applied-placement": "{}"}),
    );
}

#[test]
fn the_binding_of_a_former_template_is_left_alone() {
    let held = stored(&desired(&template(), &policy(json!({}))));
    let mut anew = template();
    anew["metadata"]["uid"] = json!("u-2");
    assert_eq!(patch(&held, &desired(&anew, &policy(json!({})))), None);
}

#[test]
fn a_binding_that_goes_gets_no_finalizer() {
    let desired = desired(&template(), &policy(json!({})));
    let mut held = stored(&desired);
    held["metadata"]["finalizers"] = json!(["theirs"]);
    assert_eq!(
        patch(&held, &desired),
        Some(json!({"metadata": {"finalizers": ["theirs", FINALIZER]}}))
    );
    held["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(patch(&held, &desired), None);
}
