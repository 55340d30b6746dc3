//! Watches: transitions, bookmarks, the end of history, and kube-rs' own watcher on top.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{config_map, config_maps, server};

fn shown(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(object) => format!("added {}", object.name_any()),
        WatchEvent::Modified(object) => format!("modified {}", object.name_any()),
        WatchEvent::Deleted(object) => format!("deleted {}", object.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn take(api: &Api<ConfigMap>, params: &WatchParams, rv: &str, count: usize) -> Vec<String> {
    let stream = api.watch(params, rv).await.unwrap();
    stream
        .take(count)
        .map_ok(|event| shown(&event))
        .try_collect()
        .await
        .unwrap()
}

async fn relabel(api: &Api<ConfigMap>, name: &str, app: &str) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"app": app}}}));
    api.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_selector_sees_objects_come_and_go() {
    let (server, client) = server(256).await;
    let api = config_maps(&client);
    let start = server.store().resource_version().to_string();
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    relabel(&api, "a", "seen").await;
    api.patch(
        "a",
        &PatchParams::default(),
        &Patch::Merge(json!({"data": {"key": "2"}})),
    )
    .await
    .unwrap();
    relabel(&api, "a", "unseen").await;
    relabel(&api, "a", "seen").await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let params = WatchParams::default().labels("app=seen");
    assert_eq!(
        take(&api, &params, &start, 5).await,
        ["added a", "modified a", "deleted a", "added a", "deleted a"]
    );
    assert_eq!(take(&api, &WatchParams::default(), &start, 6).await.len(), 6);
}

#[tokio::test]
async fn history_is_bounded_and_says_so() {
    let (_server, client) = server(8).await;
    let api = config_maps(&client);
    let first = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    for round in 0..20 {
        relabel(&api, "a", &format!("v{round}")).await;
    }
    let old = first.resource_version().unwrap();
    assert_eq!(take(&api, &WatchParams::default(), &old, 1).await, ["error 410"]);
}

#[tokio::test]
async fn a_timeout_ends_with_a_bookmark() {
    let (server, client) = server(64).await;
    let api = config_maps(&client);
    let start = server.store().resource_version().to_string();
    let params = WatchParams::default().timeout(1);
    let stream = api.watch(&params, &start).await.unwrap();
    let events: Vec<_> = stream.map_ok(|event| shown(&event)).try_collect().await.unwrap();
    assert_eq!(events, ["bookmark"]);
}

#[tokio::test]
async fn kube_watchers_survive_dropped_watches_and_lost_history() {
    let (server, client) = server(8).await;
    let api = config_maps(&client);
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        for name in ["a", "b"] {
            let _ = api.create(&PostParams::default(), &config_map(name, "1")).await;
        }
        let mut stream = std::pin::pin!(watcher(api.clone(), config));
        let mut known = Vec::new();
        while known.len() < 2 {
            if let Ok(watcher::Event::InitApply(object)) = stream.next().await.unwrap() {
                known.push(object.name_any());
            }
        }
        assert_eq!(known, ["a", "b"]);
        while !matches!(stream.next().await.unwrap(), Ok(watcher::Event::InitDone)) {}
        // More changes than the history holds, while nobody watches.
        server.switches().drop_watches();
        for round in 0..20 {
            relabel(&api, "a", &format!("v{round}")).await;
        }
        api.delete("b", &DeleteParams::default()).await.unwrap();
        let mut relisted = None;
        while relisted.is_none() {
            match stream.next().await.unwrap() {
                Ok(watcher::Event::InitApply(object)) => relisted = Some(object.labels().get("app").cloned()),
                Ok(watcher::Event::Apply(object))
                    if object.labels().get("app").is_some_and(|app| app == "v19") =>
                {
                    relisted = Some(object.labels().get("app").cloned());
                }
                Ok(_) | Err(_) => {}
            }
        }
        assert_eq!(relisted.flatten().as_deref(), Some("v19"));
    }
}

#[tokio::test]
async fn in_process_watches_see_the_same() {
    use lifeboat_chaos::apiserver::{Gvr, WatchEvent};
    let (server, client) = server(64).await;
    let store = server.store();
    let maps = Gvr::core("configmaps");
    let (items, rv) = store.list(&maps, None, "").unwrap();
    assert!(items.is_empty());
    let mut watch = store.watch(&maps, Some("default"), rv).unwrap();
    config_maps(&client)
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    store
        .patch_merge(&maps, Some("default"), "a", &json!({"data": {"key": "2"}}), None)
        .unwrap();
    store.delete(&maps, Some("default"), "a").unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(match watch.next().await.unwrap().unwrap() {
            WatchEvent::Added(object) => format!("added {}", object["data"]["key"]),
            WatchEvent::Modified(object) => format!("modified {}", object["data"]["key"]),
            WatchEvent::Deleted(object) => format!("deleted {}", object["data"]["key"]),
        });
    }
    assert_eq!(seen, ["added \"1\"", "modified \"2\"", "deleted \"2\""]);
}
