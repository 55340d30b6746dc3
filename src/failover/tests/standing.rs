//! The standing plan says what the planner would do.

use std::{collections::BTreeMap, time::Duration};

use super::fleet::{FIVE, Fleet, divided, placed};
use crate::failover::{ClusterHealth, Standing, World, budget::Tokens, if_lost};

fn ask(fleet: &Fleet, clusters: &[&str]) -> Standing {
    let health: BTreeMap<String, ClusterHealth> = fleet
        .clusters
        .iter()
        .map(|(name, cluster)| (name.clone(), cluster.health))
        .collect();
    let views = fleet.views();
    let world = World {
        now: fleet.now,
        wall: jiff::Timestamp::UNIX_EPOCH,
        health: &health,
        clusters: &views,
        bindings: &fleet.bindings,
        settings: &fleet.settings,
        budget: Tokens(0),
        epoch: 1,
    };
    let clusters: Vec<String> = clusters.iter().map(|name| (*name).to_owned()).collect();
    if_lost(&world, &clusters, Duration::from_secs(2))
}

fn fleet() -> Fleet {
    Fleet::new(&FIVE).with(divided("shop", &[("a", 3), ("b", 3), ("c", 3)]))
}

#[test]
fn it_foretells_what_happens() {
    let mut fleet = fleet();
    let standing = ask(&fleet, &["a"]);
    assert!(standing.feasible && !standing.freeze);
    assert_eq!(
        (
            standing.bindings_moved,
            standing.replicas_moved,
            standing.short_replicas
        ),
        (1, 3, 0)
    );
    assert!((standing.estimated_seconds - 8.0).abs() < f64::EPSILON);
    fleet.power_off(&["a"]);
    fleet.run(10);
    let before = BTreeMap::from([("b", 3), ("c", 3)]);
    let mut gained: Vec<String> = fleet
        .binding("shop")
        .clusters
        .iter()
        .map(|t| {
            (
                t.name.as_str(),
                t.replicas - before.get(t.name.as_str()).copied().unwrap_or(0),
            )
        })
        .filter(|(_, more)| *more > 0)
        .map(|(name, more)| format!("{name}{more}"))
        .collect();
    gained.sort();
    assert_eq!(placed(&standing.by_binding[0].to), gained.join(" "));
}

#[test]
fn it_says_how_much_is_missing() {
    let mut fleet = fleet();
    for name in ["b", "c", "d", "e"] {
        fleet.cluster(name).view.free.cpu_millis = 1_500;
    }
    for name in ["d", "e"] {
        fleet.cluster(name).view.free.cpu_millis = 500;
    }
    let standing = ask(&fleet, &["a"]);
    assert!(!standing.feasible);
    assert!(standing.short_replicas >= 1, "{standing:?}");
    assert_eq!(standing.short_cpu_millis, standing.short_replicas * 500);
    assert!(
        standing.by_binding[0].message.contains("no feasible target"),
        "{standing:?}"
    );
}

#[test]
fn too_many_would_freeze() {
    let standing = ask(&fleet(), &["a", "b", "c"]);
    assert!(standing.freeze && !standing.feasible);
    assert_eq!(standing.estimated_seconds, 0.0);
    assert!(standing.by_binding.iter().all(|step| step.message != "moves"));
    let standing = ask(&fleet(), &["d", "nowhere"]);
    assert_eq!(standing.unknown, ["nowhere"]);
    assert!(standing.feasible && standing.by_binding.is_empty());
    assert_eq!(standing.estimated_seconds, 0.0);
}
