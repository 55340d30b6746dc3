//! Taints and tolerations, as in `pkg/util/helper/taint.go`.

use jiff::Timestamp;

use crate::api::{Taint, Toleration};

/// How long a workload may stay on a tainted cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TolerationTime {
    /// For good.
    Forever,
    /// This much longer; zero means that it must leave now.
    For(jiff::SignedDuration),
}

/// Whether a toleration covers a taint: same effect unless it names none, same key unless it names none.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if named(&toleration.effect).is_some_and(|effect| effect != taint.effect) {
        return false;
    }
    if named(&toleration.key).is_some_and(|key| key != taint.key) {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or_default() {
        "Exists" => true,
        "" | "Equal" => {
            toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
        }
        _ => false,
    }
}

/// The first toleration of each taint, in the order of the taints; `None` when one is not tolerated.
pub fn matching_tolerations(taints: &[Taint], tolerations: &[Toleration]) -> Option<Vec<Toleration>> {
    taints
        .iter()
        .map(|taint| {
            tolerations
                .iter()
                .find(|toleration| tolerates(toleration, taint))
                .cloned()
        })
        .collect()
}

/// The shortest time that any pair of a finite toleration and a taint with a known beginning allows.
pub fn min_toleration_time(taints: &[Taint], tolerations: &[Toleration], now: Timestamp) -> TolerationTime {
    if taints.is_empty() {
        return TolerationTime::Forever;
    }
    if tolerations.is_empty() {
        return TolerationTime::For(jiff::SignedDuration::ZERO);
    }
    let ends = tolerations.iter().flat_map(|toleration| {
        taints
            .iter()
            .filter(|taint| tolerates(toleration, taint))
            .filter_map(|taint| {
                let seconds = toleration.toleration_seconds?;
                let added = taint.time_added.as_ref()?.0;
                Some(
                    added
                        .saturating_add(jiff::SignedDuration::from_secs(seconds))
                        .unwrap_or(Timestamp::MAX),
                )
            })
    });
    match ends.min() {
        None => TolerationTime::Forever,
        Some(end) => TolerationTime::For(end.duration_since(now).max(jiff::SignedDuration::ZERO)),
    }
}
