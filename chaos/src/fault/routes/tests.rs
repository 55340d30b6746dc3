//! The endpoint as a client sees it.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::fault::{Effects, FaultTarget};

struct Cluster(&'static str);

impl FaultTarget for Cluster {
    fn name(&self) -> &str {
        self.0
    }

    fn apply(&self, _: Effects) {}
}

async fn send(router: &Router, method: &str, path: &str, body: Option<&str>) -> (StatusCode, Value) {
    let mut request = http::Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
    }
    let request = request
        .body(Body::from(body.unwrap_or_default().to_owned()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

fn demo() -> Router {
    let targets = ["eu", "us"].map(|name| Arc::new(Cluster(name)) as Arc<dyn FaultTarget>);
    router(Faults::new(targets, None))
}

const FAULTS: &str = "/api/demo/faults";

#[tokio::test(start_paused = true)]
async fn faults_are_injected_listed_and_cleared() {
    let demo = demo();
    let body = r#"{"kind":"slow","clusters":["eu","us"],"for":"30s","delayMs":200}"#;
    let (status, fault) = send(&demo, "POST", FAULTS, Some(body)).await;
    let expected = json!({"id": 1, "kind": "slow", "clusters": ["eu", "us"], "delayMs": 200, "ageMs": 0, "remainingMs": 30_000});
    assert_eq!((status, &fault), (StatusCode::CREATED, &expected));

    let (_, listed) = send(&demo, "GET", FAULTS, None).await;
    assert_eq!(listed["faults"], json!([expected]));
    assert_eq!(listed["clusters"], json!(["eu", "us"]));

    assert_eq!(
        send(&demo, "DELETE", "/api/demo/faults/1", None).await,
        (StatusCode::OK, expected)
    );
    send(
        &demo,
        "POST",
        FAULTS,
        Some(r#"{"kind":"power-off","clusters":["eu"]}"#),
    )
    .await;
    let (_, cleared) = send(&demo, "DELETE", FAULTS, None).await;
    assert_eq!(cleared["cleared"][0]["kind"], "power-off");
    assert_eq!(send(&demo, "GET", FAULTS, None).await.1["faults"], json!([]));
}

#[tokio::test]
async fn refusals_are_json_with_a_fitting_status() {
    let demo = demo();
    for (method, path, body, status, part) in [
        ("POST", FAULTS, Some("{"), 400, "the body is not a fault"),
        (
            "POST",
            FAULTS,
            Some(r#"{"kind":"slow","cluster":"eu"}"#),
            400,
            "unknown field `cluster`",
        ),
        (
            "POST",
            FAULTS,
            Some(r#"{"kind":"boom","clusters":["eu"]}"#),
            422,
            "unknown fault kind `boom`; allowed: ",
        ),
        (
            "POST",
            FAULTS,
            Some(r#"{"kind":"slow","clusters":["mars"]}"#),
            404,
            "unknown cluster `mars`; known: eu, us",
        ),
        (
            "POST",
            FAULTS,
            Some(r#"{"kind":"slow","clusters":["eu"],"for":"2h"}"#),
            422,
            "out of bounds",
        ),
        (
            "POST",
            FAULTS,
            Some(r#"{"kind":"controller-down"}"#),
            422,
            "needs a controller",
        ),
        ("POST", FAULTS, None, 415, "application/json"),
        (
            "DELETE",
            "/api/demo/faults/7",
            None,
            404,
            "no fault 7 is in force",
        ),
        (
            "DELETE",
            "/api/demo/faults/x",
            None,
            400,
            "`x` is not the number of a fault",
        ),
    ] {
        let (got, answer) = send(&demo, method, path, body).await;
        let error = answer["error"].as_str().unwrap();
        assert_eq!(got.as_u16(), status, "{method} {path} {body:?}: {error}");
        assert!(error.contains(part), "{error}");
    }
}
