//! A cluster's two verdicts, and the decisions that led to them with who saw what.

use serde_json::Value;

use super::{
    history::{self, Extent},
    hold, list, text,
};
use crate::{
    cli::output,
    serve::state::{GrayPath, HeldBack, PartialPath, PathLosses},
};

pub(super) fn print(explanation: &Value, extent: Extent) {
    for line in lines(explanation, extent) {
        output::line(line);
    }
}

fn lines(explanation: &Value, extent: Extent) -> Vec<String> {
    let cluster = &explanation["cluster"];
    let place: Vec<String> = [&cluster["provider"], &cluster["region"]]
        .into_iter()
        .map(text)
        .filter(|part| !part.is_empty())
        .collect();
    let mut lines = vec![match &place[..] {
        [] => text(&cluster["name"]),
        place => format!("{} ({})", text(&cluster["name"]), place.join(", ")),
    }];
    if let Some(own) = cluster["detection"].as_object() {
        let own: Vec<String> = own
            .iter()
            .map(|(field, value)| format!("{field} {}", text(value)))
            .collect();
        lines.push(format!("profile  the fleet's, but for {}", own.join(", ")));
    }
    let (traffic, control) = (&cluster["traffic"], &cluster["control"]);
    let alike = traffic["regions"] == control["regions"];
    lines.extend(path("traffic", traffic));
    if !alike {
        lines.extend(regions(traffic, "by observer region"));
    }
    lines.extend(path("control", control));
    let both = if alike {
        "both by observer region"
    } else {
        "by observer region"
    };
    lines.extend(regions(control, both));
    lines.extend(list(&explanation["now"]).flat_map(now));
    lines.extend(holds(explanation));
    lines.extend(history::lines(explanation, extent));
    lines
}

/// Who sees what of a path at this moment.
fn now(seen: &Value) -> Vec<String> {
    let mut witnesses = list(&seen["evidence"]).map(history::seen).peekable();
    if witnesses.peek().is_none() {
        return Vec::new();
    }
    let heading = format!("\nnow, {} path, {}:", text(&seen["path"]), text(&seen["family"]));
    std::iter::once(heading).chain(witnesses).collect()
}

/// A path's verdict, and what else is to be said of it.
fn path(name: &str, state: &Value) -> Vec<String> {
    if state["probed"] == Value::Bool(false) {
        return vec![format!("{name:<8} not probed: no check looks at it")];
    }
    let votes = &state["votes"];
    let held_back = serde_json::from_value::<Option<HeldBack>>(state["heldBack"].clone());
    let held_back = held_back
        .ok()
        .flatten()
        .map_or_else(String::new, |h| format!("; {h}"));
    let mut lines = vec![format!(
        "{name:<8} {}; votes: {} clear, {} suspect, {} dead, {} abstain{held_back}",
        verdict(state),
        text(&votes["clear"]),
        text(&votes["suspect"]),
        text(&votes["dead"]),
        text(&votes["abstain"]),
    )];
    if let Ok(Some(gray)) = serde_json::from_value::<Option<GrayPath>>(state["gray"].clone()) {
        lines.push(format!("         {gray}: {}", gray.reason));
    }
    if let Ok(Some(partial)) = serde_json::from_value::<Option<PartialPath>>(state["partial"].clone()) {
        let (seconds, reached) = (partial.since_ms as f64 / 1000.0, partial.reached.join(", "));
        lines.push(format!(
            "         {partial}, reached from {reached}, for {seconds:.1} s"
        ));
    }
    if let Ok(Some(losses)) = serde_json::from_value::<Option<PathLosses>>(state["losses"].clone()) {
        lines.push(format!("         {losses}"));
    }
    lines
}

/// The time belongs to the last verdict: nothing says for how long it has been frozen.
fn verdict(state: &Value) -> String {
    let seconds = state["sinceMs"].as_f64().unwrap_or(0.0) / 1000.0;
    let verdict = text(&state["verdict"]);
    if state["frozen"] != Value::Bool(true) {
        return format!("{verdict} for {seconds:.1} s");
    }
    match state["lastVerdict"].as_str() {
        None | Some("" | "Unknown") => format!("{verdict}, frozen: no verdict yet"),
        Some(last) => format!("{verdict}, frozen: the last verdict was {last}, reached {seconds:.1} s ago"),
    }
}

fn regions(state: &Value, heading: &str) -> Option<String> {
    let regions: Vec<String> = list(&state["regions"]).map(region).collect();
    (!regions.is_empty()).then(|| format!("         {heading}: {}", regions.join("; ")))
}

/// What the observers of one region see.
fn region(view: &Value) -> String {
    let name = view["region"].as_str().filter(|name| !name.is_empty());
    let votes = &view["votes"];
    format!(
        "{} {} ({} clear, {} suspect, {} dead, {} abstain)",
        name.unwrap_or("without a name"),
        text(&view["reach"]),
        text(&votes["clear"]),
        text(&votes["suspect"]),
        text(&votes["dead"]),
        text(&votes["abstain"]),
    )
}

/// Why something is not done, or not yet, and what has nowhere to go.
fn holds(explanation: &Value) -> Vec<String> {
    let none = list(&explanation["noTarget"]).map(|none| {
        format!(
            "no feasible target: {}: {}",
            text(&none["binding"]),
            text(&none["message"])
        )
    });
    list(&explanation["holds"]).map(hold).chain(none).collect()
}

#[cfg(test)]
mod tests;
