//! `lifeboat fault`: inject, list and clear faults in a running demo.

use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use http::Method;
use lifeboat_chaos::fault::{
    FaultKind,
    spec::{DELAY_MAX, TTL_MAX},
};
use serde_json::{Value, json};

use super::{Format, ServerArgs, output, values::duration};

/// The largest delay of `slow`.
const DELAY_MAX_MS: u64 = DELAY_MAX.as_secs() * 1000;

#[derive(Args)]
pub(super) struct Fault {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All sockets of the clusters fall silent and their pods are lost.
    PowerOff(Inject),
    /// All sockets of the clusters fall silent both ways; their pods run on.
    BlackHole(Inject),
    /// The clusters' API servers fall silent; their ingress serves on.
    ApiDown(Inject),
    /// The clusters' ingress refuses connections; their API servers live.
    VipDown(Inject),
    /// The clusters answer late.
    Slow(Slow),
    /// Lifeboat's own controller stops.
    ControllerDown(Duration),
    /// The faults in force.
    List,
    /// End one fault, or all.
    Clear {
        /// The fault's number from `list`; all faults without it.
        #[arg(value_parser = number)]
        id: Option<u64>,
    },
}

#[derive(Args)]
struct Inject {
    /// Clusters to hit, all at one instant.
    #[arg(required = true, value_name = "CLUSTER")]
    clusters: Vec<String>,
    #[command(flatten)]
    duration: Duration,
}

#[derive(Args)]
struct Slow {
    #[command(flatten)]
    inject: Inject,
    /// How much later each answer comes.
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u64).range(1..=DELAY_MAX_MS), value_name = "MILLISECONDS")]
    delay_ms: u64,
}

#[derive(Args)]
struct Duration {
    /// How long the fault lasts, e.g. `30s`; every fault has an end.
    #[arg(long = "for", value_parser = lasts, allow_hyphen_values = true, value_name = "DURATION")]
    for_: Option<String>,
}

impl Fault {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { server, action } = self;
        let client = server.client()?;
        let inject = |kind: FaultKind, clusters: Vec<String>, duration: Duration, delay_ms: Option<u64>| json!({ "kind": kind, "clusters": clusters, "for": duration.for_, "delayMs": delay_ms });
        let body = match action {
            Action::PowerOff(Inject { clusters, duration }) => {
                inject(FaultKind::PowerOff, clusters, duration, None)
            }
            Action::BlackHole(Inject { clusters, duration }) => {
                inject(FaultKind::BlackHole, clusters, duration, None)
            }
            Action::ApiDown(Inject { clusters, duration }) => {
                inject(FaultKind::ApiDown, clusters, duration, None)
            }
            Action::VipDown(Inject { clusters, duration }) => {
                inject(FaultKind::VipDown, clusters, duration, None)
            }
            Action::Slow(Slow {
                inject: Inject { clusters, duration },
                delay_ms,
            }) => inject(FaultKind::Slow, clusters, duration, Some(delay_ms)),
            Action::ControllerDown(duration) => inject(FaultKind::ControllerDown, Vec::new(), duration, None),
            Action::List => {
                let faults = client.get("/api/demo/faults").await?;
                print(&faults, server.output);
                return Ok(ExitCode::SUCCESS);
            }
            Action::Clear { id } => {
                let path = id.map_or_else(
                    || "/api/demo/faults".to_owned(),
                    |id| format!("/api/demo/faults/{id}"),
                );
                let cleared = client.send(Method::DELETE, &path, None).await?;
                if server.output == Format::Table {
                    let ended = cleared
                        .get("cleared")
                        .and_then(Value::as_array)
                        .map_or(1, Vec::len);
                    output::line(format!("cleared: {ended}"));
                } else {
                    output::json(&cleared);
                }
                return Ok(ExitCode::SUCCESS);
            }
        };
        let injected = client.send(Method::POST, "/api/demo/faults", Some(&body)).await?;
        print(&injected, server.output);
        Ok(ExitCode::SUCCESS)
    }
}

/// A duration that the server will take, as it was written.
fn lasts(text: &str) -> Result<String, String> {
    match duration(text)? {
        duration if duration.is_zero() || duration > TTL_MAX => Err(format!(
            "allowed: above 0, at most {} min",
            TTL_MAX.as_secs() / 60
        )),
        _ => Ok(text.to_owned()),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "not the number of a fault; allowed: a number from `lifeboat fault list`".to_owned())
}

fn print(faults: &Value, format: Format) {
    if format == Format::Json {
        return output::json(faults);
    }
    let one = std::slice::from_ref(faults);
    let list = faults
        .get("faults")
        .or_else(|| faults.get("cleared"))
        .and_then(Value::as_array);
    let faults = list.map_or(one, Vec::as_slice);
    if faults.is_empty() {
        return output::line("no fault is in force");
    }
    let text = |fault: &Value, field: &str| match &fault[field] {
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        Value::Null => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => other.to_string(),
    };
    let seconds = |fault: &Value| {
        fault["remainingMs"]
            .as_u64()
            .map_or_else(String::new, |ms| format!("{}s", ms.div_ceil(1000)))
    };
    let rows: Vec<Vec<String>> = faults
        .iter()
        .map(|fault| {
            vec![
                text(fault, "id"),
                text(fault, "kind"),
                text(fault, "clusters"),
                seconds(fault),
            ]
        })
        .collect();
    output::table(&["ID", "KIND", "CLUSTERS", "ENDS IN"], &rows);
}
