//! `lifeboat explain`: why a name is answered as it is, a cluster has its verdicts, a binding's replicas are where
//! they are.

mod binding;
mod cluster;
mod history;

use std::{net::IpAddr, process::ExitCode};

use clap::Args;
use ipnet::IpNet;
use serde_json::Value;

use super::{
    Format, ServerArgs, Usage,
    client::encode,
    output,
    values::{address, prefix},
};
use history::Extent;

#[derive(Args)]
pub(super) struct Explain {
    /// A global name (a dotted word), a binding (NAMESPACE/NAME) or a cluster; or `name`, `cluster`, `binding` and
    /// then which. After `binding`, NAME alone does where only one namespace has it.
    #[arg(required = true, num_args = 1..=2, value_name = "NAME | KIND NAME")]
    subject: Vec<String>,
    /// The client's address, for a name.
    #[arg(long, value_parser = address, default_value = "127.0.0.1", value_name = "ADDRESS")]
    client: IpAddr,
    /// The client's network as a resolver tells it (EDNS Client Subnet), for a name.
    #[arg(long, value_parser = prefix, value_name = "PREFIX")]
    ecs: Option<IpNet>,
    /// The record type, for a name.
    #[arg(long = "type", default_value = "A", value_name = "TYPE")]
    kind: String,
    /// The whole history of a cluster or a binding, not only the last twenty entries.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Explain {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            subject,
            client,
            ecs,
            kind,
            all,
            server,
        } = self;
        let extent = if all { Extent::All } else { Extent::Latest };
        let words: Vec<&str> = subject.iter().map(String::as_str).collect();
        let (path, print): (String, fn(&Value, Extent)) = match words.as_slice() {
            ["cluster", name] => (format!("/api/explain/cluster/{}", encode(name)), cluster::print),
            ["binding", name] => (format!("/api/explain/binding/{}", encode(name)), binding::print),
            [binding] if binding.contains('/') => (
                format!("/api/explain/binding/{}", encode(binding)),
                binding::print,
            ),
            // Only a dotted word is a name; the design's other subjects say their kind.
            [name] if !name.contains('.') => {
                (format!("/api/explain/cluster/{}", encode(name)), cluster::print)
            }
            ["name", name] | [name] => {
                let name = encode(name.trim_end_matches('.'));
                let ecs = ecs.map(|ecs| format!("&ecs={ecs}")).unwrap_or_default();
                (
                    format!(
                        "/api/explain/name/{name}?client={client}&kind={}{ecs}",
                        encode(&kind)
                    ),
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
            Format::Table => print(&explanation, extent),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Each server's answer, and what every filter left of the candidates.
fn name(explanation: &Value, _: Extent) {
    output::line(format!(
        "{} {} for {}",
        text(&explanation["name"]),
        text(&explanation["type"]),
        text(&explanation["client"])
    ));
    if let Some(ecs) = explanation["ecs"].as_str() {
        output::line(format!("client subnet {ecs}"));
    }
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
