//! The fault switches, and bodies nobody should send.

use std::time::Duration;

use kube::api::PostParams;

use super::{client, config_map, config_maps, refusal, server};

#[tokio::test]
async fn errors_hangs_and_stale_lists() {
    let (server, kube_client) = server(64).await;
    let api = config_maps(&kube_client);
    server.switches().set_error_rate(500, 1.0);
    assert_eq!(refusal(api.get("a").await).0, 500);
    server.switches().clear();
    assert_eq!(server.switches().injected_errors(), 1);

    server.switches().set_stale_lists(true);
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    assert!(api.list(&Default::default()).await.unwrap().items.is_empty());
    api.get("a").await.unwrap();
    server.switches().set_stale_lists(false);
    assert_eq!(api.list(&Default::default()).await.unwrap().items.len(), 1);

    server.switches().set_hang(true);
    let pending = api.get("a");
    tokio::pin!(pending);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut pending)
            .await
            .is_err()
    );
    server.switches().set_hang(false);
    pending.await.unwrap();

    server.switches().set_refuse(true);
    assert!(!matches!(
        config_maps(&client(&server)).get("a").await,
        Ok(_) | Err(kube::Error::Api(_))
    ));
    server.stop().await;
}

#[tokio::test]
async fn hostile_bodies_get_a_status() {
    let (_server, client) = server(64).await;
    let deep = format!(
        "{{\"metadata\":{{\"name\":\"a\"}},\"data\":{}",
        "{\"a\":".repeat(5_000)
    );
    let large = format!(
        "{{\"metadata\":{{\"name\":\"a\"}},\"data\":{{\"k\":\"{}\"}}}}",
        "x".repeat(1_700_000)
    );
    let huge = "x".repeat(4 << 20);
    for (body, media, code) in [
        ("", "application/json", 400),
        ("[]", "application/json", 400),
        ("{\"metadata\":[]}", "application/json", 400),
        ("{\"metadata\":{\"name\":\"A B\"}}", "application/json", 422),
        (
            "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":1}}",
            "application/json",
            400,
        ),
        (
            "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}",
            "application/json",
            400,
        ),
        ("k8s\0\u{7f}", "application/vnd.kubernetes.protobuf", 400),
        ("a: &a [*a]", "application/yaml", 400),
        ("x", "application/cbor", 415),
        (&deep, "application/json", 400),
        (&deep, "application/yaml", 400),
        (&large, "application/json", 413),
        (&huge, "application/json", 413),
    ] {
        let request = http::Request::post("/api/v1/namespaces/default/configmaps")
            .header("content-type", media)
            .body(body.as_bytes().to_vec())
            .unwrap();
        let found = refusal(client.request::<serde_json::Value>(request).await);
        assert_eq!(found.0, code, "{:.60} {}", body, found.1);
    }
}
