//! What the controller hears of the observers, written into their Observer objects. Pure.

use jiff::{SignedDuration, Timestamp};
use lifeboat_health::{FleetView, ObserverView};
use serde_json::{Value, json};

use super::Kinds;
use crate::store::{
    Index, Key, Op, Write,
    conditions::{self, condition, observed},
    name, pointer_str,
};

/// While an observer is heard, its object says so again no more often than this.
const RENEW: SignedDuration = SignedDuration::from_secs(60);

/// Patches for the objects that do not say what was heard.
pub(super) fn writes(index: &Index, kinds: &Kinds, verdicts: &FleetView, now: Timestamp) -> Vec<Write> {
    let stamp = conditions::stamp(now);
    let write = |object: &Value| {
        let heard = verdicts.observers.iter().find(|o| o.name == name(object));
        Some(Write {
            kind: kinds.observer.clone(),
            key: Key::of(object),
            op: Op::MergeStatus(status(object, heard, now, &stamp)?),
        })
    };
    let objects = index.list(&kinds.observer);
    objects.iter().filter_map(|object| write(object)).collect()
}

fn status(object: &Value, heard: Option<&ObserverView>, now: Timestamp, stamp: &str) -> Option<Value> {
    let heard = heard.filter(|observer| observer.datagrams > 0);
    let fresh = heard.is_some_and(|observer| observer.fresh);
    let said = match heard {
        None => ("False", "NeverHeard", "no evidence since the controller started"),
        Some(_) if !fresh => ("False", "Stale", "its evidence is too old to count"),
        Some(_) => ("True", "Fresh", "its evidence is fresh"),
    };
    let abstains = match heard.filter(|observer| observer.fresh) {
        None => ("Unknown", "NotHeard", "whoever is not heard does not say"),
        Some(observer) if observer.abstaining => (
            "True",
            "SelfCheck",
            "it finds its own links or its own loop at fault, and its evidence does not count",
        ),
        Some(_) => ("False", "SelfCheck", "its own links and its loop are well"),
    };
    let wanted = [("Heard", said), ("Abstaining", abstains)]
        .map(|(kind, says)| observed(object, condition(object, kind, says, stamp)));
    let changed = conditions::with(object, wanted);
    let held: Option<Timestamp> = pointer_str(object, "/status/lastEvidence").parse().ok();
    let due = fresh && held.is_none_or(|held| now.duration_since(held) >= RENEW);
    if changed.is_none() && !due {
        return None;
    }
    let mut patch = json!({});
    if let Some(conditions) = changed {
        patch["conditions"] = json!(conditions);
    }
    if let Some(observer) = heard {
        let age = SignedDuration::from_millis(observer.age_ms.into());
        patch["lastEvidence"] = json!(conditions::stamp(now.saturating_sub(age).unwrap_or(now)));
    }
    Some(json!({ "status": patch }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: &str) -> Timestamp {
        format!("2026-01-01T00:{second}Z").parse().unwrap()
    }

    fn heard(fresh: bool, abstaining: bool, age_ms: u32) -> ObserverView {
        ObserverView {
            name: "a".to_owned(),
            fresh,
            abstaining,
            age_ms,
            datagrams: 1,
            ..ObserverView::default()
        }
    }

    /// Takes in what is heard at that time; what the object says then, and whether it had to be written.
    fn step(object: &mut Value, view: Option<ObserverView>, second: &str) -> (bool, [String; 3]) {
        let patch = status(object, view.as_ref(), at(second), &conditions::stamp(at(second)));
        if let Some(patch) = &patch {
            json_patch::merge(object, patch);
        }
        let of = |kind| {
            let held = conditions::find(object, kind).unwrap();
            format!(
                "{} {}",
                held["status"].as_str().unwrap(),
                held["reason"].as_str().unwrap()
            )
        };
        let last = pointer_str(object, "/status/lastEvidence").to_owned();
        (patch.is_some(), [of("Heard"), of("Abstaining"), last])
    }

    #[test]
    fn an_object_says_what_is_heard_and_is_written_rarely() {
        let mut object = json!({"metadata": {"name": "a", "generation": 3}});
        let mut check = |view, second, written, expected: [&str; 3]| {
            assert_eq!(
                step(&mut object, view, second),
                (written, expected.map(str::to_owned)),
                "{second}"
            );
        };
        check(None, "00:00", true, ["False NeverHeard", "Unknown NotHeard", ""]);
        check(None, "00:01", false, ["False NeverHeard", "Unknown NotHeard", ""]);
        let first = "2026-01-01T00:00:02Z";
        check(
            Some(heard(true, false, 0)),
            "00:02",
            true,
            ["True Fresh", "False SelfCheck", first],
        );
        check(
            Some(heard(true, false, 90)),
            "01:01",
            false,
            ["True Fresh", "False SelfCheck", first],
        );
        let renewed = "2026-01-01T00:01:02Z";
        check(
            Some(heard(true, false, 0)),
            "01:02",
            true,
            ["True Fresh", "False SelfCheck", renewed],
        );
        let abstained = "2026-01-01T00:01:03Z";
        check(
            Some(heard(true, true, 0)),
            "01:03",
            true,
            ["True Fresh", "True SelfCheck", abstained],
        );
        let gone = "2026-01-01T00:01:04Z";
        check(
            Some(heard(false, true, 1_000)),
            "01:05",
            true,
            ["False Stale", "Unknown NotHeard", gone],
        );
        check(
            Some(heard(false, true, 61_000)),
            "02:05",
            false,
            ["False Stale", "Unknown NotHeard", gone],
        );
    }
}
