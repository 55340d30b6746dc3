//! Taints and tolerations.

use jiff::Timestamp;
use lifeboat::api::{Taint, Toleration};
use lifeboat::schedule::{TolerationTime, matching_tolerations, min_toleration_time};
use serde_json::{Value, json};

use super::{compare, read, text};

fn now(input: &Value) -> Timestamp {
    text(&input["now"]).parse().unwrap()
}

fn seconds(time: TolerationTime) -> i64 {
    match time {
        TolerationTime::Forever => -1,
        TolerationTime::For(left) => left.as_secs(),
    }
}

#[test]
fn tolerations() {
    compare("random/toleration.json", |input, expect| {
        let taints: Vec<Taint> = read(&input["taints"]);
        let tolerations: Vec<Toleration> = read(&input["tolerations"]);
        let used = matching_tolerations(&taints, &tolerations);
        let left = used
            .as_ref()
            .map(|used| min_toleration_time(&taints, used, now(input)));
        let ours = json!({
            "allTolerated": used.is_some(),
            "used": used.unwrap_or_default(),
            "seconds": left.map(seconds),
            "needEviction": left.is_none_or(|left| seconds(left) == 0),
        });
        let theirs = json!({
            "allTolerated": expect["allTolerated"],
            "used": read::<Vec<Toleration>>(&expect["used"]),
            "seconds": expect["seconds"],
            "needEviction": expect["needEviction"],
        });
        Some((theirs, ours))
    });
}

#[test]
fn shortest_time() {
    compare("random/min-toleration-time.json", |input, expect| {
        let taints: Vec<Taint> = read(&input["taints"]);
        let tolerations: Vec<Toleration> = read(&input["tolerations"]);
        let ours = seconds(min_toleration_time(&taints, &tolerations, now(input)));
        Some((expect["seconds"].clone(), json!(ours)))
    });
}
