//! `lifeboat explain`: why a name is answered as it is, a cluster has its verdicts, a binding's replicas are where
//! they are.

mod binding;

use std::{net::IpAddr, process::ExitCode};

use clap::Args;
use serde_json::Value;

use super::{Format, ServerArgs, Usage, client::encode, output, values::address};
use crate::serve::state::{GrayPath, HeldBack, PartialPath, PathLosses};

#[derive(Args)]
pub(super) struct Explain {
    /// A global name (a dotted word), a binding (NAMESPACE/NAME) or a cluster; or `name`, `cluster`, `binding` and
    /// then which. After `binding`, NAME alone does where only one namespace has it.
    #[arg(required = true, num_args = 1..=2, value_name = "NAME | KIND NAME")]
    subject: Vec<String>,
    /// The client's address, for a name.
    #[arg(long, value_parser = address, default_value = "127.0.0.1", value_name = "ADDRESS")]
    client: IpAddr,
    /// The record type, for a name.
    #[arg(long = "type", default_value = "A", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    server: ServerArgs,
}

impl Explain {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            subject,
            client,
            kind,
            server,
        } = self;
        let words: Vec<&str> = subject.iter().map(String::as_str).collect();
        let (path, print): (String, fn(&Value)) = match words.as_slice() {
            ["cluster", name] => (format!("/api/explain/cluster/{}", encode(name)), cluster),
            ["binding", name] => (format!("/api/explain/binding/{}", encode(name)), binding::print),
            [binding] if binding.contains('/') => (
                format!("/api/explain/binding/{}", encode(binding)),
                binding::print,
            ),
            // Only a dotted word is a name; the design's other subjects say their kind.
            [name] if !name.contains('.') => (format!("/api/explain/cluster/{}", encode(name)), cluster),
            ["name", name] | [name] => {
                let name = encode(name.trim_end_matches('.'));
                (
                    format!("/api/explain/name/{name}?client={client}&kind={}", encode(&kind)),
                    self::name,
                )
            }
            [other, _] => {
                return Err(Usage(format!(
                    "cannot explain a {other:?}; allowed: name, cluster, binding"
                ))
                .into());
            }
            _ => return Err(Usage("name what to explain".to_owned()).into()),
        };
        let explanation = server.client()?.get(&path).await?;
        match server.output {
            Format::Json => output::json(&explanation),
            Format::Table => print(&explanation),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Each server's answer, and what every filter left of the candidates.
fn name(explanation: &Value) {
    output::line(format!(
        "{} {} for {}",
        text(&explanation["name"]),
        text(&explanation["type"]),
        text(&explanation["client"])
    ));
    for policy in list(&explanation["policies"]) {
        let condition = &policy["condition"];
        let told = match condition["reason"].as_str() {
            None => "not judged by the controller yet".to_owned(),
            Some(reason) => format!("{reason}: {}", text(&condition["message"])),
        };
        output::line(format!("TrafficPolicy {}: {told}", text(&policy["policy"])));
    }
    for server in list(&explanation["servers"]) {
        let told = &server["explanation"];
        let panic = if told["panic"] == Value::Bool(true) {
            " (PANIC)"
        } else {
            ""
        };
        output::line(format!(
            "\n{} at {}: {}{panic}",
            text(&server["server"]),
            text(&server["address"]),
            text(&told["answer"])
        ));
        for step in list(&told["steps"]) {
            output::line(format!("  {}: {}", text(&step["filter"]), text(&step["detail"])));
            for candidate in list(&step["candidates"]) {
                let addresses: Vec<String> = list(&candidate["addresses"]).map(text).collect();
                output::line(format!(
                    "    {:<16} {:<24} weight {:<6} gate {:<6} share {:>5.1} %  {}",
                    text(&candidate["cluster"]),
                    addresses.join(","),
                    text(&candidate["weight"]),
                    text(&candidate["gate"]),
                    candidate["share"].as_f64().unwrap_or(0.0) * 100.0,
                    text(&candidate["note"]),
                ));
            }
        }
    }
}

/// Both verdicts, and the decisions that led to them with who saw what.
fn cluster(explanation: &Value) {
    let cluster = &explanation["cluster"];
    output::line(format!(
        "{} ({}, {})",
        text(&cluster["name"]),
        text(&cluster["provider"]),
        text(&cluster["region"])
    ));
    if let Some(own) = cluster["detection"].as_object() {
        let own: Vec<String> = own
            .iter()
            .map(|(field, value)| format!("{field} {}", text(value)))
            .collect();
        output::line(format!("profile  the fleet's, but for {}", own.join(", ")));
    }
    for path in ["traffic", "control"] {
        let state = &cluster[path];
        let votes = &state["votes"];
        let held_back = serde_json::from_value::<Option<HeldBack>>(state["heldBack"].clone());
        let held_back = held_back
            .ok()
            .flatten()
            .map_or_else(String::new, |h| format!("; {h}"));
        output::line(format!(
            "{path:<8} {} for {:.1} s; votes: {} clear, {} suspect, {} dead, {} abstain{held_back}",
            text(&state["verdict"]),
            state["sinceMs"].as_f64().unwrap_or(0.0) / 1000.0,
            text(&votes["clear"]),
            text(&votes["suspect"]),
            text(&votes["dead"]),
            text(&votes["abstain"]),
        ));
        if let Ok(Some(gray)) = serde_json::from_value::<Option<GrayPath>>(state["gray"].clone()) {
            output::line(format!("         {gray}: {}", gray.reason));
        }
        if let Ok(Some(partial)) = serde_json::from_value::<Option<PartialPath>>(state["partial"].clone()) {
            let (seconds, reached) = (partial.since_ms as f64 / 1000.0, partial.reached.join(", "));
            output::line(format!(
                "         {partial}, reached from {reached}, for {seconds:.1} s"
            ));
        }
        if let Ok(Some(losses)) = serde_json::from_value::<Option<PathLosses>>(state["losses"].clone()) {
            output::line(format!("         {losses}"));
        }
        let regions: Vec<String> = list(&state["regions"]).map(region).collect();
        if !regions.is_empty() {
            output::line(format!("         by observer region: {}", regions.join("; ")));
        }
    }
    for line in holds(explanation) {
        output::line(line);
    }
    for entry in list(&explanation["history"]) {
        let at = entry["atMs"].as_f64().unwrap_or(0.0) / 1000.0;
        output::line(format!(
            "\n{at:9.3} s  {}: {}",
            text(&entry["type"]),
            text(&entry["detail"])
        ));
        for seen in list(&entry["evidence"]) {
            let hard: Vec<String> = list(&seen["hard"]).map(text).collect();
            let hard = if hard.is_empty() {
                String::new()
            } else {
                format!(", hard evidence: {}", hard.join(", "))
            };
            output::line(format!(
                "             {} voted {}: {} misses, {} successes in a row, row {} ms old{hard}",
                text(&seen["observer"]),
                text(&seen["vote"]),
                text(&seen["missStreak"]),
                text(&seen["successStreak"]),
                text(&seen["ageMs"]),
            ));
        }
    }
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

fn hold(hold: &Value) -> String {
    let remaining = hold["remainingMs"]
        .as_f64()
        .map(|ms| format!(", {:.0} s more", ms / 1000.0));
    format!(
        "held, {} of {}: {}{}",
        text(&hold["reason"]),
        text(&hold["subject"]),
        text(&hold["message"]),
        remaining.unwrap_or_default(),
    )
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Target clusters with their replicas; an object without replicas has only places.
pub(super) fn targets(targets: &Value) -> String {
    let each = list(targets).map(|target| match target["replicas"].as_i64() {
        None | Some(0) => text(&target["name"]),
        Some(replicas) => format!("{} {replicas}", text(&target["name"])),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A scalar as a person writes it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
