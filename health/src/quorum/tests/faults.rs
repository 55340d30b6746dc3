//! The fault list of the reliability notes, as far as detection is concerned; each test names its number.

use super::lab::{Asked, Lab, Reach};
use crate::invariants::{self, log_hash, story};
use crate::{Family, MonoTime, Path, Profile, Quadrant, Verdict};

const FLEET: [&str; 3] = ["a", "b", "c"];
const ONSET: u64 = 3_000;

fn lab<'a>(seed: u64, world: impl FnMut(&Asked<'_>) -> Reach + 'a) -> Lab<'a> {
    let mut lab = Lab::new(5, &FLEET, seed, Profile::fast(), world);
    lab.run_to(ONSET);
    assert_eq!(
        lab.log.len(),
        6,
        "every target is Up after a cold start: {:?}",
        lab.story(0)
    );
    assert!(
        lab.log
            .iter()
            .all(|t| (t.from, t.to) == (Verdict::Unknown, Verdict::Up))
    );
    lab
}

fn silent(yes: bool) -> Reach {
    if yes { Reach::Silent } else { Reach::Answers }
}

/// Fault 1: power-off. Down within 0.81 s at any phase (L1 allows 1.0 s).
#[test]
fn power_off() {
    let mut worst = 0;
    for seed in 0..30 {
        let onset = ONSET + seed * 7 % 110;
        let mut lab = lab(seed, |asked| {
            silent(asked.cluster == Some("a") && asked.ms >= onset)
        });
        lab.run_to(onset + 1_500);
        for path in [Path::Traffic, Path::Control] {
            let took = lab.reached("a", path, Verdict::Down, onset);
            let down = took.map(|ms| MonoTime::from_millis(onset + ms));
            assert_eq!(
                invariants::l1_down_in_time(MonoTime::from_millis(onset), down),
                Ok(())
            );
            worst = worst.max(took.unwrap());
        }
        assert!(lab.log.iter().skip(6).all(|t| t.cluster == "a"));
        assert_eq!(lab.view.quadrant("a"), Quadrant::BothDown);
    }
    assert!(worst <= 810, "{worst} ms");
}

/// Fault 1, by refused connections: three misses are enough.
#[test]
fn refused_connections() {
    for seed in 0..10 {
        let mut lab = lab(seed, |asked| {
            if asked.cluster == Some("a") && asked.ms >= ONSET {
                Reach::Refuses
            } else {
                Reach::Answers
            }
        });
        lab.run_to(ONSET + 1_500);
        let took = lab.reached("a", Path::Traffic, Verdict::Down, ONSET).unwrap();
        assert!(took <= 500, "seed {seed}: {took} ms");
    }
}

/// Fault 2: the VIP is dead, the API lives. DNS withdraws, replicas stay.
#[test]
fn vip_down() {
    let mut lab = lab(1, |asked| {
        silent(asked.cluster == Some("a") && asked.path == Path::Traffic && asked.ms >= ONSET)
    });
    lab.run_to(ONSET + 2_000);
    assert_eq!(
        lab.story(ONSET),
        ["a/traffic Up>Suspect", "a/traffic Suspect>Down"]
    );
    assert_eq!(lab.view.quadrant("a"), Quadrant::TrafficDown);
}

/// Fault 3: the API is dead, the VIP lives. Traffic stays, the cluster is frozen.
#[test]
fn api_down() {
    let mut lab = lab(2, |asked| {
        silent(asked.cluster == Some("a") && asked.path == Path::Control && asked.ms >= ONSET)
    });
    lab.run_to(ONSET + 2_000);
    assert_eq!(
        lab.story(ONSET),
        ["a/control Up>Suspect", "a/control Suspect>Down"]
    );
    assert_eq!(lab.view.quadrant("a"), Quadrant::ControlDown);
}

