//! A binding's places with the reasons for them, and what would become of it.

use serde_json::Value;

use super::{
    history::{self, Extent},
    hold, list, targets, text,
};
use crate::cli::{
    get::{explain_mark, readiness},
    output,
};

pub(super) fn print(explanation: &Value, extent: Extent) {
    let binding = &explanation["binding"];
    output::line(headline(binding));
    output::line(placed(explanation));
    let workload = binding["workload"] == Value::Bool(true);
    output::line("");
    output::table(
        &["CLUSTER", "READY", "TRAFFIC", "CONTROL", ""],
        &places(explanation, workload),
    );
    explain_mark(workload && binding["stale"] == Value::Bool(true));
    let reasons = reasons(explanation);
    if !reasons.is_empty() {
        output::line("");
    }
    for reason in reasons {
        output::line(reason);
    }
    let losses: Vec<Vec<String>> = list(&explanation["ifLost"]).map(loss).collect();
    output::line("");
    if losses.is_empty() {
        let why = if list(&binding["clusters"]).next().is_none() {
            "it is in no cluster"
        } else {
            "the controller is down"
        };
        output::line(format!("no plan for a loss: {why}"));
    } else {
        output::table(&["IF LOST NOW", "LEAVES", "GOES TO", "WHAT HAPPENS"], &losses);
    }
    for line in history::lines(explanation, extent) {
        output::line(line);
    }
}

fn headline(binding: &Value) -> String {
    let namespace = match binding["namespace"].as_str() {
        None | Some("") => String::new(),
        Some(namespace) => format!("{namespace}/"),
    };
    let replicas = if binding["workload"] == Value::Bool(true) {
        format!("{} replicas ready", ready(binding))
    } else {
        "no replicas of its own".to_owned()
    };
    format!(
        "{namespace}{} ({} {namespace}{}), {replicas}",
        text(&binding["name"]),
        text(&binding["kind"]),
        text(&binding["template"]),
    )
}

/// Which policy placed it, how it divides, and what the scheduler complains about.
fn placed(explanation: &Value) -> String {
    let needed: Vec<&str> = list(&explanation["requiredBy"])
        .filter_map(Value::as_str)
        .collect();
    if explanation["placement"].is_null() && !needed.is_empty() {
        return format!("goes where {} goes, which needs it", needed.join(", "));
    }
    let policy = explanation["policy"].as_str().unwrap_or("no policy");
    let scheduling = &explanation["placement"]["replicaScheduling"];
    let how = ["replicaSchedulingType", "replicaDivisionPreference"]
        .iter()
        .filter_map(|field| scheduling[*field].as_str());
    let how = how.collect::<Vec<_>>().join(", ");
    let how = if how.is_empty() {
        "Duplicated".to_owned()
    } else {
        how
    };
    match explanation["binding"]["message"].as_str() {
        None | Some("") => format!("placed by {policy}: {how}"),
        Some(message) => format!("not placed by {policy}: {message}"),
    }
}

/// Of a binding or of one of its clusters.
fn ready(place: &Value) -> String {
    let number = |field: &str| place[field].as_i64().unwrap_or(0);
    readiness(
        number("ready"),
        number("replicas"),
        place["stale"] == Value::Bool(true),
    )
}

/// A row for every cluster it is in, leaves, or was at home in.
fn places(explanation: &Value, workload: bool) -> Vec<Vec<String>> {
    let binding = &explanation["binding"];
    let row = |cluster: &Value| {
        let name = &cluster["name"];
        let here = list(&binding["clusters"]).find(|here| here["name"] == *name);
        let task = list(&binding["evicting"]).find(|task| task["cluster"] == *name);
        let ready = match here {
            Some(here) if workload => ready(here),
            Some(_) => "placed".to_owned(),
            None => "-".to_owned(),
        };
        let note = match (task, here) {
            (Some(task), _) => format!("leaves since {}: {}", text(&task["since"]), text(&task["reason"])),
            (None, Some(here)) => match here["message"].as_str() {
                None | Some("") => String::new(),
                Some(message) => format!("not applied: {message}"),
            },
            (None, None) => "was at home here".to_owned(),
        };
        let verdict = |path: &str| text(&cluster[path]["verdict"]);
        vec![text(name), ready, verdict("traffic"), verdict("control"), note]
    };
    list(&explanation["clusters"]).map(row).collect()
}

fn reasons(explanation: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    if list(&explanation["home"]).next().is_some() {
        reasons.push(format!(
            "away from home ({}) since an eviction",
            targets(&explanation["home"])
        ));
    }
    let movement = &explanation["movement"];
    if movement.is_object() {
        reasons.push(format!(
            "on its way home, phase {}: {}",
            text(&movement["phase"]),
            targets(&movement["target"])
        ));
    }
    reasons.extend(list(&explanation["holds"]).map(hold));
    for none in list(&explanation["noTarget"]) {
        reasons.push(format!("no feasible target: {}", text(&none["message"])));
    }
    reasons
}

fn loss(loss: &Value) -> Vec<String> {
    let freeze = if loss["freeze"] == Value::Bool(true) {
        "FREEZE, stays: "
    } else {
        ""
    };
    vec![
        text(&loss["ifLost"]),
        targets(&loss["from"]),
        targets(&loss["to"]),
        format!("{freeze}{}", text(&loss["message"])),
    ]
}
