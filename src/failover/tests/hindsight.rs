//! Hindsight decides as the planner does, and tells each decision once.

use std::{collections::BTreeMap, time::Duration};

use lifeboat_health::{MonoTime, Verdict};

use super::fleet::FIVE;
use crate::failover::{ClusterHealth, Hindsight, Judged};

fn at(seconds: u64) -> MonoTime {
    MonoTime::from_millis(seconds * 1_000)
}

/// Five clusters, of whom these have both paths Down.
fn health(down: &[&str]) -> BTreeMap<String, ClusterHealth> {
    let verdict = |cluster| {
        if down.contains(&cluster) {
            Verdict::Down
        } else {
            Verdict::Up
        }
    };
    let health = |cluster| ClusterHealth {
        traffic: verdict(cluster),
        control: verdict(cluster),
        returned_since: None,
    };
    FIVE.iter()
        .map(|cluster| ((*cluster).to_owned(), health(*cluster)))
        .collect()
}

fn hindsight() -> Hindsight {
    let clusters = FIVE.iter().map(|cluster| (*cluster).to_owned()).collect();
    let mut hindsight = Hindsight::new(clusters, Duration::from_secs(3));
    hindsight.look(health(&[]));
    assert!(hindsight.step(at(0)).is_empty());
    hindsight
}

/// Steps each second from `from` to `to`, and what was judged when.
fn run(hindsight: &mut Hindsight, from: u64, to: u64) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    for second in from..=to {
        for judged in hindsight.step(at(second)) {
            let words = match judged {
                Judged::Lost { cluster } => format!("{cluster} lost"),
                Judged::Frozen { cluster, why } => format!("{cluster} frozen: {why}"),
            };
            told.push((second, words));
        }
    }
    told
}

#[test]
fn a_loss_is_told_when_the_hold_runs_out_and_once() {
    let mut hindsight = hindsight();
    hindsight.look(health(&["a"]));
    assert_eq!(run(&mut hindsight, 10, 60), [(13, "a lost".to_owned())]);
    hindsight.look(health(&[]));
    run(&mut hindsight, 61, 61);
    assert!(!hindsight.is_waiting());
    hindsight.look(health(&["a"]));
    assert_eq!(run(&mut hindsight, 70, 80), [(73, "a lost".to_owned())]);
}

#[test]
fn freeze_holds_back_and_is_over_after_a_minute_of_calm() {
    let mut hindsight = hindsight();
    hindsight.look(health(&FIVE));
    let frozen = run(&mut hindsight, 10, 20);
    assert_eq!(frozen.len(), 5, "{frozen:?}");
    let why = "a frozen: 5 of 5 clusters look down: nothing is evicted until it is at most 55 % for 60 s";
    assert_eq!(frozen[0], (13, why.to_owned()));
    hindsight.look(health(&["a"]));
    assert_eq!(
        run(&mut hindsight, 21, 100),
        [(84, "a lost".to_owned())],
        "the hold begins anew when FREEZE ends"
    );
}

#[test]
fn an_end_of_the_evidence_is_no_calm() {
    let mut hindsight = hindsight();
    hindsight.look(health(&FIVE));
    assert_eq!(run(&mut hindsight, 10, 20).len(), 5);
    // Nobody hears anything: FREEZE stays, however long.
    let nothing = FIVE.map(|cluster| (cluster.to_owned(), ClusterHealth::UNKNOWN));
    hindsight.look(BTreeMap::from(nothing));
    assert_eq!(run(&mut hindsight, 21, 200), []);
    assert!(hindsight.is_waiting());
    // A minute after most are seen to be well it is over.
    hindsight.look(health(&["a", "b"]));
    let frozen = run(&mut hindsight, 201, 260);
    assert!(
        frozen
            .iter()
            .all(|(at, told)| *at == 204 && told.contains("frozen: 2 of 5")),
        "{frozen:?}"
    );
    assert_eq!(
        run(&mut hindsight, 261, 270),
        [(264, "a lost".to_owned()), (264, "b lost".to_owned())]
    );
}
