//! Server-side apply: ownership, conflicts, removal.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{refusal, server};

fn config(replicas: Option<i32>, containers: &Value) -> Value {
    let mut config = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}},
    });
    if let Some(replicas) = replicas {
        config["spec"]["replicas"] = replicas.into();
    }
    config
}

#[tokio::test]
async fn owners_conflict_take_over_and_let_go() {
    let (_server, client) = server(256).await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let one = json!([{"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}]);
    let apply = |manager: &str| PatchParams::apply(manager);
    let created = api
        .patch("web", &apply("alice"), &Patch::Apply(config(Some(2), &one)))
        .await
        .unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    let again = api
        .patch("web", &apply("alice"), &Patch::Apply(config(Some(2), &one)))
        .await
        .unwrap();
    assert_eq!(
        again.metadata.resource_version, created.metadata.resource_version,
        "applying again changes nothing"
    );

    // Bob wants another value.
    let other = json!([{"name": "web", "image": "web:2"}]);
    let (code, message) = refusal(
        api.patch("web", &apply("bob"), &Patch::Apply(config(Some(5), &other)))
            .await,
    );
    assert_eq!(code, 409);
    assert!(
        message.starts_with("Apply failed with 2 conflicts: conflicts with \"alice\" using apps/v1:"),
        "{message}"
    );
    assert!(message.contains(".spec.replicas"), "{message}");
    assert!(
        message.contains(".spec.template.spec.containers[name=\"web\"].image"),
        "{message}"
    );
    let taken = api
        .patch(
            "web",
            &apply("bob").force(),
            &Patch::Apply(config(Some(5), &other)),
        )
        .await
        .unwrap();
    assert_eq!(taken.spec.as_ref().unwrap().replicas, Some(5));

    // Alice no longer mentions replicas nor the variable: the one stays (Bob's), the other goes.
    let less = json!([{"name": "web", "image": "web:2"}, {"name": "side", "image": "side:1"}]);
    let applied = api
        .patch("web", &apply("alice"), &Patch::Apply(config(None, &less)))
        .await
        .unwrap();
    let spec = applied.spec.unwrap();
    assert_eq!(spec.replicas, Some(5));
    let containers = spec.template.spec.unwrap().containers;
    assert_eq!(
        containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["web", "side"]
    );
    assert!(
        containers[0].env.as_ref().is_none_or(Vec::is_empty),
        "{:?}",
        containers[0].env
    );

    // What only Alice applied goes with her last configuration.
    let gone = api
        .patch("web", &apply("alice"), &Patch::Apply(config(None, &other)))
        .await
        .unwrap();
    let containers = gone.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers.len(), 1);
}

#[tokio::test]
async fn an_update_takes_the_fields_it_changes() {
    let (_server, client) = server(256).await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let one = json!([{"name": "web", "image": "web:1"}]);
    api.patch(
        "web",
        &PatchParams::apply("alice"),
        &Patch::Apply(config(Some(2), &one)),
    )
    .await
    .unwrap();
    let params = PatchParams {
        field_manager: Some("scaler".to_owned()),
        ..PatchParams::default()
    };
    api.patch("web", &params, &Patch::Merge(json!({"spec": {"replicas": 4}})))
        .await
        .unwrap();
    let (code, message) = refusal(
        api.patch(
            "web",
            &PatchParams::apply("alice"),
            &Patch::Apply(config(Some(2), &one)),
        )
        .await,
    );
    assert_eq!(code, 409);
    assert_eq!(
        message,
        "Apply failed with 1 conflict: conflict with \"scaler\" using apps/v1: .spec.replicas"
    );
    let kept = api
        .patch(
            "web",
            &PatchParams::apply("alice"),
            &Patch::Apply(config(None, &one)),
        )
        .await
        .unwrap();
    assert_eq!(kept.spec.unwrap().replicas, Some(4));
}

#[tokio::test]
async fn an_apply_says_who_and_what() {
    let (_server, client) = server(256).await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let one = json!([{"name": "web", "image": "web:1"}]);
    let (code, message) = refusal(
        api.patch(
            "other",
            &PatchParams::apply("alice"),
            &Patch::Apply(config(None, &one)),
        )
        .await,
    );
    assert_eq!(code, 400);
    assert!(
        message.contains("does not match the name on the URL"),
        "{message}"
    );
    let bare = json!({"metadata": {"name": "web"}});
    assert_eq!(
        refusal(
            api.patch("web", &PatchParams::apply("alice"), &Patch::Apply(bare))
                .await
        )
        .0,
        400
    );
}
