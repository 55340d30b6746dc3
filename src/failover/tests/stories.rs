//! Whole failures, told as they happened.

use std::time::Duration;

use super::fleet::{FIVE, Fleet, among, divided, duplicated, service};
use crate::failover::{BindingView, HoldReason};

fn shop() -> BindingView {
    divided("shop", &[("a", 3), ("b", 3), ("c", 3)])
}

/// A workload over three of five clusters with its Service, and one duplicated over two.
fn samples() -> Fleet {
    let group = Some("default/shop".to_owned());
    let shop = BindingView {
        placement: affine(&shop(), &["a", "b", "c"]),
        group,
        ..shop()
    };
    let service = BindingView {
        group: shop.group.clone(),
        ..service(&shop)
    };
    Fleet::new(&FIVE)
        .with(shop)
        .with(service)
        .with(duplicated("twin", &["a", "b"], 2))
}

fn affine(binding: &BindingView, clusters: &[&str]) -> crate::api::Placement {
    crate::api::Placement {
        cluster_affinity: among(clusters),
        ..binding.placement.clone()
    }
}

#[test]
fn a_cluster_dies_and_returns() {
    let mut fleet = samples();
    fleet.run(5);
    fleet.power_off(&["a"]);
    fleet.run(55);
    assert_eq!(fleet.really_ready("shop"), 9);
    fleet.power_on(&["a"]);
    fleet.run(60);
    assert_eq!(
        (fleet.placed("shop").as_str(), fleet.placed("twin").as_str()),
        ("a3 b3 c3", "a2 b2")
    );
    assert!(
        fleet
            .bindings
            .iter()
            .all(|b| b.tasks.is_empty() && b.home.is_empty() && b.movement.is_none())
    );
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn a_blip_shorter_than_the_hold_moves_nothing() {
    let mut fleet = samples();
    fleet.power_off(&["a"]);
    fleet.run(4);
    fleet.power_on(&["a"]);
    fleet.run(60);
    assert_eq!(fleet.evictions, 0);
}

#[test]
fn it_returns_while_it_is_evacuated() {
    let mut fleet = samples();
    for name in ["b", "c", "d", "e"] {
        fleet.cluster(name).broken = false;
    }
    fleet.pod_start = Duration::from_secs(40);
    fleet.run(1);
    fleet.black_hole(&["a"]);
    fleet.run(20);
    // Its replacements are still starting.
    fleet.see_again(&["a"]);
    fleet.run(200);
    assert_eq!(fleet.placed("shop"), "a3 b3 c3");
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn a_second_one_dies_during_the_evacuation() {
    let mut fleet = samples();
    fleet.power_off(&["a"]);
    fleet.run(6);
    fleet.power_off(&["b"]);
    fleet.run(30);
    assert_eq!(fleet.really_ready("shop"), 9);
    assert_eq!(fleet.placed("shop"), "c9");
    fleet.power_on(&["a"]);
    fleet.run(60);
    fleet.power_on(&["b"]);
    fleet.run(60);
    assert_eq!(
        (fleet.placed("shop").as_str(), fleet.placed("twin").as_str()),
        ("a3 b3 c3", "a2 b2")
    );
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn it_dies_again_on_its_way_home() {
    let mut fleet = samples();
    fleet.power_off(&["a"]);
    fleet.run(20);
    fleet.power_on(&["a"]);
    // Until traffic has shifted.
    while fleet
        .binding("shop")
        .movement
        .as_ref()
        .is_none_or(|m| m.phase != crate::failover::Phase::Shift)
    {
        fleet.step();
    }
    fleet.power_off(&["a"]);
    fleet.run(30);
    assert_eq!(fleet.really_ready("shop"), 9);
    fleet.power_on(&["a"]);
    fleet.run(90);
    assert_eq!(fleet.placed("shop"), "a3 b3 c3");
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn a_flapping_cluster_settles_longer_every_time() {
    let mut fleet = samples();
    fleet.settings.hold = Duration::from_secs(3);
    for _ in 0..30 {
        fleet.power_on(&["a"]);
        fleet.run(15);
        fleet.power_off(&["a"]);
        fleet.run(5);
    }
    let evictions_of_shop = fleet.story().matches("evict default/shop from").count();
    assert!(
        evictions_of_shop <= 4,
        "{evictions_of_shop} evictions in ten minutes:\n{}",
        fleet.story()
    );
    assert_eq!(fleet.really_ready("shop"), 9);
}

#[test]
fn one_path_down_moves_nothing() {
    let mut fleet = samples();
    fleet.vip_down("a");
    fleet.run(120);
    assert!(
        fleet
            .last
            .holds
            .iter()
            .any(|hold| hold.subject == "a" && hold.reason == HoldReason::TrafficPathOnly)
    );
    fleet.see_again(&["a"]);
    fleet.run(30);
    fleet.api_down(&["b"]);
    fleet.run(120);
    assert!(
        fleet
            .last
            .holds
            .iter()
            .any(|hold| hold.subject == "b" && hold.reason == HoldReason::ControlPathOnly)
    );
    assert_eq!((fleet.evictions, fleet.placed("shop").as_str()), (0, "a3 b3 c3"));
}

/// A real Karmada deleted 60 of 60 healthy Deployments ten minutes after such a blip.
#[test]
fn all_api_servers_away_for_a_minute_deletes_nothing_then_or_later() {
    let mut fleet = Fleet::new(&["a", "b", "c"]);
    for app in 0..20 {
        fleet = fleet.with(divided(&format!("app-{app}"), &[("a", 1), ("b", 1), ("c", 1)]));
    }
    fleet.settings.hold = Duration::from_secs(1);
    fleet.run(5);
    fleet.api_down(&["a", "b", "c"]);
    fleet.run(63);
    fleet.see_again(&["a", "b", "c"]);
    fleet.run(20 * 60);
    assert_eq!((fleet.evictions, fleet.deleted_ready), (0, 0));
    assert!((0..20).all(|app| fleet.placed(&format!("app-{app}")) == "a1 b1 c1"));
    insta::assert_snapshot!(fleet.story());
}

/// The same blip seen on both paths: what is broken may be the one who looks.
#[test]
fn everything_away_for_a_minute_deletes_nothing_then_or_later() {
    for leader_changes in [false, true] {
        let mut fleet = samples();
        fleet.settings.hold = Duration::from_secs(1);
        fleet.run(5);
        fleet.black_hole(&FIVE);
        fleet.run(30);
        if leader_changes {
            fleet.new_leader();
        }
        fleet.run(33);
        fleet.see_again(&FIVE);
        fleet.run(20 * 60);
        assert_eq!((fleet.evictions, fleet.deleted_ready), (0, 0));
        assert_eq!(
            (fleet.placed("shop").as_str(), fleet.placed("twin").as_str()),
            ("a3 b3 c3", "a2 b2")
        );
    }
}

#[test]
fn five_powered_off_come_back_as_they_were() {
    let mut fleet = samples();
    fleet.run(5);
    fleet.power_off(&FIVE);
    fleet.run(60);
    // They come back one after the other; the share falls below the limit with two still away.
    for name in FIVE {
        fleet.power_on(&[name]);
        fleet.run(3);
    }
    fleet.run(105);
    assert_eq!(
        (fleet.placed("shop").as_str(), fleet.placed("twin").as_str()),
        ("a3 b3 c3", "a2 b2")
    );
    assert_eq!((fleet.evictions, fleet.really_ready("shop")), (0, 9));
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn two_of_five_stay_away_after_freeze_and_move_only_a_whole_hold_later() {
    let mut fleet = samples();
    fleet.power_off(&["a", "d", "e"]);
    fleet.run(40);
    assert_eq!(fleet.evictions, 0);
    fleet.power_on(&["d", "e"]);
    fleet.run(60);
    // 40 % since 60 s: FREEZE has just ended, the hold has just begun again.
    assert_eq!(fleet.evictions, 0);
    fleet.run(20);
    assert_eq!(fleet.placed("shop"), "b5 c4");
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn no_room_means_no_change_until_there_is() {
    let mut fleet = samples();
    for name in ["b", "c", "d", "e"] {
        fleet.cluster(name).view.free.cpu_millis = 2_500;
    }
    fleet.power_off(&["a"]);
    fleet.run(60);
    assert_eq!(fleet.placed("shop"), "a3 b3 c3");
    fleet.say("room is made in c");
    fleet.cluster("c").view.free.cpu_millis = 5_000;
    fleet.run(20);
    assert_eq!(fleet.really_ready("shop"), 9);
    insta::assert_snapshot!(fleet.story());
}

#[test]
fn no_allowed_cluster_means_no_change() {
    let shop = BindingView {
        placement: affine(&shop(), &["a"]),
        ..divided("shop", &[("a", 3)])
    };
    let mut fleet = Fleet::new(&FIVE).with(shop);
    fleet.power_off(&["a"]);
    fleet.run(60);
    assert_eq!((fleet.evictions, fleet.placed("shop").as_str()), (0, "a3"));
    assert_eq!(fleet.last.no_target.len(), 1);
}

#[test]
fn a_restarted_controller_starts_the_hold_again() {
    let mut fleet = samples();
    fleet.settings.hold = Duration::from_secs(30);
    fleet.power_off(&["a"]);
    fleet.run(18);
    fleet.new_leader();
    fleet.run(3);
    fleet.power_on(&["a"]);
    fleet.run(60);
    assert_eq!(fleet.evictions, 0);
}

#[test]
fn pods_that_never_start_elsewhere_do_not_cost_the_copy_that_returns() {
    let mut fleet = samples();
    for name in ["b", "c", "d", "e"] {
        fleet.cluster(name).broken = true;
    }
    fleet.run(1);
    fleet.black_hole(&["a"]);
    fleet.run(30);
    fleet.see_again(&["a"]);
    fleet.run(300);
    // The model fails when a needed copy is deleted.
    assert_eq!(fleet.placed("shop").split(' ').next(), Some("a3"));
}

#[test]
fn scaling_on_the_way_home_aims_again() {
    let mut fleet = samples();
    fleet.power_off(&["a"]);
    fleet.run(20);
    fleet.power_on(&["a"]);
    while fleet.binding("shop").movement.is_none() {
        fleet.step();
    }
    fleet.bindings[0].replicas = 12;
    fleet.run(60);
    let shop = fleet.binding("shop");
    assert_eq!(
        shop.clusters.iter().map(|target| target.replicas).sum::<i32>(),
        12
    );
    assert!(shop.movement.is_none() && shop.home.is_empty());
}

#[test]
fn without_failback_it_stays_where_it_went() {
    let mut fleet = samples();
    fleet.settings.failback.enabled = false;
    fleet.power_off(&["a"]);
    fleet.run(20);
    fleet.power_on(&["a"]);
    fleet.run(120);
    assert_eq!(fleet.placed("shop"), "b5 c4");
    assert!(
        fleet.binding("shop").tasks.is_empty(),
        "the old copy is released once it can be seen"
    );
}

/// b's old copy of two runs on until its replacements are ready: where one of them is lost too, b is not given less.
#[test]
fn an_old_copy_is_not_cut_down_to_what_is_placed_there_anew() {
    let shop = BindingView {
        group: Some("shop".to_owned()),
        ..divided("shop", &[("b", 1), ("c", 5)])
    };
    let follower = BindingView {
        group: shop.group.clone(),
        ..service(&shop)
    };
    let mut fleet = Fleet::new(&FIVE).with(shop).with(follower);
    fleet.settings.failback.enabled = false;
    fleet.power_off(&["c"]);
    fleet.run(6);
    fleet.black_hole(&["b"]);
    fleet.run(6);
    fleet.power_off(&["d"]);
    fleet.step();
    fleet.see_again(&["b"]);
    // The model itself looks at every copy that is deleted.
    fleet.run(60);
    assert_eq!(fleet.really_ready("shop"), 6);
}
