//! `lifeboat plan --if-lost`: the standing plan, before it is needed.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    Format, ServerArgs,
    client::encode,
    explain::{list, text},
    output,
};

#[derive(Args)]
pub(super) struct Plan {
    /// The cluster to lose; repeat or separate by commas for several at once.
    #[arg(long, required = true, value_delimiter = ',', value_name = "CLUSTER")]
    if_lost: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Plan {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { if_lost, server } = self;
        let plan = server
            .client()?
            .get(&format!("/api/plan?ifLost={}", encode(&if_lost.join(","))))
            .await?;
        match server.output {
            Format::Json => output::json(&plan),
            Format::Table => print(&plan),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(plan: &Value) {
    let lost: Vec<String> = list(&plan["clusters"]).map(text).collect();
    output::line(format!(
        "if {} died now: {} replicas of {} workloads move, short by {} replicas ({} m cpu), estimated recovery {:.0} s",
        lost.join(", "),
        text(&plan["replicasMoved"]),
        text(&plan["bindingsMoved"]),
        text(&plan["shortReplicas"]),
        text(&plan["shortCpuMillis"]),
        plan["estimatedSeconds"].as_f64().unwrap_or(0.0),
    ));
    if plan["freeze"] == Value::Bool(true) {
        output::line("FREEZE: so many clusters down at once stop every eviction; DNS steers on");
    }
    let places = |places: &Value| {
        let each = list(places).map(|place| format!("{} {}", text(&place["name"]), text(&place["replicas"])));
        each.collect::<Vec<_>>().join(", ")
    };
    let rows: Vec<Vec<String>> = list(&plan["byBinding"])
        .map(|step| {
            vec![
                text(&step["binding"]),
                places(&step["from"]),
                places(&step["to"]),
                text(&step["message"]),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::line("");
        output::table(&["BINDING", "LEAVES", "GOES TO", "MESSAGE"], &rows);
    }
}
