//! Finalizers, owners and namespaces that end.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::{config_map, config_maps, refusal, server};

async fn owned(client: &Client, name: &str, owners: &[&ConfigMap]) -> ConfigMap {
    let owners: Vec<_> = owners
        .iter()
        .map(|owner| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name_any(), "uid": owner.uid(), "blockOwnerDeletion": true}))
        .collect();
    let object =
        serde_json::from_value(json!({"metadata": {"name": name, "ownerReferences": owners}})).unwrap();
    config_maps(client)
        .create(&PostParams::default(), &object)
        .await
        .unwrap()
}

async fn names(client: &Client) -> Vec<String> {
    config_maps(client)
        .list(&Default::default())
        .await
        .unwrap()
        .iter()
        .map(ResourceExt::name_any)
        .collect()
}

#[tokio::test]
async fn a_finalizer_holds_its_object() {
    let (_server, client) = server(256).await;
    let api = config_maps(&client);
    let mut object = config_map("a", "1");
    object.metadata.finalizers = Some(vec!["lifeboat.dev/hold".to_owned()]);
    api.create(&PostParams::default(), &object).await.unwrap();
    let marked = api
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert_eq!(names(&client).await, ["a"]);
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["lifeboat.dev/hold", "lifeboat.dev/more"]}}));
    let (_, message) = refusal(api.patch("a", &PatchParams::default(), &more).await);
    assert!(
        message.contains("no new finalizers can be added if the object is being deleted"),
        "{message}"
    );
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("a", &PatchParams::default(), &none).await.unwrap();
    assert!(names(&client).await.is_empty());
}

#[tokio::test]
async fn dependents_follow_their_last_owner() {
    let (_server, client) = server(256).await;
    let api = config_maps(&client);
    let a = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let b = api
        .create(&PostParams::default(), &config_map("b", "1"))
        .await
        .unwrap();
    let child = owned(&client, "child", &[&a]).await;
    owned(&client, "grandchild", &[&child]).await;
    owned(&client, "shared", &[&a, &b]).await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(names(&client).await, ["b", "shared"]);
    let shared = api.get("shared").await.unwrap();
    assert_eq!(shared.owner_references().len(), 1);
    api.delete("b", &DeleteParams::orphan()).await.unwrap();
    assert_eq!(names(&client).await, ["shared"]);
    assert!(api.get("shared").await.unwrap().owner_references().is_empty());
    owned(&client, "lost", &[&a]).await;
    assert_eq!(
        names(&client).await,
        ["shared"],
        "an owner that is gone owns nothing"
    );
}

#[tokio::test]
async fn foreground_waits_for_dependents() {
    let (_server, client) = server(256).await;
    let api = config_maps(&client);
    let a = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    owned(&client, "quick", &[&a]).await;
    owned(&client, "slow", &[&a]).await;
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["lifeboat.dev/hold"]}}));
    api.patch("slow", &PatchParams::default(), &hold).await.unwrap();
    api.delete("a", &DeleteParams::foreground()).await.unwrap();
    assert_eq!(names(&client).await, ["a", "slow"]);
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("slow", &PatchParams::default(), &none).await.unwrap();
    assert!(names(&client).await.is_empty());
}

#[tokio::test]
async fn a_namespace_takes_its_content_along() {
    let (_server, client) = server(256).await;
    let spaces: Api<Namespace> = Api::all(client.clone());
    let space = serde_json::from_value(json!({"metadata": {"name": "team"}})).unwrap();
    let inside: Api<ConfigMap> = Api::namespaced(client.clone(), "team");
    assert_eq!(
        refusal(inside.create(&PostParams::default(), &config_map("a", "1")).await),
        (404, "namespaces \"team\" not found".to_owned())
    );
    spaces.create(&PostParams::default(), &space).await.unwrap();
    let mut held = config_map("held", "1");
    held.metadata.finalizers = Some(vec!["lifeboat.dev/hold".to_owned()]);
    inside.create(&PostParams::default(), &held).await.unwrap();
    inside
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    spaces.delete("team", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        spaces.get("team").await.unwrap().status.unwrap().phase.as_deref(),
        Some("Terminating")
    );
    assert_eq!(
        refusal(inside.create(&PostParams::default(), &config_map("b", "1")).await).0,
        403
    );
    assert_eq!(inside.list(&Default::default()).await.unwrap().items.len(), 1);
    inside
        .patch(
            "held",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"finalizers": null}})),
        )
        .await
        .unwrap();
    assert_eq!(refusal(spaces.get("team").await).0, 404);
    assert_eq!(
        refusal(spaces.delete("default", &DeleteParams::default()).await).0,
        403
    );
}
