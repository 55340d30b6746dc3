//! The condition `DetectorQoSInfeasible` of a Cluster: the losses on the way to it would make wrong Downs more often than the
//! profile allows. Pure.
//!
//! It stands on the Cluster because losses are of the ways to one cluster, and other clusters' verdicts stay trustworthy.

use lifeboat_health::{FleetView, LossEstimate, Path};
use serde_json::Value;

use crate::store::{conditions, name};

const KIND: &str = "DetectorQoSInfeasible";
/// It ends when mistakes are to be expected this many times more seldom than the profile asks for, so that it does not flutter.
const RELEASE: f64 = 2.0;

/// The condition as it should stand; a cluster where it was always feasible has none. Its numbers are those of its beginning:
/// it is written when it begins and ends, and the metrics follow them.
pub(super) fn condition(cluster: &Value, verdicts: &FleetView, stamp: &str) -> Option<Value> {
    let held = conditions::find(cluster, KIND);
    let holds = held.is_some_and(|held| held["status"] == "True");
    let short = verdicts
        .cells
        .iter()
        .filter(|((of, _, _), _)| of == name(cluster))
        .filter_map(|((_, path, _), cell)| Some((*path, cell.losses?)))
        .find(|(_, estimate)| falls_short(estimate, if holds { RELEASE } else { 1.0 }));
    let (status, reason, message) = match (short, held) {
        (Some(_), Some(held)) if holds => return Some(held.clone()),
        (Some((path, estimate)), _) => ("True", "MistakesTooOften", tell(path, &estimate)),
        (None, None) => return None,
        (None, Some(_)) => (
            "False",
            "MistakesRareEnough",
            "losses make no more wrong Downs than the profile allows".to_owned(),
        ),
    };
    Some(conditions::condition(
        cluster,
        KIND,
        (status, reason, &message),
        stamp,
    ))
}

fn falls_short(estimate: &LossEstimate, release: f64) -> bool {
    estimate
        .recurrence_s
        .is_some_and(|seconds| seconds < release * estimate.wanted_s)
}

fn tell(path: Path, estimate: &LossEstimate) -> String {
    let LossEstimate {
        share,
        burst,
        correlation,
        recurrence_s,
        wanted_s,
        ..
    } = estimate;
    format!(
        "{path} path: with {:.2} % of probes lost in bursts of {burst:.1}, and a correlation of {correlation:.2} between observers, \
         a wrong Down is to be expected every {}; mistakeRecurrenceH asks for {:.0} h",
        share * 100.0,
        rounded(recurrence_s.unwrap_or_default()),
        wanted_s / 3_600.0,
    )
}

/// For people.
fn rounded(seconds: f64) -> String {
    match seconds {
        ..60.0 => format!("{seconds:.0} s"),
        60.0..3_600.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Cell, Family};
    use serde_json::json;

    use super::*;

    fn verdicts(recurrence_h: Option<f64>) -> FleetView {
        let losses = Some(LossEstimate {
            share: 0.021,
            burst: 3.04,
            correlation: 0.5,
            bursts: 99.0,
            recurrence_s: recurrence_h.map(|hours| hours * 3_600.0),
            wanted_s: 100.0 * 3_600.0,
        });
        let cell = Cell {
            losses,
            ..Cell::default()
        };
        let mut verdicts = FleetView::default();
        let key = ("a".to_owned(), Path::Traffic, Family::V4);
        verdicts.cells.insert(key, cell);
        verdicts
    }

    #[test]
    fn times_are_told_in_a_unit_that_shows_them() {
        assert_eq!([12.0, 600.0, 7_200.0].map(rounded), ["12 s", "10 min", "2.0 h"]);
    }

    #[test]
    fn it_begins_and_ends_with_a_margin_and_is_written_no_more_than_that() {
        let mut cluster = json!({"metadata": {"name": "a"}});
        assert_eq!(condition(&cluster, &verdicts(None), "t0"), None);
        assert_eq!(condition(&cluster, &verdicts(Some(101.0)), "t0"), None);
        let begun = condition(&cluster, &verdicts(Some(99.0)), "t1").unwrap();
        assert_eq!(
            begun["message"],
            "traffic path: with 2.10 % of probes lost in bursts of 3.0, and a correlation of 0.50 between observers, a wrong \
             Down is to be expected every 99.0 h; mistakeRecurrenceH asks for 100 h"
        );
        cluster["status"] = json!({"conditions": [begun]});
        for recurrence in [3.0, 99.0, 199.0] {
            let same = condition(&cluster, &verdicts(Some(recurrence)), "t2");
            assert_eq!(conditions::with(&cluster, same), None, "{recurrence}");
        }
        let over = condition(&cluster, &verdicts(Some(201.0)), "t3").unwrap();
        assert_eq!(
            (&over["status"], &over["lastTransitionTime"]),
            (&json!("False"), &json!("t3"))
        );
    }
}
