//! What is shown of paths, and of clusters that cannot be read.

use std::sync::Arc;

use serde_json::json;

use super::*;

/// Of cluster `a` at 4.5 s.
fn traffic_path(cell: Cell) -> FleetView {
    let key = ("a".to_owned(), Path::Traffic, Family::V4);
    FleetView {
        at: lifeboat_health::MonoTime::from_millis(4_500),
        cells: BTreeMap::from([(key, cell)]),
        ..FleetView::default()
    }
}

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
fn a_path_shows_its_regions_its_partial_outage_and_its_losses() {
    let view = |region: &str, reach, clear, dead| lifeboat_health::RegionView {
        region: region.to_owned(),
        reach,
        votes: lifeboat_health::Votes {
            clear,
            dead,
            ..lifeboat_health::Votes::default()
        },
        fresh: clear + dead,
    };
    let cell = Cell {
        regions: [
            view("eu", lifeboat_health::Reach::NotReached, 0, 2),
            view("us", lifeboat_health::Reach::Reached, 3, 0),
        ]
        .into(),
        partial: Some(lifeboat_health::PartialOutage {
            since: lifeboat_health::MonoTime::from_millis(1_000),
            reached: vec!["us".to_owned()],
            not_reached: vec!["eu".to_owned()],
        }),
        losses: Some(lifeboat_health::LossEstimate {
            share: 0.021,
            burst: 3.0,
            correlation: 0.5,
            bursts: 20.0,
            recurrence_s: Some(7_200.0),
            wanted_s: 36_000.0,
        }),
        ..Cell::default()
    };
    let verdicts = traffic_path(cell);
    let (traffic, control) = paths(&verdicts, &BTreeMap::new(), "a");
    let traffic = serde_json::to_value(&traffic).unwrap();
    assert_eq!(
        traffic["partial"],
        json!({ "sinceMs": 3_500, "reached": ["us"], "notReached": ["eu"] })
    );
    let reach: Vec<&str> = (0..2)
        .filter_map(|at| traffic["regions"][at]["reach"].as_str())
        .collect();
    assert_eq!(reach, ["not reached", "reached"]);
    let losses: PathLosses = serde_json::from_value(traffic["losses"].clone()).unwrap();
    assert_eq!(
        losses.to_string(),
        "2.10 % of probes lost in bursts of 3.0, correlation 0.50; a wrong Down every 2 h is to be expected, 10 h are wanted"
    );
    assert!(control.partial.is_none() && control.losses.is_none() && control.regions.is_empty());
}

#[test]
fn a_frozen_path_is_unknown_and_keeps_its_last_verdict() {
    let cell = Cell {
        verdict: lifeboat_health::Verdict::Up,
        frozen: true,
        since: lifeboat_health::MonoTime::from_millis(1_000),
        ..Cell::default()
    };
    let verdicts = traffic_path(cell);
    let (traffic, _) = paths(&verdicts, &BTreeMap::new(), "a");
    assert_eq!(
        (
            traffic.verdict.as_str(),
            traffic.last_verdict.as_str(),
            traffic.frozen
        ),
        ("Unknown", "Up", true)
    );
    assert_eq!(traffic.since_ms, 3_500);
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

#[test]
fn a_cluster_shows_its_override_of_the_profile() {
    let own = ProfilePatch {
        dead_misses: Some(9),
        ..ProfilePatch::default()
    };
    let cell = Cell {
        detection: Some(Box::new(own)),
        ..Cell::default()
    };
    let key = ("a".to_owned(), Path::Control, Family::V6);
    let verdicts = FleetView {
        cells: BTreeMap::from([(key, cell)]),
        ..FleetView::default()
    };
    let shown = |name: &str| {
        let object = json!({ "metadata": { "name": name } });
        let shown = cluster(&object, &verdicts, &BTreeMap::new(), &[], |_| false, Vec::new());
        serde_json::to_value(shown).unwrap()["detection"].clone()
    };
    assert_eq!(shown("a"), json!({ "deadMisses": 9 }));
    assert_eq!(shown("b"), Value::Null);
}
