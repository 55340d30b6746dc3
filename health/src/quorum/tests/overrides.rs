//! Clusters with profiles of their own, beside neighbours with the fleet's.

use serde_json::json;

use super::bench::{Bench, Says};
use super::lab::{Lab, Reach, targets};
use crate::{Family, Path, Profile, ProfilePatch, Quorum, Target, Verdict};

fn patch(given: serde_json::Value) -> Option<Box<ProfilePatch>> {
    Some(Box::new(serde_json::from_value(given).unwrap()))
}

/// The targets of these clusters, with their overrides.
fn fleet(clusters: &[(&str, serde_json::Value)]) -> Vec<Target> {
    let names: Vec<&str> = clusters.iter().map(|(name, _)| *name).collect();
    let mut all = targets(&names);
    for target in &mut all {
        let (_, given) = clusters.iter().find(|(name, _)| *name == target.cluster).unwrap();
        target.detection = given.as_object().map(|_| given.clone()).and_then(patch);
    }
    all
}

#[test]
fn each_cluster_goes_down_when_its_own_profile_says_so() {
    const DEATH: u64 = 3_000;
    let clusters = [
        ("alive", json!(null)),
        ("fleet", json!(null)),
        ("patient", json!({"deadMisses": 12})),
        ("slow", json!({"intervalMs": 250, "freshMs": 600})),
        ("wan", json!({"preset": "wan"})),
    ];
    let mut lab = Lab::of(5, fleet(&clusters), 7, Profile::fast(), |asked| {
        if asked.ms >= DEATH && asked.cluster.is_some_and(|cluster| cluster != "alive") {
            Reach::Silent
        } else {
            Reach::Answers
        }
    });
    lab.run_to(DEATH);
    for (cluster, _) in &clusters {
        assert_eq!(lab.verdict(cluster, Path::Traffic), Verdict::Up, "{cluster}");
    }
    lab.run_to(DEATH + 5_000);
    let down = |cluster: &str, least: u64, most: u64| {
        for path in [Path::Traffic, Path::Control] {
            let took = lab.reached(cluster, path, Verdict::Down, DEATH).unwrap();
            assert!((least..=most).contains(&took), "{cluster}/{path}: {took} ms");
        }
    };
    // About k·T, a timeout, and a send; the fleet's a cut rule's wait beside.
    down("fleet", 450, 810);
    down("patient", 1_100, 1_600);
    down("slow", 1_000, 1_700);
    down("wan", 900, 1_500);
    assert_eq!(lab.verdict("alive", Path::Traffic), Verdict::Up);
    let shown = |cluster: &str| {
        lab.view
            .cell(cluster, Path::Traffic, Family::V4)
            .unwrap()
            .detection
            .clone()
    };
    assert_eq!(shown("patient"), patch(json!({"deadMisses": 12})));
    assert_eq!(shown("fleet"), None);
}

#[test]
fn reasons_and_recovery_are_those_of_the_clusters_own_profile() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    let own = patch(json!({"recoverHoldMs": 2_000, "deadMisses": 4}));
    bench.targets[0].detection.clone_from(&own);
    bench.quorum = Quorum::new(bench.targets.clone(), Profile::fast());
    for target in [0, 1] {
        bench.say(target, &[Says::Clear; 5]);
    }
    bench.poll();
    for target in [0, 1] {
        assert!(bench.hold(target, &[Says::Dead; 5], 300).contains(&Verdict::Down));
    }
    let mut up = Vec::new();
    for _ in 0..30 {
        for target in [0, 1] {
            bench.say(target, &[Says::Steady; 5]);
        }
        up.extend(bench.poll().into_iter().filter(|told| told.to == Verdict::Up));
        bench.ms += 100;
    }
    let [told] = &up[..] else { panic!("{up:?}") };
    assert_eq!(told.cluster, "a");
    assert!(told.reason.contains("for 2 s"), "{}", told.reason);
    // The override goes, the verdict stays.
    bench.targets[0].detection = None;
    bench.quorum.set_targets(bench.targets.clone());
    let view = bench.quorum.view(bench.now());
    let cell = view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert_eq!((cell.verdict, &cell.detection), (Verdict::Up, &None));
}

#[test]
fn an_override_that_cannot_be_leaves_the_fleets() {
    let all = fleet(&[("a", json!({"sendMs": 50, "deadMisses": 900}))]);
    let refused = crate::check_overrides(&all, &Profile::fast())
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("target a/traffic/ipv4: detection: profile field sendMs is the fleet's alone"),
        "{refused}"
    );
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.targets[0].detection.clone_from(&all[0].detection);
    bench.quorum = Quorum::new(bench.targets.clone(), Profile::fast());
    assert_eq!(bench.hold(0, &[Says::Clear; 5], 100), [Verdict::Up]);
    assert_eq!(bench.hold(0, &[Says::Dead; 5], 100), [Verdict::Down]);
    let view = bench.quorum.view(bench.now());
    assert_eq!(view.cell("a", Path::Traffic, Family::V4).unwrap().detection, None);
}
