//! Requests that cannot be answered say what is allowed.

use std::collections::BTreeMap;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use lifeboat_health::{FleetView, MonoClock};
use tower::ServiceExt;

use super::*;
use crate::{
    controller::{Kinds, Status},
    serve::view::{self, Known},
    store::Index,
};

/// Says back what it was asked.
struct Echo;

impl Inquiries for Echo {
    fn explain_name(
        &self,
        name: &str,
        kind: &str,
        client: IpAddr,
        subnet: Option<IpNet>,
    ) -> Result<Value, Refusal> {
        match kind {
            "A" | "AAAA" => Ok(json!([name, kind, client, subnet])),
            other => Err(Refusal::Invalid(format!(
                "parameter kind: {other:?}; allowed: A, AAAA"
            ))),
        }
    }

    fn seen_now(&self, _: &str) -> Result<Vec<SeenNow>, Refusal> {
        Ok(Vec::new())
    }

    fn explain_binding(&self, binding: &str) -> Result<Value, Refusal> {
        Ok(json!(binding))
    }

    fn plan_if_lost(&self, clusters: &[String]) -> Result<Value, Refusal> {
        match clusters
            .iter()
            .find(|cluster| !["a", "b"].contains(&cluster.as_str()))
        {
            Some(unknown) => Err(Refusal::Unknown(format!(
                "cluster {unknown:?} is not known; known: a, b"
            ))),
            None => Ok(json!(clusters)),
        }
    }
}

fn app() -> Router {
    let state = view::state(Known {
        now: jiff::Timestamp::UNIX_EPOCH,
        up_ms: 0,
        index: &Index::default(),
        kinds: &Kinds::default(),
        verdicts: &FleetView::default(),
        controller: &Status::default(),
        dns: Vec::new(),
        names: Vec::new(),
        faults: BTreeMap::new(),
        demo: false,
    });
    let sources = Sources {
        state: Arc::new(ArcSwap::from_pointee(state)),
        document: watch::channel(Arc::from("{}")).1,
        history: History::default(),
        timeline: Timeline::new(MonoClock::new()),
        inquiries: Arc::new(Echo),
        metrics: Arc::new(Registry::default()),
    };
    let guard = Guard::new("127.0.0.1:8080".parse().unwrap(), &[], None).unwrap();
    router(sources, guard, Router::new())
}

async fn ask(path: &str) -> (u16, Value) {
    let request = Request::get(path)
        .header(header::HOST, "127.0.0.1:8080")
        .body(Body::empty())
        .unwrap();
    let response = app().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn refused(path: &str, status: u16, words: &[&str]) {
    let (got, answer) = ask(path).await;
    let error = answer["error"].as_str().unwrap_or_default();
    assert_eq!(got, status, "{path}: {answer}");
    for word in words {
        assert!(error.contains(word), "{path} does not say {word:?}: {error}");
    }
}

#[tokio::test]
async fn a_bad_parameter_is_named_with_its_value_and_what_is_allowed() {
    refused("/api/events?after=-1", 400, &["after", "\"-1\"", "0 or more"]).await;
    refused("/api/events?after=x&after=1", 400, &["after", "more than once"]).await;
    refused("/api/events?limit=-5", 400, &["\"limit\"", "allowed: after"]).await;
    refused(
        "/api/explain/name/x.example?client=nobody",
        400,
        &["client", "\"nobody\"", "address"],
    )
    .await;
    refused(
        "/api/explain/name/x.example?kind=FOO",
        400,
        &["kind", "FOO", "AAAA"],
    )
    .await;
    refused(
        "/api/explain/name/x.example?type=A",
        400,
        &["\"type\"", "client, ecs, kind"],
    )
    .await;
    refused(
        "/api/explain/name/x.example?ecs=10.0.0.0/33",
        400,
        &["ecs", "10.0.0.0/33", "prefix"],
    )
    .await;
    refused("/api/plan", 400, &["ifLost", "commas"]).await;
    refused("/api/plan?ifLost=a,", 400, &["ifLost"]).await;
    refused("/api/plan?iflost=a", 400, &["\"iflost\"", "ifLost"]).await;
    refused("/api/plan?ifLost=mars", 404, &["mars", "a, b"]).await;
    refused("/api/explain/cluster/mars", 404, &["mars", "known"]).await;
}

#[tokio::test]
async fn what_cannot_be_read_or_done_is_told_in_our_words() {
    refused("/api/explain/name/%00%ff", 400, &["%00%ff", "UTF-8"]).await;
    refused("/api/explain/binding/%ff", 400, &["%ff", "UTF-8"]).await;
    let request = Request::post("/metrics")
        .header(header::HOST, "127.0.0.1:8080")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::empty())
        .unwrap();
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer, json!({ "error": "POST is not possible on /metrics" }));
}

#[tokio::test]
async fn good_parameters_reach_whoever_answers() {
    assert_eq!(ask("/api/events?after=7").await, (200, json!([])));
    assert_eq!(
        ask("/api/explain/name/x.example").await,
        (200, json!(["x.example", "A", "127.0.0.1", null]))
    );
    assert_eq!(
        ask("/api/explain/name/x.example?client=::1&kind=AAAA&ecs=2001:db8::/56").await,
        (200, json!(["x.example", "AAAA", "::1", "2001:db8::/56"]))
    );
    assert_eq!(
        ask("/api/plan?ifLost=a,b").await.1,
        ask("/api/plan?ifLost=a&ifLost=b").await.1
    );
    for written in ["default/shop", "default%2Fshop"] {
        assert_eq!(
            ask(&format!("/api/explain/binding/{written}")).await,
            (200, json!("default/shop"))
        );
    }
}
