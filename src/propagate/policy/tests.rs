use super::*;
use crate::store::merge::apply;

fn template(claims: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": "team", "name": "web", "labels": {"app": "web"}, "annotations": claims },
    })
}

/// `team/a!` is a preempting policy of the namespace, `b` a cluster-wide one; `:5` sets the priority.
fn policy(text: &str) -> PolicyView {
    let (text, priority) = text.split_once(':').unwrap_or((text, "0"));
    let (text, preemption) = text
        .strip_suffix('!')
        .map_or((text, "Never"), |text| (text, "Always"));
    let (kind, namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => ("PropagationPolicy", json!(namespace), name),
        None => ("ClusterPropagationPolicy", json!(null), text),
    };
    PolicyView::read(&json!({
        "kind": kind, "metadata": { "namespace": namespace, "name": name, "uid": text },
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "priority": priority.parse::<i32>().unwrap(), "preemption": preemption,
        },
    }))
    .unwrap()
}

fn check(claimed: Option<&str>, policies: &[&str], expected: Option<&str>) {
    let policies: Vec<PolicyView> = policies.iter().map(|text| policy(text)).collect();
    let mut object = template(json!({}));
    if let Some(claimed) = claimed {
        apply(claim_patch(&object, &policy(claimed)).unwrap(), &mut object);
    }
    let found = winner(&object, &policies).map(|policy| match &policy.namespace {
        Some(namespace) => format!("{namespace}/{}", policy.name),
        None => policy.name.clone(),
    });
    assert_eq!(found.as_deref(), expected, "claimed by {claimed:?}");
}

#[test]
fn the_namespace_comes_first_then_priority_then_the_name() {
    check(None, &["all:9", "team/b", "team/a", "other/a:9"], Some("team/a"));
    check(None, &["team/b:1", "team/a"], Some("team/b"));
    check(None, &["z", "y", "z:1"], Some("z"));
    check(None, &["other/a"], None);
}

#[test]
fn a_claim_holds_unless_it_is_preempted() {
    check(Some("team/b"), &["team/a:9", "team/b"], Some("team/b"));
    check(Some("team/b"), &["team/a!:9", "team/b"], Some("team/a"));
    check(Some("team/b"), &["team/a!", "team/b"], Some("team/b"));
    check(Some("team/b"), &["all!:9", "team/b"], Some("team/b"));
    check(Some("all"), &["all:9", "team/b"], Some("all"));
    check(Some("all"), &["all:9", "team/b!"], Some("team/b"));
    check(Some("all"), &["all", "any!:1"], Some("any"));
}

#[test]
fn a_claim_of_a_policy_that_is_gone_ends() {
    check(Some("team/gone"), &["team/a", "team/b:1"], Some("team/b"));
    check(Some("gone"), &["all"], Some("all"));
    let mut deleting = policy("team/a");
    deleting.deleting = true;
    assert_eq!(winner(&template(json!({})), &[deleting]), None);
}

#[test]
fn claims_are_exchanged_and_released() {
    let (team, all) = (policy("team/a"), policy("all"));
    let mut object = template(json!({"theirs": "stays"}));
    for policy in [&all, &team] {
        apply(claim_patch(&object, policy).unwrap(), &mut object);
        assert_eq!(claim_patch(&object, policy), None);
    }
    assert_eq!(
        object["metadata"]["annotations"],
        json!({"theirs": "stays", keys::POLICY_NAMESPACE: "team", keys::POLICY_NAME: "a"}),
    );
    assert_eq!(
        object["metadata"]["labels"],
        json!({"app": "web", keys::POLICY_ID: team.permanent_id})
    );
    apply(release_patch(&object).unwrap(), &mut object);
    assert_eq!(object, template(json!({"theirs": "stays"})));
    assert_eq!(release_patch(&object), None);
}

#[test]
fn the_id_that_karmada_gave_is_kept() {
    let policy = PolicyView::read(&json!({
        "kind": "PropagationPolicy",
        "metadata": { "namespace": "team", "name": "a", "labels": { keys::POLICY_ID: "given" } },
        "spec": { "resourceSelectors": [] },
    }));
    assert_eq!(policy.unwrap().permanent_id, "given");
}

#[test]
fn defaults_are_filled_in_and_unknown_fields_stay() {
    let policy = PolicyView::read(&json!({
        "kind": "PropagationPolicy", "metadata": { "namespace": "team", "name": "a" },
        "spec": {
            "resourceSelectors": [{"apiVersion": "v1", "kind": "Secret"}],
            "placement": { "spreadConstraints": [{"maxGroups": 2}], "fieldOfTomorrow": 1 },
        },
    }))
    .unwrap();
    assert_eq!(policy.spec.resource_selectors[0].namespace, "team");
    assert_eq!(
        policy.raw["placement"],
        json!({"spreadConstraints": [{"maxGroups": 2, "minGroups": 1, "spreadByField": "cluster"}], "fieldOfTomorrow": 1}),
    );
}

#[test]
fn an_unreadable_policy_names_the_field() {
    let error = PolicyView::read(&json!({
        "kind": "ClusterPropagationPolicy", "metadata": { "name": "all" },
        "spec": { "resourceSelectors": [], "priority": "high" },
    }));
    let error = error.unwrap_err();
    assert_eq!(
        (error.object.as_str(), error.path.as_str()),
        ("ClusterPropagationPolicy all", "spec.priority")
    );
}

#[test]
fn selected_kinds_are_those_of_policies_that_stay() {
    let mut going = policy("gone");
    going.deleting = true;
    going.spec.resource_selectors[0].kind = "StatefulSet".into();
    let kinds = selected_kinds(&[policy("all"), policy("team/a"), going]);
    assert_eq!(
        kinds,
        BTreeSet::from([("apps/v1".to_owned(), "Deployment".to_owned())])
    );
}

#[test]
fn what_another_controller_claimed_follows_no_policy() {
    let mut object = template(json!({}));
    object["metadata"]["labels"][keys::CLAIMED_BY] = json!("MultiClusterService");
    assert_eq!(winner(&object, &[policy("team/a")]), None);
}
