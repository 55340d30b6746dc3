//! A server's status as tables.

use serde_json::Value;

use crate::cli::{
    explain::{list, text},
    get, output,
};
use crate::counted::counted;

pub(super) fn print(status: &Value) -> anyhow::Result<()> {
    let configuration = &status["configuration"];
    let server = &status["server"];
    let ready = match server["ready"].as_bool() {
        Some(true) => "answering",
        _ => "not answering yet",
    };
    let listen: Vec<String> = list(&server["listen"]).map(text).collect();
    output::line(format!(
        "lifeboat {}: {ready} on {}; plan {} from {}",
        text(&status["version"]),
        listen.join(", "),
        text(&server["stamp"]["seq"]),
        source(status),
    ));
    output::line(format!(
        "configuration {}: {}",
        text(&configuration["path"]),
        in_force(configuration)
    ));
    for field in list(&configuration["afterRestart"]) {
        output::line(format!(
            "  {} has changed and takes effect with a restart",
            text(field)
        ));
    }
    for problem in list(&configuration["problems"]) {
        output::line(format!("  not in force: {}", text(problem)));
    }
    for warning in list(&configuration["warnings"]) {
        output::line(format!("  warning: {}", text(warning)));
    }
    if let Some(plane) = status.get("controlPlane") {
        output::line(format!("control plane: {}", contact(plane)));
        for problem in list(&plane["problems"]) {
            output::line(format!("  {}", text(problem)));
        }
    }
    section(
        "ZONES",
        &["NAME", "SERVES", "ERRORS", "WARNINGS", "FILE"],
        rows(&status["zones"], |zone| {
            let serving = match zone["serving"].as_str() {
                Some("file") => "its file",
                Some("plan") => "the steering plan",
                Some("lastKnownGood") => "the last good version",
                _ => "SERVFAIL",
            };
            let mut row = vec![text(&zone["name"]), serving.to_owned()];
            row.extend([&zone["errors"], &zone["warnings"], &zone["file"]].map(text));
            row
        }),
    );
    for problem in list(&status["zones"]).flat_map(|zone| list(&zone["problems"])) {
        output::line(format!("  {}", text(problem)));
    }
    section(
        "CLUSTERS",
        &[
            "NAME",
            "REGION",
            "FAMILY",
            "VERDICT",
            "FOR",
            "FRESH",
            "ABSTAIN",
            "RTT",
            "LET THROUGH",
        ],
        list(&status["clusters"]).flat_map(cluster).collect(),
    );
    if list(&status["observers"]).next().is_some() {
        output::line("\nOBSERVERS");
        get::observers(status["observers"].clone())?;
    }
    if let Some(names) = server["panicNames"].as_u64().filter(|names| *names > 0) {
        output::line(format!(
            "\nPANIC: of {} no candidate is known to be healthy; their last good sets serve",
            counted(usize::try_from(names).unwrap_or(usize::MAX), "name")
        ));
    }
    Ok(())
}

fn in_force(configuration: &Value) -> String {
    match (
        configuration["refused"].as_str(),
        configuration["lastKnownGood"].as_bool(),
    ) {
        (None, _) => "in force".to_owned(),
        (Some(why), Some(true)) => format!("REFUSED, the last good one is in force: {why}"),
        (Some(why), _) => format!("REFUSED, what was in force stays: {why}"),
    }
}

fn contact(plane: &Value) -> String {
    match (plane["reached"].as_bool(), plane["unreachableSince"].as_str()) {
        (Some(true), _) => format!("reached, last {}", text(&plane["lastReached"])),
        (_, Some(since)) => format!("UNREACHABLE since {since}"),
        (_, None) => "not reached yet".to_owned(),
    }
}

fn source(status: &Value) -> &str {
    let followed = status.get("controlPlane");
    match status["server"]["source"].as_str() {
        _ if followed.is_some_and(|plane| plane["current"] == true) => "the control plane",
        Some("plan") if followed.is_some() => "the control plane, not the one it has now",
        Some("plan") => "the configuration",
        Some("lastKnownGood") => "last-known-good",
        _ => "nowhere: nothing is served",
    }
}

fn cluster(cluster: &Value) -> Vec<Vec<String>> {
    let head = [text(&cluster["name"]), text(&cluster["region"])];
    let mut rows: Vec<Vec<String>> = list(&cluster["families"])
        .map(|family| {
            let mut row = head.to_vec();
            row.push(text(&family["family"]));
            row.extend(seen(family));
            row.push(through(family));
            row
        })
        .collect();
    if rows.is_empty() {
        let mut row = head.to_vec();
        row.extend(["-", "not probed", "-", "-", "-", "-", "100 %"].map(str::to_owned));
        rows.push(row);
    }
    rows
}

/// Verdict, for how long, who is fresh, who abstains, and the round trip.
fn seen(family: &Value) -> [String; 5] {
    if family["probed"].as_bool() == Some(false) {
        return ["not probed", "-", "-", "-", "-"].map(str::to_owned);
    }
    let frozen = if family["frozen"].as_bool() == Some(true) {
        " (frozen)"
    } else {
        ""
    };
    let rtt = family["rttMs"].as_f64();
    [
        format!("{}{frozen}", text(&family["verdict"])),
        format!("{:.0} s", family["sinceMs"].as_f64().unwrap_or(0.0) / 1000.0),
        format!(
            "{} of {} needed",
            text(&family["fresh"]),
            text(&family["minFresh"])
        ),
        text(&family["abstaining"]),
        rtt.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.1} ms")),
    ]
}

fn through(family: &Value) -> String {
    let share = family["gate"].as_f64().unwrap_or(1.0) * 100.0;
    let note = match (family["held"].as_bool(), family["heldBack"].as_bool()) {
        (Some(true), _) => ", held: nobody is better",
        (_, Some(true)) => ", held back for flapping",
        _ => "",
    };
    format!("{share:.0} %{note}")
}

fn rows(items: &Value, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    list(items).map(row).collect()
}

fn section(title: &str, headings: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    output::line(format!("\n{title}"));
    output::table(headings, &rows);
}
