//! Create, read, update, delete; conflicts, defaults, validation, lists and pages.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{config_map, config_maps, refusal, server};

fn deployment(replicas: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]}}},
    }))
    .unwrap()
}

#[tokio::test]
async fn an_object_lives_its_life() {
    let (_server, client) = server(256).await;
    let api = config_maps(&client);
    let created = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    assert_eq!(
        refusal(api.create(&PostParams::default(), &config_map("a", "1")).await).0,
        409
    );

    let mut changed = created.clone();
    changed.data = Some([("key".to_owned(), "2".to_owned())].into());
    let updated = api.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(updated.resource_version(), created.resource_version());
    let (code, message) = refusal(api.replace("a", &PostParams::default(), &changed).await);
    assert_eq!(code, 409);
    assert!(message.contains("the object has been modified"), "{message}");
    let same = api.replace("a", &PostParams::default(), &updated).await.unwrap();
    assert_eq!(
        same.resource_version(),
        updated.resource_version(),
        "a write that changes nothing is none"
    );

    let wrong = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some("x".to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    assert_eq!(refusal(api.delete("a", &wrong).await).0, 409);
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        refusal(api.get("a").await),
        (404, "configmaps \"a\" not found".to_owned())
    );
}

#[tokio::test]
async fn built_in_kinds_get_defaults_and_are_validated() {
    let (_server, client) = server(256).await;
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let (code, message) = refusal(api.create(&PostParams::default(), &deployment(-1)).await);
    assert_eq!(code, 422);
    assert_eq!(
        message,
        "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    let mut wrong = deployment(1);
    wrong
        .spec
        .as_mut()
        .unwrap()
        .template
        .metadata
        .as_mut()
        .unwrap()
        .labels = Some([("app".into(), "other".into())].into());
    assert!(
        refusal(api.create(&PostParams::default(), &wrong).await)
            .1
            .contains("`selector` does not match template `labels`")
    );

    let created = api.create(&PostParams::default(), &deployment(2)).await.unwrap();
    let spec = created.spec.clone().unwrap();
    assert_eq!(spec.revision_history_limit, Some(10));
    assert_eq!(spec.strategy.unwrap().type_.as_deref(), Some("RollingUpdate"));
    assert_eq!(created.metadata.generation, Some(1));

    let patch =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}});
    let patched = api
        .patch("web", &PatchParams::default(), &Patch::Strategic(patch))
        .await
        .unwrap();
    let containers = patched.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers.len(), 2);
    assert_eq!(containers[1].image.as_deref(), Some("side:2"));
    assert_eq!(patched.metadata.generation, Some(2));

    let patch = json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}});
    let (_, message) = refusal(
        api.patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await,
    );
    assert!(message.contains("spec.selector: Invalid value"), "{message}");
    assert!(message.contains("field is immutable"), "{message}");

    let services: Api<Service> = Api::namespaced(client, "default");
    let service =
        serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}))
            .unwrap();
    let service = services
        .create(&PostParams::default(), &service)
        .await
        .unwrap()
        .spec
        .unwrap();
    assert_eq!(service.type_.as_deref(), Some("ClusterIP"));
    assert!(service.cluster_ip.unwrap().starts_with("10."));
}

#[tokio::test]
async fn status_and_scale_are_written_apart() {
    let (_server, client) = server(256).await;
    let api: Api<Deployment> = Api::namespaced(client, "default");
    api.create(&PostParams::default(), &deployment(2)).await.unwrap();

    let both = json!({"spec": {"replicas": 7}, "status": {"replicas": 2, "readyReplicas": 1}});
    let main = api
        .patch("web", &PatchParams::default(), &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(main.spec.unwrap().replicas, Some(7));
    assert_eq!(main.status.unwrap_or_default().ready_replicas, None);
    let both = json!({"spec": {"replicas": 9}, "status": {"replicas": 2, "readyReplicas": 1}});
    let status = api
        .patch_status("web", &PatchParams::default(), &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(status.spec.unwrap().replicas, Some(7));
    assert_eq!(status.status.unwrap().ready_replicas, Some(1));
    assert_eq!(status.metadata.generation, Some(2), "a status is not a wish");

    let scale = api.get_scale("web").await.unwrap();
    assert_eq!(
        (scale.spec.unwrap().replicas, scale.status.unwrap().replicas),
        (Some(7), 2)
    );
    let patch = json!({"spec": {"replicas": 3}});
    api.patch_scale("web", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(api.get("web").await.unwrap().spec.unwrap().replicas, Some(3));
    let patch = json!({"spec": {"replicas": -3}});
    assert_eq!(
        refusal(
            api.patch_scale("web", &PatchParams::default(), &Patch::Merge(&patch))
                .await
        )
        .0,
        422
    );
}

#[tokio::test]
async fn unknown_fields_follow_field_validation() {
    let (_server, client) = server(256).await;
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"dat": {}, "metadata": {"lables": {}}}));
    let (code, message) = refusal(
        api.patch(
            "a",
            &PatchParams {
                field_validation: Some(kube::api::ValidationDirective::Strict),
                ..PatchParams::default()
            },
            &patch,
        )
        .await,
    );
    assert_eq!(code, 400);
    assert!(
        message.ends_with("strict decoding error: unknown field \"dat\", unknown field \"metadata.lables\""),
        "{message}"
    );
    api.patch("a", &PatchParams::default(), &patch).await.unwrap();

    let body = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"b"},"data":{"k":"1","k":"2"}}"#;
    let request = http::Request::post("/api/v1/namespaces/default/configmaps?fieldValidation=Strict")
        .header("content-type", "application/json")
        .body(body.as_bytes().to_vec())
        .unwrap();
    let (code, message) = refusal(client.request::<ConfigMap>(request).await);
    assert_eq!(code, 400);
    assert!(
        message.ends_with("strict decoding error: duplicate field \"data.k\""),
        "{message}"
    );
}

#[tokio::test]
async fn lists_select_and_page_consistently() {
    let (_server, client) = server(64).await;
    let api = config_maps(&client);
    for index in 0..5 {
        api.create(&PostParams::default(), &config_map(&format!("m{index}"), "1"))
            .await
            .unwrap();
    }
    let found = api
        .list(&ListParams::default().labels("app in (m1, m3)"))
        .await
        .unwrap();
    assert_eq!(
        found.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        ["m1", "m3"]
    );
    let found = api
        .list(&ListParams::default().fields("metadata.name!=m1"))
        .await
        .unwrap();
    assert_eq!(found.items.len(), 4);
    assert_eq!(
        refusal(api.list(&ListParams::default().fields("spec.bogus=1")).await).0,
        400
    );
    assert_eq!(
        refusal(api.list(&ListParams::default().labels("a in b")).await).0,
        400
    );

    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    api.delete("m2", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config_map("m9", "1"))
        .await
        .unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = api
        .list(&ListParams::default().continue_token(&token))
        .await
        .unwrap();
    assert_eq!(
        rest.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        ["m2", "m3", "m4"],
        "as of the first page"
    );
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);

    for round in 0..100 {
        api.patch(
            "m0",
            &PatchParams::default(),
            &Patch::Merge(json!({"data": {"round": round.to_string()}})),
        )
        .await
        .unwrap();
    }
    assert_eq!(
        refusal(api.list(&ListParams::default().continue_token(&token)).await).0,
        410
    );
    assert_eq!(
        refusal(api.list(&ListParams::default().continue_token("bogus")).await).0,
        400
    );
}
