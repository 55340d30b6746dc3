//! Custom resources: established, defaulted, pruned, validated, printed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{refusal, server};

fn definition() -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "metadata": {"name": "zones.lifeboat.dev"},
        "spec": {
            "group": "lifeboat.dev", "scope": "Namespaced",
            "names": {"plural": "zones", "kind": "Zone", "shortNames": ["zn"]},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
                    "spec": {"type": "object", "required": ["name"],
                        "x-kubernetes-validations": [{"rule": "self.name == oldSelf.name", "message": "name is immutable"}],
                        "properties": {
                            "name": {"type": "string", "maxLength": 20},
                            "size": {"type": "integer", "minimum": 0, "default": 3},
                            "replicas": {"type": "integer"},
                            "mode": {"type": "string", "enum": ["weighted", "failover"]},
                            "port": {"x-kubernetes-int-or-string": true},
                            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
                    "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}},
            }],
        },
    }))
    .unwrap()
}

async fn zones(client: &Client) -> Api<DynamicObject> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let created = definitions
        .create(&PostParams::default(), &definition())
        .await
        .unwrap();
    let conditions = created.status.unwrap().conditions.unwrap();
    assert!(
        conditions
            .iter()
            .any(|condition| condition.type_ == "Established" && condition.status == "True")
    );
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("lifeboat.dev", "v1alpha1", "Zone"),
        "zones",
    );
    Api::namespaced_with(client.clone(), "default", &resource)
}

fn zone(name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({"apiVersion": "lifeboat.dev/v1alpha1", "kind": "Zone", "metadata": {"name": name}, "spec": spec})).unwrap()
}

#[tokio::test]
async fn the_schema_rules() {
    let (_server, client) = server(256).await;
    let api = zones(&client).await;
    let created = api
        .create(
            &PostParams::default(),
            &zone(
                "a",
                &json!({"name": "x", "bogus": 1, "free": {"any": {"thing": 1}}, "port": "http"}),
            ),
        )
        .await
        .unwrap();
    assert_eq!(
        created.data["spec"],
        json!({"name": "x", "size": 3, "free": {"any": {"thing": 1}}, "port": "http"})
    );

    for (spec, expected) in [
        (
            json!({"name": 1}),
            "spec.name: Invalid value: \"integer\": spec.name in body must be of type string: \"integer\"",
        ),
        (json!({}), "spec.name: Required value"),
        (
            json!({"name": "x", "size": -1}),
            "spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0",
        ),
        (
            json!({"name": "x", "mode": "z"}),
            "spec.mode: Unsupported value: \"z\": supported values: \"weighted\", \"failover\"",
        ),
        (
            json!({"name": "x", "replicas": -1}),
            "spec.replicas: Invalid value: -1: should be a non-negative integer",
        ),
        (
            json!({"name": "x", "port": true}),
            "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
        ),
    ] {
        let (code, message) = refusal(api.create(&PostParams::default(), &zone("b", &spec)).await);
        assert_eq!(
            (code, message),
            (422, format!("Zone.lifeboat.dev \"b\" is invalid: {expected}"))
        );
    }
    let patch = Patch::Merge(json!({"spec": {"name": "y"}}));
    let (_, message) = refusal(api.patch("a", &PatchParams::default(), &patch).await);
    assert!(
        message.ends_with("spec: Invalid value: \"object\": name is immutable"),
        "{message}"
    );
    assert_eq!(
        refusal(
            api.patch("a", &PatchParams::default(), &Patch::Strategic(json!({})))
                .await
        )
        .0,
        415
    );
}

#[tokio::test]
async fn status_scale_and_the_end_of_a_definition() {
    let (_server, client) = server(256).await;
    let api = zones(&client).await;
    api.create(
        &PostParams::default(),
        &zone("a", &json!({"name": "x", "replicas": 1})),
    )
    .await
    .unwrap();
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let scaled = api
        .patch_scale("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(2));
    let patch = Patch::Merge(json!({"status": {"replicas": 2}, "spec": {"replicas": 9}}));
    let status = api
        .patch_status("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        (
            &status.data["spec"]["replicas"],
            &status.data["status"]["replicas"]
        ),
        (&json!(2), &json!(2))
    );

    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .delete("zones.lifeboat.dev", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(refusal(api.list(&Default::default()).await).0, 404);
    definitions
        .create(&PostParams::default(), &definition())
        .await
        .unwrap();
    assert!(
        api.list(&Default::default()).await.unwrap().items.is_empty(),
        "the objects went with the definition"
    );
}

#[tokio::test]
async fn bad_definitions_are_refused_by_path() {
    let (_server, client) = server(256).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut raw = serde_json::to_value(definition()).unwrap();
    raw["metadata"]["name"] = "other.lifeboat.dev".into();
    raw["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["name"]["type"] =
        "text".into();
    let wrong = serde_json::from_value(raw).unwrap();
    let (code, message) = refusal(definitions.create(&PostParams::default(), &wrong).await);
    assert_eq!(code, 422);
    assert!(
        message.contains("metadata.name: Invalid value: \"other.lifeboat.dev\""),
        "{message}"
    );
    assert!(
        message.contains("properties[spec].properties[name].type: Unsupported value: \"text\""),
        "{message}"
    );
}
