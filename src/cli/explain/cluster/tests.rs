//! What is told of a cluster, from answers of the API.

use serde_json::json;

use super::*;

fn path_of(verdict: &str, regions: &Value) -> Value {
    json!({
        "verdict": verdict, "lastVerdict": verdict, "frozen": false, "sinceMs": 24_700,
        "votes": { "clear": 5, "suspect": 0, "dead": 0, "abstain": 0 }, "regions": regions,
    })
}

fn regions_of(clear: u32) -> Value {
    let votes = json!({ "clear": clear, "suspect": 0, "dead": 0, "abstain": 0 });
    json!([{ "region": "eu", "reach": "reached", "votes": votes }])
}

fn explanation(traffic: &Value, control: &Value, history: &[Value]) -> Value {
    json!({
        "cluster": { "name": "a", "provider": "p", "region": "r", "traffic": traffic, "control": control },
        "holds": [], "noTarget": [], "history": history,
    })
}

fn entry(n: i64, evidence: &[Value]) -> Value {
    json!({
        "at": "2026-11-23T13:05:07.123456789Z", "atMs": 1000 * n, "type": "cluster.down", "detail": format!("entry {n}"),
        "evidence": evidence,
    })
}

#[test]
fn regions_are_told_once_where_both_paths_are_alike() {
    let up = path_of("Up", &regions_of(5));
    let told = lines(&explanation(&up, &up, &[]), Extent::Latest);
    assert_eq!(
        told,
        [
            "a (p, r)",
            "traffic  Up for 24.7 s; votes: 5 clear, 0 suspect, 0 dead, 0 abstain",
            "control  Up for 24.7 s; votes: 5 clear, 0 suspect, 0 dead, 0 abstain",
            "         both by observer region: eu reached (5 clear, 0 suspect, 0 dead, 0 abstain)",
        ]
    );
    let told = lines(
        &explanation(&up, &path_of("Up", &regions_of(4)), &[]),
        Extent::Latest,
    );
    let by_region = told
        .iter()
        .filter(|line| line.contains("         by observer region"));
    assert_eq!(by_region.count(), 2, "{told:#?}");
}

#[test]
fn the_time_of_a_frozen_path_is_that_of_its_last_verdict() {
    let check = |last: &str, expected: &str| {
        let mut frozen = path_of("Unknown", &json!([]));
        (frozen["frozen"], frozen["lastVerdict"]) = (json!(true), json!(last));
        let told = lines(&explanation(&frozen, &frozen, &[]), Extent::Latest);
        assert!(told[1].starts_with(expected), "{}", told[1]);
    };
    check(
        "Up",
        "traffic  Unknown, frozen: the last verdict was Up, reached 24.7 s ago; votes",
    );
    check("Unknown", "traffic  Unknown, frozen: no verdict yet; votes");
}

#[test]
fn the_last_twenty_entries_are_shown_and_the_others_counted() {
    let up = path_of("Up", &json!([]));
    let history: Vec<Value> = (1..=23).map(|n| entry(n, &[])).collect();
    let explanation = explanation(&up, &up, &history);
    let told = lines(&explanation, Extent::Latest);
    assert_eq!(told[3], "\n3 earlier entries are left out; --all shows them");
    assert_eq!(
        told[4],
        "\n2026-11-23T13:05:07.123Z      4.000 s  cluster.down: entry 4"
    );
    assert_eq!(told.len(), 4 + 20);
    assert!(told[23].ends_with("entry 23"));
    let all = lines(&explanation, Extent::All);
    assert_eq!(all.len(), 3 + 23);
    assert!(all[3].ends_with("entry 1"));
}

#[test]
fn an_observer_that_did_not_count_is_told_apart() {
    let check = |vote: &str, counted: bool, abstains: bool, expected: &str| {
        let seen = json!({
            "observer": "observer-3", "region": "eu", "vote": vote, "counted": counted, "abstains": abstains,
            "missStreak": 7, "silence": 5, "successStreak": 0, "hard": ["refused"], "ageMs": 40, "deadMs": 120, "rttMs": null,
        });
        let up = path_of("Up", &json!([]));
        let told = lines(&explanation(&up, &up, &[entry(1, &[seen])]), Extent::Latest);
        let rest = ": 7 misses in a row, 2 of them answered late or with an error, 0 successes in a row, row 40 ms old, \
                    last said Dead 120 ms ago, hard evidence: refused";
        assert_eq!(told[4].trim_start(), format!("observer-3 (eu): {expected}{rest}"));
    };
    check("Dead", true, false, "Dead");
    check("Dead", false, false, "Dead, not counted: its row is too old");
    check("Dead", false, true, "Dead, not counted: abstains");
    check("Abstain", false, true, "abstains, not counted");
    check("Abstain", true, false, "no opinion yet");
}
