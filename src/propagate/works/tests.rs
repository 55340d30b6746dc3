use super::*;
use crate::store::merge::apply;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "namespace": "default", "name": "shop", "uid": "u-1", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [], "finalizers": ["theirs"],
            "labels": {"app": "shop"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "n"},
        },
        "spec": { "replicas": 6, "template": { "metadata": {"creationTimestamp": null}, "spec": {} } },
        "status": {"replicas": 6},
    })
}

fn binding(spec: Value) -> Value {
    let mut binding = json!({
        "kind": "ResourceBinding",
        "metadata": {"namespace": "default", "name": "shop-deployment", "labels": {keys::BINDING_ID: "id"}},
        "spec": {"replicas": 6, "placement": {"replicaScheduling": {"replicaSchedulingType": "Divided"}}},
    });
    json_patch::merge(&mut binding["spec"], &spec);
    binding
}

fn replicas(works: &[Value]) -> Vec<(&str, Option<i64>)> {
    let of = |work| Value::pointer(work, "/spec/workload/manifests/0/spec/replicas").and_then(Value::as_i64);
    works
        .iter()
        .map(|work| (cluster(work).unwrap(), of(work)))
        .collect()
}

#[test]
fn a_manifest_is_clean_and_leads_back_to_its_template() {
    let works = desired(
        &binding(json!({"clusters": [{"name": "a", "replicas": 2}]})),
        &deployment(),
    );
    let [work] = works.as_slice() else {
        panic!("{works:?}")
    };
    let name = names::work_name("Deployment", "default", "shop");
    let work_id = names::permanent_id("Work", "id/a");
    assert_eq!(
        work["metadata"],
        json!({
            "namespace": "karmada-es-a", "name": name, "finalizers": [FINALIZER],
            "labels": {keys::BINDING_ID: "id", keys::WORK_ID: work_id},
            "annotations": {
                keys::BINDING_NAMESPACE: "default", keys::BINDING_NAME: "shop-deployment",
                keys::CONFLICT_RESOLUTION: "abort",
            },
        }),
    );
    let manifest = &work["spec"]["workload"]["manifests"][0];
    assert_eq!(
        manifest["spec"],
        json!({"replicas": 2, "template": {"metadata": {}, "spec": {}}})
    );
    assert!(manifest.get("status").is_none());
    let mut metadata = manifest["metadata"].clone();
    let annotations = metadata.as_object_mut().unwrap().remove("annotations").unwrap();
    assert_eq!(
        metadata,
        json!({
            "namespace": "default", "name": "shop",
            "labels": {"app": "shop", keys::BINDING_ID: "id", keys::WORK_ID: work_id, keys::MANAGED: "true"},
        }),
    );
    let managed = [
        "note",
        keys::BINDING_NAME,
        keys::BINDING_NAMESPACE,
        interpret_generation(),
        keys::MANAGED_ANNOTATIONS,
        keys::MANAGED_LABELS,
        keys::TEMPLATE_UID,
        keys::CONFLICT_RESOLUTION,
        keys::WORK_NAME,
        keys::WORK_NAMESPACE,
    ]
    .join(",");
    assert_eq!(
        annotations,
        json!({
            "note": "n",
            keys::BINDING_NAMESPACE: "default", keys::BINDING_NAME: "shop-deployment",
            keys::WORK_NAMESPACE: "karmada-es-a", keys::WORK_NAME: name, keys::TEMPLATE_UID: "u-1",
            keys::CONFLICT_RESOLUTION: "abort", interpret_generation(): "3",
            keys::MANAGED_LABELS: "app,karmada.io/managed,resourcebinding.karmada.io/permanent-id,work.karmada.io/permanent-id",
            keys::MANAGED_ANNOTATIONS: managed,
        }),
    );
    assert_eq!(
        super::binding(work),
        Some(("default".to_owned(), "shop-deployment".to_owned()))
    );
}

fn interpret_generation() -> &'static str {
    crate::interpret::TEMPLATE_GENERATION
}

