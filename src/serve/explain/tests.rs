//! A binding is found by its name and explained from what concerns it.

use std::time::Duration;

use lifeboat_health::{Cell, Family, MonoClock, Path, Verdict};
use serde_json::json;

use super::*;
use crate::{
    failover::{
        BindingId, HoldReason,
        standing::{Standing, StandingMove},
    },
    timeline::Timeline,
};

struct World {
    index: Index,
    kinds: Kinds,
    verdicts: FleetView,
    controller: Status,
    timeline: Timeline,
}

/// `default/shop` left `a`, which is Down, for `b`; `default/web` and `other/web` are beside it.
fn world() -> World {
    let (index, kinds) = (Index::default(), Kinds::default());
    let mut shop = object("default", "shop");
    shop["metadata"]["annotations"] = json!({
        "propagationpolicy.karmada.io/name": "shop",
        "propagationpolicy.karmada.io/namespace": "default",
        "lifeboat.dev/home": "[{\"name\":\"a\",\"replicas\":3}]",
        "lifeboat.dev/movement": "{\"phase\":\"Raise\",\"target\":[{\"name\":\"a\",\"replicas\":3}]}",
    });
    shop["spec"]["gracefulEvictionTasks"] = json!([
        { "fromCluster": "a", "reason": "ClusterLost", "creationTimestamp": "2026-01-01T00:00:00Z" },
    ]);
    index.apply(&kinds.binding, shop);
    index.apply(&kinds.binding, object("default", "web"));
    index.apply(&kinds.binding, object("other", "web"));
    let mut verdicts = FleetView::default();
    for path in [Path::Traffic, Path::Control] {
        let cell = Cell {
            verdict: Verdict::Down,
            ..Cell::default()
        };
        verdicts.cells.insert(("a".to_owned(), path, Family::V4), cell);
    }
    let hold = |subject: &str| HoldNotice {
        subject: subject.to_owned(),
        reason: HoldReason::HoldTimer,
        message: "waits".to_owned(),
        remaining: Some(Duration::from_secs(2)),
    };
    let id = |name: &str| BindingId {
        namespace: Some("default".to_owned()),
        name: name.to_owned(),
    };
    let none = |name: &str| NoFeasibleTarget {
        binding: id(name),
        clusters: vec!["a".to_owned()],
        short_replicas: 3,
        message: "no room".to_owned(),
    };
    let controller = Status {
        running: true,
        holds: ["a", "fleet", "default/shop", "default/web", "z"]
            .map(hold)
            .into(),
        no_target: vec![none("shop"), none("web")],
        fresh: Arc::new(["b".to_owned()].into()),
        ..Status::default()
    };
    let timeline = Timeline::new(MonoClock::new());
    timeline.push("failover.evict.started", Some("a"), "default/shop: lost; now b 3");
    timeline.push(
        "failover.evict.started",
        Some("a"),
        "default/shop-two: lost; now b 3",
    );
    World {
        index,
        kinds,
        verdicts,
        controller,
        timeline,
    }
}

fn object(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "resource": { "kind": "Deployment", "name": name }, "replicas": 3,
            "clusters": [{ "name": "b", "replicas": 3 }],
            "placement": { "replicaScheduling": { "replicaSchedulingType": "Divided" } },
        },
        "status": { "aggregatedStatus": [
            { "clusterName": "b", "applied": true, "status": { "readyReplicas": 2 } },
        ]},
    })
}

/// All but `web` moves to `c`.
fn standing(lost: &str) -> Standing {
    let step = |name: &str| StandingMove {
        binding: format!("default/{name}"),
        from: vec![TargetCluster::new(lost.to_owned(), 3)],
        to: vec![TargetCluster::new("c".to_owned(), 3)],
        message: "moves".to_owned(),
    };
    Standing {
        clusters: vec![lost.to_owned()],
        unknown: Vec::new(),
        bindings_moved: 2,
        replicas_moved: 6,
        short_replicas: 0,
        short_cpu_millis: 0,
        feasible: true,
        freeze: false,
        estimated_seconds: 0.0,
        by_binding: vec![step("other"), step("shop")],
    }
}

fn ask(asked: &str) -> Result<BindingExplanation, Refusal> {
    let world = world();
    let known = Known {
        index: &world.index,
        kinds: &world.kinds,
        verdicts: &world.verdicts,
        held_back: &BTreeMap::new(),
        controller: &world.controller,
        entries: world.timeline.since(0).0,
        if_lost: &|lost| Some(standing(lost)),
    };
    binding(known, asked)
}

#[test]
fn what_concerns_it_is_told_and_nothing_else() {
    let told = ask("default/shop").unwrap();
    assert_eq!(told.policy.as_deref(), Some("PropagationPolicy default/shop"));
    assert_eq!(
        told.placement["replicaScheduling"]["replicaSchedulingType"],
        "Divided"
    );
    assert_eq!(
        (told.binding.ready, told.binding.replicas, told.binding.stale),
        (2, 3, false)
    );
    assert_eq!(told.binding.evicting[0].reason, "ClusterLost");
    assert_eq!(told.home, [TargetCluster::new("a".to_owned(), 3)]);
    assert!(told.movement.is_some_and(|movement| movement.target == told.home));
    let verdicts: Vec<_> = told
        .clusters
        .iter()
        .map(|at| (at.name.as_str(), at.control.verdict.as_str()))
        .collect();
    assert_eq!(verdicts, [("a", "Down"), ("b", "Unknown")]);
    let held: Vec<_> = told.holds.iter().map(|hold| hold.subject.as_str()).collect();
    assert_eq!(held, ["a", "fleet", "default/shop"]);
    assert_eq!(told.no_target.len(), 1);
    let losses: Vec<_> = told
        .if_lost
        .iter()
        .map(|loss| (loss.if_lost.as_str(), loss.message.as_str(), loss.to.as_slice()))
        .collect();
    let moved = [TargetCluster::new("c".to_owned(), 3)];
    assert_eq!(losses, [("b", "moves", moved.as_slice())]);
    assert_eq!(ask("default/web").unwrap().if_lost[0].message, "stays as it is");
    assert_eq!(told.history.len(), 1);
}

#[test]
fn a_name_must_say_which() {
    assert_eq!(ask("shop").unwrap().binding.namespace, "default");
    let several = ask("web").unwrap_err();
    assert!(
        matches!(&several, Refusal::Invalid(why) if why.contains("default/web, other/web")),
        "{several}"
    );
    for unknown in ["api", "other/shop", "/shop"] {
        let nothing = ask(unknown).unwrap_err();
        assert!(
            matches!(&nothing, Refusal::Unknown(why) if why.contains("default/shop")),
            "{nothing}"
        );
    }
}