/// Fault 4: one observer is cut off from everything it probes, anchors included. It abstains; nothing changes.
#[test]
fn one_observer_partitioned() {
    let mut lab = lab(3, |asked| silent(asked.observer == 2 && asked.ms >= ONSET));
    lab.run_to(ONSET + 5_000);
    assert!(lab.story(ONSET).is_empty());
    let observer = &lab.view.observers[2];
    assert!(observer.abstaining && observer.fresh);
    let cell = lab.view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert_eq!(
        (cell.fresh, cell.q, cell.votes.clear, cell.votes.abstain),
        (4, 3, 4, 1)
    );
}

/// Fault 4, all observers at once, for a while: everyone abstains, verdicts freeze, and the return breaks nothing.
#[test]
fn all_observers_partitioned_and_back() {
    for seed in 0..8 {
        let mut lab = lab(seed, |asked| silent((ONSET..ONSET + 4_000).contains(&asked.ms)));
        lab.run_to(ONSET + 3_000);
        assert!(
            lab.view
                .cells
                .values()
                .all(|cell| cell.frozen && cell.verdict == Verdict::Up)
        );
        lab.run_to(ONSET + 8_000);
        assert!(lab.story(ONSET).is_empty(), "seed {seed}: {:?}", lab.story(ONSET));
        assert!(lab.view.cells.values().all(|cell| cell.positively_healthy));
    }
}

/// Fault 5: the link from one observer to one cluster is cut. One vote is not q.
#[test]
fn one_link_cut() {
    let mut lab = lab(4, |asked| {
        silent(asked.observer == 0 && asked.cluster == Some("b") && asked.ms >= ONSET)
    });
    lab.run_to(ONSET + 5_000);
    assert!(lab.story(ONSET).is_empty());
    let votes = lab.view.cell("b", Path::Traffic, Family::V4).unwrap().votes;
    assert_eq!((votes.clear, votes.dead), (4, 1));
}

/// Fault 6: 30 % loss to one cluster in turn of observers. No flip-flop: at most doubt.
#[test]
fn loss_of_thirty_percent() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut lab = lab(5, move |asked| {
        silent(asked.cluster == Some("a") && asked.ms >= ONSET && rng.u8(..100) < 30)
    });
    lab.run_to(ONSET + 30_000);
    assert!(
        lab.log.iter().all(|t| t.to != Verdict::Down),
        "{:?}",
        lab.story(ONSET)
    );
}

/// Fault 7: two observers lie. V = 5, q = 4: no change.
#[test]
fn two_liars() {
    let mut lab = lab(7, |asked| {
        let lies = asked.observer < 2 && asked.cluster == Some("c") && asked.ms >= ONSET;
        if lies { Reach::Refuses } else { Reach::Answers }
    });
    lab.run_to(ONSET + 10_000);
    assert!(lab.story(ONSET).is_empty());
}

/// Fault 9: a blip of 400 ms is Suspect at most.
#[test]
fn short_blip() {
    for seed in 0..25 {
        let onset = ONSET + seed * 11 % 100;
        let mut lab = lab(seed, |asked| {
            silent(asked.cluster == Some("a") && (onset..onset + 400).contains(&asked.ms))
        });
        lab.run_to(onset + 3_000);
        assert!(
            lab.log.iter().all(|t| t.to != Verdict::Down),
            "seed {seed}: {:?}",
            lab.story(ONSET)
        );
        assert_eq!(lab.verdict("a", Path::Traffic), Verdict::Up);
    }
}

/// Fault 10: a blip of 2 s is a Down, and the return takes ten good seconds.
#[test]
fn blip_of_two_seconds() {
    let back = ONSET + 2_000;
    let mut lab = lab(10, |asked| {
        silent(asked.cluster == Some("a") && (ONSET..back).contains(&asked.ms))
    });
    lab.run_to(back + 13_000);
    let traffic: Vec<String> = lab
        .story(ONSET)
        .into_iter()
        .filter(|line| line.contains("traffic"))
        .collect();
    assert_eq!(
        traffic,
        [
            "a/traffic Up>Suspect",
            "a/traffic Suspect>Down",
            "a/traffic Down>Recovering",
            "a/traffic Recovering>Up"
        ]
    );
    let recovering = lab
        .reached("a", Path::Traffic, Verdict::Recovering, back)
        .unwrap();
    assert!(
        (300..=700).contains(&recovering),
        "three good probes and a round of evidence: {recovering} ms"
    );
    let up = lab.reached("a", Path::Traffic, Verdict::Up, back).unwrap();
    assert!((10_000..=11_000).contains(&up), "{up} ms");
}

