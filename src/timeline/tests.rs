//! Which transitions make an entry, and what is kept of their evidence.

use lifeboat_health::{Hard, Vote};
use serde_json::json;

use super::*;

fn transition(family: Family, from: Verdict, to: Verdict) -> Transition {
    Transition {
        cluster: "eu".to_owned(),
        path: Path::Traffic,
        family,
        from,
        to,
        at: MonoTime::ZERO,
        q: 4,
        fresh: 4,
        evidence: Vec::new(),
        reason: "4 votes".to_owned(),
    }
}

/// What the timeline says after these were told, each by a consumer.
#[track_caller]
fn check(told: &[(&str, Family, Verdict, Verdict)], expected: &[&str]) {
    let timeline = Timeline::new(MonoClock::new());
    for (teller, family, from, to) in told {
        timeline.transition(teller, &transition(*family, *from, *to));
    }
    let (entries, _) = timeline.since(0);
    let said: Vec<String> = entries.into_iter().map(|entry| entry.detail).collect();
    assert_eq!(said, expected);
}

#[test]
fn what_a_second_consumer_tells_is_the_same_event() {
    use Verdict::{Down, Up};
    check(
        &[
            ("dns-1", Family::V4, Up, Down),
            ("dns-2", Family::V4, Up, Down),
            ("controller", Family::V4, Up, Down),
        ],
        &["traffic path (ipv4) Up to Down: 4 votes (told by dns-1)"],
    );
}

#[test]
fn another_family_is_another_event() {
    use Verdict::{Down, Up};
    check(
        &[
            ("dns-1", Family::V4, Up, Down),
            ("dns-1", Family::V6, Up, Down),
            ("dns-2", Family::V6, Up, Down),
        ],
        &[
            "traffic path (ipv4) Up to Down: 4 votes (told by dns-1)",
            "traffic path (ipv6) Up to Down: 4 votes (told by dns-1)",
        ],
    );
}

#[test]
fn a_consumer_that_tells_it_again_means_a_second_one() {
    use Verdict::{Down, Recovering};
    let down = |by| (by, Family::V4, Recovering, Down);
    let back = |by| (by, Family::V4, Down, Recovering);
    check(
        &[
            down("dns-1"),
            back("dns-1"),
            down("dns-1"),
            down("dns-2"),
            back("dns-2"),
            down("dns-2"),
        ],
        &[
            "traffic path (ipv4) Recovering to Down: 4 votes (told by dns-1)",
            "traffic path (ipv4) Down to Recovering: 4 votes (told by dns-1)",
            "traffic path (ipv4) Recovering to Down: 4 votes (told by dns-1)",
        ],
    );
}

#[test]
fn evidence_says_who_counted_and_who_did_not() {
    let witness = |observer: &str, counted, abstains| Witness {
        observer: observer.to_owned(),
        region: "eu-west".to_owned(),
        vote: Vote::Dead,
        miss_streak: 7,
        silence: 5,
        success_streak: 0,
        hard: Hard::REFUSED,
        age_ms: 40,
        rtt_us: 0,
        dead_ms: Some(120),
        silent_ms: Some(600),
        counted,
        abstains,
    };
    let timeline = Timeline::new(MonoClock::new());
    let told = Transition {
        evidence: vec![witness("o1", true, false), witness("o2", false, true)],
        ..transition(Family::V4, Verdict::Up, Verdict::Down)
    };
    timeline.transition("dns-1", &told);
    let (entries, _) = timeline.since(0);
    assert_eq!(
        serde_json::to_value(&entries[0].evidence[0]).unwrap(),
        json!({
            "observer": "o1", "region": "eu-west", "vote": "Dead", "counted": true, "abstains": false, "missStreak": 7,
            "silence": 5, "successStreak": 0, "hard": ["refused"], "ageMs": 40, "deadMs": 120, "rttMs": null,
        })
    );
    let second = &entries[0].evidence[1];
    assert!(!second.counted && second.abstains);
}