#[test]
fn each_cluster_gets_its_share_and_one_that_is_left_keeps_its_own() {
    let spec = json!({
        "clusters": [{"name": "a", "replicas": 4}, {"name": "b", "replicas": 2}],
        "requiredBy": [{"name": "x", "clusters": [{"name": "b", "replicas": 9}, {"name": "c"}]}],
        "gracefulEvictionTasks": [
            {"fromCluster": "d", "replicas": 2, "purgeMode": "Gracefully"},
            {"fromCluster": "e", "replicas": 2, "purgeMode": "Directly"},
            {"fromCluster": "f", "replicas": 2, "purgeMode": "Never"},
            {"fromCluster": "a", "replicas": 9},
            {"fromCluster": "g", "purgeMode": "Immediately"},
        ],
    });
    let works = desired(&binding(spec), &deployment());
    let expected = [
        ("a", Some(4)),
        ("b", Some(2)),
        ("c", Some(0)),
        ("d", Some(2)),
        ("f", Some(2)),
    ];
    assert_eq!(replicas(&works), expected);
    assert_eq!(annotation(&works[3], EVICTING), Some("Evicted"));
    assert_eq!(annotation(&works[0], EVICTING), None);
}

#[test]
fn a_duplicated_workload_keeps_the_templates_number_where_a_task_names_none() {
    let spec = json!({
        "placement": {"replicaScheduling": {"replicaSchedulingType": "Duplicated"}},
        "gracefulEvictionTasks": [{"fromCluster": "d"}],
    });
    assert_eq!(
        replicas(&desired(&binding(spec), &deployment())),
        [("d", Some(6))]
    );
}

#[test]
fn a_cluster_that_is_left_is_not_changed_any_more() {
    let staying = desired(
        &binding(json!({"clusters": [{"name": "a", "replicas": 6}]})),
        &deployment(),
    );
    let mut template = deployment();
    template["spec"]["template"]["spec"]["image"] = json!("new");
    let leaving = desired(
        &binding(
            json!({"gracefulEvictionTasks": [{"fromCluster": "a", "replicas": 6, "reason": "ClusterLost"}]}),
        ),
        &template,
    );
    let change = patch(&staying[0], &leaving[0]).unwrap();
    assert_eq!(
        change,
        json!({"metadata": {"annotations": {EVICTING: "ClusterLost"}}})
    );
    let mut held = staying[0].clone();
    json_patch::merge(&mut held, &change);
    assert_eq!(patch(&held, &leaving[0]), None);
    apply(patch(&held, &staying[0]).unwrap(), &mut held);
    assert_eq!(held, staying[0]);
}

#[test]
fn a_patch_keeps_what_others_wrote() {
    let wanted = &desired(
        &binding(json!({"clusters": [{"name": "a", "replicas": 2}]})),
        &deployment(),
    )[0];
    let mut held = wanted.clone();
    held["metadata"]["uid"] = json!("w");
    held["metadata"]["labels"]["theirs"] = json!("x");
    held["metadata"]["labels"][keys::WORK_ID] = json!("drawn-by-karmada");
    held["status"] = json!({"conditions": []});
    assert_eq!(patch(&held, wanted), None);
    held["spec"]["suspendDispatching"] = json!(true);
    held["spec"]["workload"]["manifests"][0]["spec"]["replicas"] = json!(9);
    let change = patch(&held, wanted).unwrap();
    assert_eq!(change["spec"]["suspendDispatching"], Value::Null);
    json_patch::merge(&mut held, &change);
    assert_eq!(patch(&held, wanted), None);
}

#[test]
fn a_divided_job_shares_out_its_completions() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "default", "name": "sum", "uid": ""},
        "spec": {"parallelism": 6, "completions": 12, "ttlSecondsAfterFinished": 5}});
    let works = desired(
        &binding(json!({"clusters": [{"name": "a", "replicas": 4}, {"name": "b", "replicas": 2}]})),
        &job,
    );
    let specs: Vec<&Value> = works
        .iter()
        .map(|work| &work["spec"]["workload"]["manifests"][0]["spec"])
        .collect();
    assert_eq!(
        specs,
        [
            &json!({"parallelism": 4, "completions": 8}),
            &json!({"parallelism": 2, "completions": 4})
        ]
    );
}