/// Fault 11 (15 s up, 5 s down): suppressed by the third Down, and few transitions after that.
#[test]
fn flapping() {
    let mut lab = lab(11, |asked| {
        silent(asked.cluster == Some("a") && asked.ms >= ONSET && (asked.ms - ONSET) % 20_000 < 5_000)
    });
    lab.run_to(ONSET + 30_000);
    assert!(!lab.view.cell("a", Path::Traffic, Family::V4).unwrap().suppressed);
    lab.run_to(ONSET + 59_000);
    let cell = lab.view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert!(cell.suppressed && cell.positively_healthy && !cell.usable());
    assert_eq!(cell.verdict, Verdict::Recovering, "not Up while suppressed");
    let held_back = std::collections::BTreeSet::from(["a"]);
    assert_eq!(lab.view.survivors(Family::V4, &held_back), ["b", "c"]);
}

/// Fault 12: two of three clusters, a region, die at one instant: their Downs are decided in one poll, by path.
#[test]
fn a_region_dies_as_one() {
    let mut together = 0;
    for seed in 0..20 {
        let mut lab = lab(seed, |asked| {
            silent(matches!(asked.cluster, Some("a" | "b")) && asked.ms >= ONSET)
        });
        lab.run_to(ONSET + 1_500);
        let down = |cluster| lab.reached(cluster, Path::Traffic, Verdict::Down, ONSET).unwrap();
        together += u32::from(down("a") == down("b"));
        assert!(down("a").max(down("b")) <= 900, "seed {seed}");
    }
    assert!(together >= 18, "{together} of 20 regions died as one");
}

/// Fault 13: every cluster dies at once while anchors answer: all Down, no survivor, and the share is the whole.
#[test]
fn all_clusters_die() {
    let mut lab = lab(13, |asked| silent(asked.cluster.is_some() && asked.ms >= ONSET));
    lab.run_to(ONSET + 2_000);
    assert!(lab.view.cells.values().all(|cell| cell.verdict == Verdict::Down));
    assert!(
        lab.view
            .survivors(Family::V4, &std::collections::BTreeSet::new())
            .is_empty()
    );
    assert!(lab.view.down_share().exceeds(55));
}

/// Fault 13 for evidence: it stops altogether. Verdicts stand, frozen; a Down stays a Down.
#[test]
fn evidence_stops() {
    let mut lab = lab(14, |asked| {
        silent(asked.cluster == Some("a") && asked.ms >= ONSET)
    });
    lab.delivers = Box::new(|_, ms| ms < ONSET + 2_000);
    lab.run_to(ONSET + 20_000);
    assert_eq!(lab.verdict("a", Path::Traffic), Verdict::Down);
    assert_eq!(lab.verdict("b", Path::Traffic), Verdict::Up);
    assert!(
        lab.view
            .cells
            .values()
            .all(|cell| cell.frozen && cell.current() == Verdict::Unknown)
    );
    assert_eq!(
        lab.view.quadrant("a"),
        Quadrant::BothUp,
        "nobody is evicted on old evidence"
    );
}

