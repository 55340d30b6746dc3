//! What the timeline tells of something, oldest first, with who saw what.

use crate::counted::counted;
use jiff::Timestamp;
use serde_json::Value;

use super::{list, text};

/// Entries shown unless all are asked for.
const LATEST: usize = 20;

/// How much of a history is shown.
#[derive(Clone, Copy)]
pub(super) enum Extent {
    All,
    /// The last twenty entries.
    Latest,
}

pub(super) fn lines(explanation: &Value, extent: Extent) -> Vec<String> {
    let entries: Vec<&Value> = list(&explanation["history"]).collect();
    let left_out = match extent {
        Extent::All => 0,
        Extent::Latest => entries.len().saturating_sub(LATEST),
    };
    let mut lines = Vec::new();
    if left_out > 0 {
        lines.push(format!(
            "\n{left_out} earlier entries are left out; --all shows them"
        ));
    }
    for entry in entries.into_iter().skip(left_out) {
        lines.push(format!(
            "\n{}  {:9.3} s  {}: {}",
            wall(&entry["at"]),
            entry["atMs"].as_f64().unwrap_or(0.0) / 1000.0,
            text(&entry["type"]),
            text(&entry["detail"])
        ));
        lines.extend(list(&entry["evidence"]).map(seen));
    }
    lines
}

/// RFC 3339, in UTC, to the millisecond.
fn wall(at: &Value) -> String {
    let read = at.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    read.map_or_else(|| text(at), |at| format!("{at:.3}"))
}

/// What one observer had seen.
pub(super) fn seen(seen: &Value) -> String {
    let name = match seen["region"].as_str() {
        None | Some("") => text(&seen["observer"]),
        Some(region) => format!("{} ({region})", text(&seen["observer"])),
    };
    let misses = seen["missStreak"].as_u64().unwrap_or(0);
    let answered = misses.saturating_sub(seen["silence"].as_u64().unwrap_or(misses));
    let answered = if answered > 0 {
        format!(", {answered} of them answered late or with an error")
    } else {
        String::new()
    };
    let successes = seen["successStreak"].as_u64().unwrap_or(0);
    let mut said = format!(
        "{} in a row{answered}, {} in a row, row {} ms old",
        counted(misses, "miss"),
        counted(successes, "success"),
        text(&seen["ageMs"]),
    );
    if let Some(ago) = seen["deadMs"].as_u64() {
        said.push_str(&format!(", last said Dead {ago} ms ago"));
    }
    let hard: Vec<String> = list(&seen["hard"]).map(text).collect();
    if !hard.is_empty() {
        said.push_str(&format!(", hard evidence: {}", hard.join(", ")));
    }
    format!("             {name}: {}: {said}", vote(seen))
}

/// An observer that abstains does not vote; one whose rows say nothing yet has no opinion.
fn vote(seen: &Value) -> String {
    let abstains = seen["abstains"] == Value::Bool(true);
    let vote = match seen["vote"].as_str() {
        Some("Abstain") if abstains => None,
        Some("Abstain") => Some("no opinion yet".to_owned()),
        _ => Some(text(&seen["vote"])),
    };
    match (vote, abstains, &seen["counted"]) {
        (None, _, _) => "abstains, not counted".to_owned(),
        (Some(vote), true, _) => format!("{vote}, not counted: abstains"),
        (Some(vote), false, Value::Bool(false)) => format!("{vote}, not counted: its row is too old"),
        (Some(vote), false, _) => vote,
    }
}