#[test]
fn suspension_and_preservation_are_passed_on() {
    let spec = json!({
        "clusters": [{"name": "a"}, {"name": "b"}], "preserveResourcesOnDeletion": true,
        "suspension": {"dispatchingOnClusters": {"clusterNames": ["b"]}}, "conflictResolution": "Overwrite",
    });
    let works = desired(&binding(spec), &deployment());
    let said = |work: &Value| {
        (
            work["spec"]["suspendDispatching"].clone(),
            work["spec"]["preserveResourcesOnDeletion"].clone(),
        )
    };
    assert_eq!(said(&works[0]), (Value::Null, json!(true)));
    assert_eq!(said(&works[1]), (json!(true), json!(true)));
    assert_eq!(
        annotation(&works[0], keys::CONFLICT_RESOLUTION),
        Some("overwrite")
    );
}

#[test]
fn saved_state_follows_a_directly_purged_workload_to_its_one_new_cluster() {
    fn check(clusters: Value, task: Value, expected: Option<&str>) {
        let mut eviction = json!({
            "fromCluster": "old", "purgeMode": "Directly", "clustersBeforeFailover": ["old"],
            "preservedLabelState": {"state": "42"},
        });
        json_patch::merge(&mut eviction, &task);
        let works = desired(
            &binding(json!({"clusters": clusters, "gracefulEvictionTasks": [eviction]})),
            &deployment(),
        );
        let manifest = &works[0]["spec"]["workload"]["manifests"][0];
        assert_eq!(label(manifest, "state"), expected);
    }
    check(json!([{"name": "new"}]), json!({}), Some("42"));
    check(json!([{"name": "new"}, {"name": "more"}]), json!({}), None);
    check(json!([{"name": "new"}]), json!({"purgeMode": "Gracefully"}), None);
    check(
        json!([{"name": "new"}]),
        json!({"clustersBeforeFailover": ["old", "new"]}),
        None,
    );
}

#[test]
fn works_that_are_not_asked_for_are_orphans() {
    let existing = desired(
        &binding(json!({"clusters": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})),
        &deployment(),
    );
    let mut existing: Vec<Value> = existing;
    existing[2]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let existing: Vec<&Value> = existing.iter().collect();
    let desired = desired(&binding(json!({"clusters": [{"name": "a"}]})), &deployment());
    let orphans: Vec<Option<&str>> = orphans(&existing, &desired).into_iter().map(cluster).collect();
    assert_eq!(orphans, [Some("b")]);
}

#[test]
fn a_cluster_scoped_work_names_its_binding() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "view"}});
    let binding = json!({"kind": "ClusterResourceBinding",
        "metadata": {"name": "view-clusterrole", "labels": {keys::CLUSTER_BINDING_ID: "id"}},
        "spec": {"clusters": [{"name": "a"}]}});
    let works = desired(&binding, &role);
    assert_eq!(
        super::binding(&works[0]),
        Some((String::new(), "view-clusterrole".to_owned()))
    );
    assert_eq!(label(&works[0], keys::CLUSTER_BINDING_ID), Some("id"));
}

#[test]
fn odd_objects_panic_nothing() {
    for odd in [
        json!(null),
        json!(7),
        json!({"spec": 1, "metadata": []}),
        json!({"spec": {"clusters": [1, {"name": 2}, {"name": "a"}]}}),
    ] {
        for template in [
            json!(null),
            json!({"kind": "Deployment", "apiVersion": "apps/v1", "spec": "x", "metadata": 3}),
        ] {
            let works = desired(&odd, &template);
            let all: Vec<&Value> = works.iter().collect();
            assert!(orphans(&all, &works).is_empty());
            let _ = patch(&odd, &template);
        }
    }
}
