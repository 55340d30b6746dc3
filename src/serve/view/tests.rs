//! What is shown of clusters that cannot be read.

use std::sync::Arc;

use serde_json::json;

use super::*;

#[test]
fn who_is_held_back_is_told_by_the_dns_servers() {
    let held_back = |downs, second| HeldBack {
        downs,
        until: jiff::Timestamp::from_second(second).unwrap(),
    };
    let told = merged([
        BTreeMap::from([
            ("a".to_owned(), held_back(3, 60)),
            ("b".to_owned(), held_back(4, 9)),
        ]),
        BTreeMap::from([("a".to_owned(), held_back(4, 70))]),
    ]);
    assert_eq!(told["a"], held_back(4, 70));
    assert_eq!(
        told["b"].to_string(),
        "held back after 4 Downs, until about 00:00:09 UTC"
    );
    // A controller that has just started knows nothing of it.
    let (traffic, control) = paths(&FleetView::default(), &told, "a");
    assert!(traffic.suppressed && traffic.held_back == Some(held_back(4, 70)));
    assert!(!control.suppressed && control.held_back.is_none());
}

#[test]
fn readiness_that_nobody_reads_is_stale() {
    let (index, kinds) = (Index::default(), Kinds::default());
    for cluster in ["a", "b", "c"] {
        index.apply(&kinds.cluster, json!({ "metadata": { "name": cluster } }));
    }
    let binding = |name: &str, spec: Value| {
        json!({
            "metadata": { "namespace": "default", "name": name },
            "spec": spec,
            "status": { "aggregatedStatus": [
                { "clusterName": "a", "applied": true, "status": { "readyReplicas": 3 } },
                { "clusterName": "b", "applied": true, "status": { "readyReplicas": 2 } },
            ]},
        })
    };
    let places = |replicas: [i64; 2]| {
        json!([
            { "name": "a", "replicas": replicas[0] }, { "name": "b", "replicas": replicas[1] },
        ])
    };
    index.apply(
        &kinds.binding,
        binding("api", json!({ "replicas": 5, "clusters": places([3, 2]) })),
    );
    index.apply(
        &kinds.binding,
        binding("web", json!({ "replicas": 3, "clusters": places([3, 0]) })),
    );
    index.apply(
        &kinds.binding,
        binding("web-service", json!({ "clusters": places([0, 0]) })),
    );
    let controller = Status {
        running: true,
        fresh: Arc::new(["a".to_owned(), "c".to_owned()].into()),
        ..Status::default()
    };
    let verdicts = FleetView::default();
    let known = |controller| Known {
        now: jiff::Timestamp::UNIX_EPOCH,
        up_ms: 0,
        index: &index,
        kinds: &kinds,
        verdicts: &verdicts,
        controller,
        dns: Vec::new(),
        names: Vec::new(),
        faults: BTreeMap::new(),
        demo: false,
    };
    let bindings = |state: &State| -> Vec<(String, bool, bool)> {
        let told = state.bindings.iter();
        told.map(|b| (b.name.clone(), b.workload, b.stale)).collect()
    };
    let clusters = |state: &State| -> Vec<bool> { state.clusters.iter().map(|c| c.replicas.stale).collect() };

    let reading = state(known(&controller));
    assert_eq!(clusters(&reading), [false, true, false]);
    let expected = [
        ("api", true, true),
        ("web", true, false),
        ("web-service", false, false),
    ];
    assert_eq!(
        bindings(&reading),
        expected.map(|(name, workload, stale)| (name.to_owned(), workload, stale))
    );
    let api: Vec<_> = reading.bindings[0]
        .clusters
        .iter()
        .map(|c| (c.ready, c.stale))
        .collect();
    assert_eq!(api, [(3, false), (2, true)]);

    let controller_down = state(known(&Status::default()));
    assert_eq!(clusters(&controller_down), [true, true, true]);
}
