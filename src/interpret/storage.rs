//! Volumes and claims: the phase that is furthest from usable counts.

use serde_json::{Value, json};

use super::{Item, counts::statuses, pod::worst_phase};

pub(super) fn aggregate_volume(items: &[Item]) -> Option<Value> {
    worst_phase(items, &["Failed", "Pending", "Available", "Bound", "Released"])
        .map(|phase| json!({ "phase": phase }))
}

/// Lost if lost anywhere, else the last phase that is not Bound.
pub(super) fn aggregate_claim(items: &[Item]) -> Value {
    let phases = || statuses(items).filter_map(|status| status["phase"].as_str());
    let phase = if phases().any(|phase| phase == "Lost") {
        "Lost"
    } else {
        phases()
            .filter(|phase| *phase != "Bound")
            .last()
            .unwrap_or("Bound")
    };
    json!({ "phase": phase })
}
