//! What the controller hears of the observers, written into their Observer objects. Pure.

use jiff::{SignedDuration, Timestamp};
use lifeboat_health::{FleetView, ObserverView, Profile};
use serde_json::{Value, json};

use super::Kinds;
use crate::store::{
    Index, Key, Op, Write,
    conditions::{self, condition, observed},
    name, pointer_str,
};

/// While an observer is heard, its object says so again no more often than this.
const RENEW: SignedDuration = SignedDuration::from_secs(60);

/// A condition of an observer that probes otherwise than this controller's profile says.
const PROBES_OTHERWISE: &str = "ProbesOtherwise";

/// A condition of all observers while there are fewer of them than decide anything.
const TOO_FEW: &str = "TooFewObservers";

/// Patches for the objects that do not say what was heard, and whether there are enough of them.
pub(super) fn writes(
    index: &Index,
    kinds: &Kinds,
    (verdicts, profile): (&FleetView, &Profile),
    now: Timestamp,
) -> Vec<Write> {
    let stamp = conditions::stamp(now);
    let objects = index.list(&kinds.observer);
    let counting = objects
        .iter()
        .filter(|object| object.pointer("/metadata/deletionTimestamp").is_none())
        .count();
    let lack = profile
        .check_observers(counting)
        .err()
        .map(|error| error.to_string());
    let write = |object: &Value| {
        let heard = verdicts.observers.iter().find(|o| o.name == name(object));
        Some(Write {
            kind: kinds.observer.clone(),
            key: Key::of(object),
            op: Op::MergeStatus(status(object, (heard, lack.as_deref()), now, &stamp)?),
        })
    };
    objects.iter().filter_map(|object| write(object)).collect()
}

/// It begins with a lack and ends with it: objects that were always enough do not have it.
fn too_few(object: &Value, lack: Option<&str>, stamp: &str) -> Option<Value> {
    let says = match lack {
        Some(lack) => ("True", "MinFresh", lack),
        None => {
            conditions::find(object, TOO_FEW)?;
            ("False", "MinFresh", "there are enough observers to decide")
        }
    };
    Some(observed(object, condition(object, TOO_FEW, says, stamp)))
}

/// Likewise of an observer by itself.
fn probes_otherwise(object: &Value, heard: Option<&ObserverView>, stamp: &str) -> Option<Value> {
    let says = match heard.and_then(|observer| observer.probes_otherwise.as_ref()) {
        Some(told) if told.counts => ("True", "Counts", told.why.as_str()),
        Some(told) => ("True", "NotCounted", told.why.as_str()),
        None => {
            conditions::find(object, PROBES_OTHERWISE)?;
            (
                "False",
                "AsHere",
                "it probes as the profile here says, or it is not heard",
            )
        }
    };
    Some(observed(object, condition(object, PROBES_OTHERWISE, says, stamp)))
}

fn status(
    object: &Value,
    (heard, lack): (Option<&ObserverView>, Option<&str>),
    now: Timestamp,
    stamp: &str,
) -> Option<Value> {
    let heard = heard.filter(|observer| observer.datagrams > 0);
    let fresh = heard.is_some_and(|observer| observer.fresh);
    let said = match heard {
        None => ("False", "NeverHeard", "no evidence since the controller started"),
        Some(observer) if !fresh && observer.probes_otherwise.is_some() => (
            "False",
            PROBES_OTHERWISE,
            "its evidence does not count: it probes otherwise than the profile here can judge",
        ),
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
    let too_few = too_few(object, lack, stamp);
    let otherwise = probes_otherwise(object, heard, stamp);
    let changed = conditions::with(object, wanted.into_iter().chain(too_few).chain(otherwise));
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
        let patch = status(
            object,
            (view.as_ref(), None),
            at(second),
            &conditions::stamp(at(second)),
        );
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

    #[test]
    fn an_observer_that_probes_otherwise_is_told_until_it_does_not() {
        let mut object = json!({"metadata": {"name": "a", "generation": 3}});
        let mut check = |view: ObserverView, expected: [Option<&str>; 2]| {
            let now = at("00:00");
            let patch = status(&object, (Some(&view), None), now, &conditions::stamp(now));
            if let Some(patch) = &patch {
                json_patch::merge(&mut object, patch);
            }
            let says = |kind| {
                let held = conditions::find(&object, kind)?;
                let text = |field: &str| held[field].as_str().unwrap().to_owned();
                Some(format!(
                    "{} {}: {}",
                    text("status"),
                    text("reason"),
                    text("message")
                ))
            };
            let said = [says("Heard"), says(PROBES_OTHERWISE)];
            assert_eq!(said.each_ref().map(Option::as_deref), expected);
        };
        let otherwise = |fresh, counts| ObserverView {
            probes_otherwise: Some(lifeboat_health::ProbesOtherwise {
                counts,
                why: "its intervalMs is 20, here it is 100".to_owned(),
            }),
            ..heard(fresh, false, 0)
        };
        let fresh = Some("True Fresh: its evidence is fresh");
        check(heard(true, false, 0), [fresh, None]);
        check(
            otherwise(false, false),
            [
                Some(
                    "False ProbesOtherwise: its evidence does not count: it probes otherwise than the profile here can judge",
                ),
                Some("True NotCounted: its intervalMs is 20, here it is 100"),
            ],
        );
        let counts = Some("True Counts: its intervalMs is 20, here it is 100");
        check(otherwise(true, true), [fresh, counts]);
        let over = Some("False AsHere: it probes as the profile here says, or it is not heard");
        check(heard(true, false, 0), [fresh, over]);
    }

    #[test]
    fn objects_that_are_too_few_say_so_until_they_are_enough() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let apply = |name: &str, metadata: Value, status: &Value| {
            let mut object = json!({
                "apiVersion": kinds.observer.api_version(), "kind": kinds.observer.kind,
                "metadata": {"name": name, "generation": 1}, "spec": {}, "status": status,
            });
            json_patch::merge(&mut object["metadata"], &metadata);
            index.apply(&kinds.observer, object);
        };
        // What each object says after a round, by name; its status is kept as the API would.
        let round = |version: u32| {
            let verdicts = FleetView::default();
            let writes = writes(&index, &kinds, (&verdicts, &Profile::fast()), at("00:00"));
            for write in writes {
                let Op::MergeStatus(patch) = write.op else {
                    panic!("{:?}", write.op);
                };
                let metadata = json!({"resourceVersion": version.to_string()});
                apply(&write.key.name, metadata, &patch["status"]);
            }
            let says = |object: &std::sync::Arc<Value>| {
                let held = conditions::find(object, TOO_FEW)?;
                Some(format!(
                    "{} {}",
                    held["status"].as_str()?,
                    held["message"].as_str()?
                ))
            };
            index.list(&kinds.observer).iter().map(says).collect::<Vec<_>>()
        };
        let fresh = |version: u32| json!({"resourceVersion": version.to_string()});
        let lack = "True profile field minFresh is 3: it must be at most 2, the number of observers that count, or \
                    nothing is ever decided";
        let enough = Some("False there are enough observers to decide".to_owned());
        for name in ["a", "b"] {
            apply(name, fresh(1), &json!({}));
        }
        assert_eq!(round(2), [Some(lack.to_owned()), Some(lack.to_owned())]);
        apply("c", fresh(3), &json!({}));
        assert_eq!(round(4), [enough.clone(), enough, None]);
        let leaving = json!({"resourceVersion": "5", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        apply("c", leaving, &json!({}));
        assert_eq!(round(6)[0].as_deref(), Some(lack));
    }
}
