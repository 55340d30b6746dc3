use super::*;

fn deployment(spec: Value, status: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec, "status": status,
        "metadata": {"generation": 2, "annotations": {TEMPLATE_GENERATION: "5"}},
    })
}

#[test]
fn replicas_default_to_one_and_a_job_runs_no_more_than_it_completes() {
    let replicas = |object: Value| needs(&object).map(|needs| needs.replicas);
    assert_eq!(replicas(deployment(json!({}), json!({}))), Some(1));
    assert_eq!(replicas(deployment(json!({"replicas": 0}), json!({}))), Some(0));
    let job = |spec: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec});
    assert_eq!(
        replicas(job(json!({"parallelism": 5, "completions": 2}))),
        Some(2)
    );
    assert_eq!(replicas(job(json!({"parallelism": 5}))), Some(5));
    assert_eq!(replicas(json!({"apiVersion": "v1", "kind": "Pod"})), Some(1));
    assert_eq!(replicas(json!({"apiVersion": "v1", "kind": "Service"})), None);
    assert_eq!(
        replicas(json!({"apiVersion": "example.org/v1", "kind": "Deployment"})),
        None
    );
}

#[test]
fn revised_replicas_are_what_needs_reads() {
    let mut object = deployment(json!({}), json!({}));
    revise(&mut object, 7);
    assert_eq!(needs(&object).map(|needs| needs.replicas), Some(7));
    let mut service = json!({"apiVersion": "v1", "kind": "Service"});
    revise(&mut service, 7);
    assert_eq!(service, json!({"apiVersion": "v1", "kind": "Service"}));
}

#[test]
fn a_deployment_has_seen_the_newest_template_when_every_member_has() {
    let member = |generation: i64| {
        let mut observed = deployment(
            json!({}),
            json!({"replicas": 2, "readyReplicas": 1, "observedGeneration": 2, "conditions": []}),
        );
        observed["metadata"]["annotations"][TEMPLATE_GENERATION] = json!(generation.to_string());
        Item {
            cluster: "a".into(),
            health: health(&observed),
            status: reflect(&observed),
        }
    };
    let template = |observed: i64| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 5}, "status": {"observedGeneration": observed}});
    assert_eq!(
        member(5).status,
        Some(
            json!({"generation": 2, "observedGeneration": 2, "resourceTemplateGeneration": 5, "replicas": 2, "readyReplicas": 1})
        ),
    );
    let seen = aggregate(&template(4), &[member(5), member(5)]);
    assert_eq!(
        seen,
        Some(json!({"observedGeneration": 5, "replicas": 4, "readyReplicas": 2}))
    );
    let behind = aggregate(&template(4), &[member(5), member(4)]);
    assert_eq!(
        behind,
        Some(json!({"observedGeneration": 4, "replicas": 4, "readyReplicas": 2}))
    );
}

#[test]
fn a_kind_without_health_is_healthy_and_a_broken_status_is_unknown() {
    assert_eq!(
        health(&json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        Health::Healthy
    );
    assert_eq!(
        health(&json!({"apiVersion": "v1", "kind": "ConfigMap", "status": "odd"})),
        Health::Unknown
    );
    assert_eq!(
        health(&deployment(json!({"replicas": 1}), json!({}))),
        Health::Unhealthy
    );
    for health in [Health::Healthy, Health::Unhealthy, Health::Unknown] {
        assert_eq!(Health::parse(health.as_str()), health);
    }
}

#[test]
fn ready_is_read_from_what_was_collected() {
    assert_eq!(ready_replicas(&json!({"readyReplicas": 3})), 3);
    assert_eq!(ready_replicas(&json!({"numberReady": 2})), 2);
    assert_eq!(ready_replicas(&json!({"active": 4})), 4);
    assert_eq!(
        ready_replicas(&json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})),
        1
    );
    assert_eq!(ready_replicas(&json!({"phase": "Pending"})), 0);
    assert_eq!(ready_replicas(&json!(null)), 0);
}

#[test]
fn a_finished_job_never_changes() {
    let done = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let job = |status: &Value| json!({"apiVersion": "batch/v1", "kind": "Job", "status": status});
    let item = Item {
        cluster: "a".into(),
        status: Some(done.clone()),
        health: Health::Healthy,
    };
    assert_eq!(aggregate(&job(&done), std::slice::from_ref(&item)), None);
    let status = aggregate(&job(&json!({})), &[item]).unwrap();
    assert_eq!(status["conditions"][0]["type"], "Complete");
}

#[test]
fn odd_objects_panic_nothing() {
    let kinds = [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("v1", "Pod"),
        ("v1", "Service"),
        ("v1", "ServiceAccount"),
        ("v1", "Secret"),
        ("v1", "PersistentVolume"),
        ("v1", "PersistentVolumeClaim"),
        ("networking.k8s.io/v1", "Ingress"),
        ("policy/v1", "PodDisruptionBudget"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("multicluster.x-k8s.io/v1alpha1", "ServiceImport"),
    ];
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!([1, {}]),
        json!({"spec": [], "template": 1, "containers": [1]}),
    ];
    for (api_version, kind) in kinds {
        for part in &odd {
            let mut object = json!({
                "apiVersion": api_version, "kind": kind, "metadata": part, "spec": part, "status": part,
                "secrets": part, "type": "kubernetes.io/service-account-token",
            });
            let item = Item {
                cluster: "a".into(),
                status: Some(part.clone()),
                health: health(&object),
            };
            let _ = (
                needs(&object),
                reflect(&object),
                aggregate(&object, &[item]),
                dependencies(&object),
            );
            let _ = retain(object.clone(), &object);
            let _ = ready_replicas(part);
            revise(&mut object, 2);
            prune(&mut object);
        }
    }
}