/// Observers whose own way to a cluster is gone know nothing of it, whatever they saw before: one or two of them are as if they
/// were not there, and where all lack it nothing is decided. Of the others they tell as ever.
#[test]
fn observers_without_a_way_have_no_opinion() {
    const LOST: u64 = ONSET + 1_000;
    const DEATH: u64 = ONSET + 3_000;
    let world = |without: usize| {
        move |asked: &Asked<'_>| match asked.cluster {
            Some("a") if asked.observer < without && asked.ms >= LOST => Reach::NoWay,
            Some("a" | "b") => silent(asked.ms >= DEATH),
            // It is silent while the way is lost, not long enough for a death.
            Some("c") => silent((LOST - 300..LOST).contains(&asked.ms)),
            _ => Reach::Answers,
        }
    };
    for without in [1, 2, 3, 5] {
        let mut lab = lab(3, world(without));
        lab.run_to(DEATH);
        let cell = lab.view.cell("a", Path::Traffic, Family::V4).unwrap();
        assert_eq!((cell.verdict, cell.fresh), (Verdict::Up, 5 - without as u32));
        lab.run_to(DEATH + 2_000);
        let of_a = if without > 2 { Verdict::Up } else { Verdict::Down };
        assert_eq!(lab.verdict("a", Path::Traffic), of_a, "{without} without a way");
        assert_eq!(
            lab.view.cell("a", Path::Traffic, Family::V4).unwrap().frozen,
            without > 2
        );
        assert_eq!(lab.verdict("b", Path::Traffic), Verdict::Down);
        assert_eq!(lab.verdict("c", Path::Traffic), Verdict::Up);
    }
}

/// Misses before the way was lost are no part of a streak after it is back.
#[test]
fn a_way_that_comes_back_begins_anew() {
    let mut lab = lab(4, |asked| match asked.cluster {
        Some("a") if (ONSET..ONSET + 230).contains(&asked.ms) => Reach::Silent,
        Some("a") if (ONSET + 230..ONSET + 5_000).contains(&asked.ms) => Reach::NoWay,
        Some("a") => silent((ONSET + 5_000..ONSET + 5_230).contains(&asked.ms)),
        _ => Reach::Answers,
    });
    lab.run_to(ONSET + 8_000);
    assert_eq!(
        lab.story(ONSET)
            .iter()
            .filter(|told| told.ends_with("Down"))
            .count(),
        0
    );
    assert_eq!(lab.verdict("a", Path::Traffic), Verdict::Up);
}

/// Two of five observers are left: V = 2 is too few, whatever they say.
#[test]
fn two_observers_decide_nothing() {
    let mut lab = lab(15, |asked| {
        silent(asked.cluster == Some("a") && asked.ms >= ONSET)
    });
    lab.delivers = Box::new(|observer, ms| ms < ONSET || observer < 2);
    lab.run_to(ONSET + 10_000);
    assert!(lab.story(ONSET).is_empty());
}

/// S19: clocks an hour off, and running 1.3 times as fast, tell the same story.
#[test]
fn clocks_that_are_off() {
    let run = |clock: Box<dyn Fn(usize, u64) -> u64>| {
        let world =
            |asked: &Asked<'_>| silent(asked.cluster == Some("a") && (8_000..12_000).contains(&asked.ms));
        let mut lab = Lab::new(5, &FLEET, 16, Profile::fast(), world);
        lab.clock = clock;
        lab.run_to(25_000);
        lab.log
    };
    let right = run(Box::new(|_, ms| ms * 1_000));
    let offset = run(Box::new(|observer, ms| {
        ms * 1_000 + 3_600_000_000 * observer as u64
    }));
    assert_eq!(
        invariants::s19_clocks_change_nothing(&story(&right), &story(&offset)),
        Ok(())
    );
    let skewed = run(Box::new(
        |observer, ms| if observer == 0 { ms * 1_300 } else { ms * 1_000 },
    ));
    assert_eq!(
        invariants::s19_clocks_change_nothing(&story(&right), &story(&skewed)),
        Ok(())
    );
}

/// S20: one seed, one log.
#[test]
fn the_same_seed_gives_the_same_log() {
    let run = || {
        let mut lab = lab(20, |asked| {
            silent(asked.cluster == Some("b") && asked.ms >= ONSET)
        });
        lab.run_to(ONSET + 3_000);
        lab.log
    };
    assert_eq!(
        invariants::s20_same_seed_same_log(log_hash(&run()), log_hash(&run())),
        Ok(())
    );
}
