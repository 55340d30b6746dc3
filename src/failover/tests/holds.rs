//! Brakes other than time: operators, the budget, a past epoch.

use std::time::Duration;

use lifeboat_health::Verdict;

use super::fleet::{FIVE, Fleet, divided};
use crate::failover::{BindingView, HoldReason, HoldSubject, OperatorHold};

fn fleet() -> Fleet {
    Fleet::new(&FIVE).with(divided("shop", &[("a", 3), ("b", 3), ("c", 3)]))
}

fn hold(subject: HoldSubject) -> OperatorHold {
    OperatorHold {
        subject,
        author: "ada".to_owned(),
        reason: "migration".to_owned(),
        until: None,
    }
}

#[test]
fn operators_win_until_their_hold_expires() {
    let id = fleet().binding("shop").id.clone();
    for subject in [
        HoldSubject::Fleet,
        HoldSubject::Cluster("a".to_owned()),
        HoldSubject::Binding(id),
    ] {
        let mut fleet = fleet();
        let until = Some(fleet.now + Duration::from_secs(60));
        fleet.settings.operator_holds.push(OperatorHold {
            until,
            ..hold(subject)
        });
        fleet.power_off(&["a"]);
        fleet.run(59);
        assert_eq!(fleet.evictions, 0);
        let told = fleet
            .last
            .holds
            .iter()
            .find(|notice| notice.reason == HoldReason::OperatorHold)
            .unwrap();
        assert!(
            told.message.contains("ada") && told.remaining == Some(Duration::from_secs(1)),
            "{told:?}"
        );
        fleet.run(2);
        assert_eq!(fleet.evictions, 1);
    }
}

#[test]
fn nothing_is_placed_on_a_held_cluster() {
    let mut fleet = fleet();
    for name in ["c", "d", "e"] {
        fleet
            .settings
            .operator_holds
            .push(hold(HoldSubject::Cluster(name.to_owned())));
    }
    fleet.power_off(&["a"]);
    fleet.run(20);
    assert_eq!(fleet.placed("shop"), "b6 c3");
}

#[test]
fn only_clusters_up_on_both_paths_receive() {
    for (traffic, control) in [
        (Verdict::Suspect, Verdict::Up),
        (Verdict::Up, Verdict::Suspect),
        (Verdict::Up, Verdict::Unknown),
        (Verdict::Up, Verdict::Down),
        (Verdict::Down, Verdict::Up),
        (Verdict::Recovering, Verdict::Recovering),
    ] {
        let mut fleet = fleet();
        for name in ["d", "e"] {
            fleet.cluster(name).verdict(Verdict::Up, Verdict::Unknown);
        }
        fleet.cluster("c").verdict(traffic, control);
        fleet.power_off(&["a"]);
        fleet.run(20);
        let expected = if fleet.last.freeze { "a3 b3 c3" } else { "b6 c3" };
        assert_eq!(fleet.placed("shop"), expected, "{traffic}/{control}");
    }
}

#[test]
fn unknown_never_evicts() {
    let mut fleet = fleet();
    for (traffic, control) in [
        (Verdict::Unknown, Verdict::Unknown),
        (Verdict::Down, Verdict::Unknown),
    ] {
        fleet.cluster("a").verdict(traffic, control);
        fleet.run(300);
        assert_eq!(fleet.evictions, 0, "{traffic}/{control}");
    }
}

#[test]
fn the_hold_begins_again_when_a_path_comes_back() {
    let mut fleet = fleet();
    for _ in 0..20 {
        fleet.cluster("a").verdict(Verdict::Down, Verdict::Down);
        fleet.run(4);
        fleet.cluster("a").verdict(Verdict::Down, Verdict::Unknown);
        fleet.run(1);
    }
    assert_eq!(fleet.evictions, 0);
}

#[test]
fn a_cluster_may_have_its_own_hold() {
    let mut fleet = fleet();
    fleet
        .settings
        .hold_by_cluster
        .insert("a".to_owned(), Duration::from_secs(20));
    fleet.power_off(&["a", "b"]);
    fleet.run(10);
    assert_eq!(
        fleet
            .binding("shop")
            .tasks
            .iter()
            .map(|t| t.cluster.as_str())
            .collect::<Vec<_>>(),
        ["b"]
    );
    fleet.run(15);
    assert_eq!(fleet.binding("shop").tasks.len(), 2);
}

#[test]
fn the_budget_paces_by_priority() {
    let mut fleet = Fleet::new(&FIVE).budget(2, 2);
    for app in 0..9 {
        let mut binding = divided(&format!("app-{app}"), &[("a", 1)]);
        binding.priority = app;
        fleet = fleet.with(binding);
    }
    fleet.power_off(&["a"]);
    fleet.run(5);
    let mut moved: Vec<String> = Vec::new();
    for at_most in [2, 4, 6, 8, 9] {
        fleet.step();
        moved.extend(
            fleet
                .last
                .evictions
                .iter()
                .map(|eviction| eviction.binding.name.clone()),
        );
        assert_eq!(moved.len(), at_most);
        let waits = fleet
            .last
            .holds
            .iter()
            .any(|notice| notice.reason == HoldReason::Budget);
        assert_eq!(waits, at_most < 9);
    }
    let expected: Vec<String> = (0..9).rev().map(|app| format!("app-{app}")).collect();
    assert_eq!(moved, expected);
}

#[test]
fn a_past_epoch_decides_nothing() {
    let mut fleet = fleet();
    fleet.epoch = 7;
    fleet.run(1);
    fleet.epoch = 6;
    fleet.power_off(&["a"]);
    fleet.run(60);
    assert_eq!(fleet.evictions, 0);
    assert!(fleet.last.changes_nothing() && fleet.last.holds.is_empty());
}

#[test]
fn tasks_of_others_are_left_alone() {
    let mut fleet = fleet();
    let task = crate::failover::TaskView {
        cluster: "d".to_owned(),
        replicas: 1,
        producer: "TaintManager".to_owned(),
        suppressed: false,
    };
    fleet.bindings[0].tasks.push(task);
    fleet.run(60);
    assert_eq!(fleet.binding("shop").tasks.len(), 1);
}

#[test]
fn a_task_of_a_cluster_that_left_the_fleet_ends() {
    let mut fleet = fleet();
    fleet.power_off(&["a"]);
    fleet.run(10);
    assert_eq!(fleet.binding("shop").tasks.len(), 1);
    fleet.clusters.remove("a");
    fleet.run(2);
    assert_eq!(fleet.binding("shop").tasks.len(), 0);
}

#[test]
fn what_belongs_to_a_workload_follows_it() {
    let group = Some("default/shop".to_owned());
    let mut shop = divided("shop", &[("a", 3)]);
    shop.placement.cluster_affinity = super::fleet::among(&["a", "e"]);
    shop.group.clone_from(&group);
    let mut config = super::fleet::service(&shop);
    config.placement = crate::api::Placement::default();
    config.clusters = vec![
        crate::api::TargetCluster::new("a", 0),
        crate::api::TargetCluster::new("b", 0),
    ];
    config.placement.cluster_affinity = super::fleet::among(&["a", "b"]);
    let mut fleet = Fleet::new(&FIVE).with(shop).with(BindingView { group, ..config });
    fleet.power_off(&["a"]);
    fleet.run(10);
    assert_eq!(fleet.placed("shop"), "e3");
    // It is not evicted, b holds it anyway; it goes where its workload went.
    assert_eq!(fleet.placed("shop-service"), "a0 b0 e0");
}
