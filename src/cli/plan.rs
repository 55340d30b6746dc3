//! `lifeboat plan --if-lost`: the standing plan, before it is needed.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    Format, ServerArgs,
    client::encode,
    explain::{list, targets, text},
    output,
};

#[derive(Args)]
#[command(after_help = concat!(
    "The estimated recovery is no measurement but a sum: 1 s to detect the loss, the longest hold of the lost ",
    "clusters, the time the eviction budget takes beyond its burst, and the time a pod takes to start."
))]
pub(super) struct Plan {
    /// The clusters to lose at once, separated by spaces or commas; the flag may be repeated.
    #[arg(long, required = true, num_args = 1.., value_delimiter = ',', value_name = "CLUSTER")]
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
        "if {} died now: {} replicas of {} workloads move, short by {} replicas ({} m cpu), estimated recovery {:.0} s (a sum of settings)",
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
    let rows: Vec<Vec<String>> = list(&plan["byBinding"])
        .map(|step| {
            vec![
                text(&step["binding"]),
                targets(&step["from"]),
                targets(&step["to"]),
                text(&step["message"]),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::line("");
        output::table(&["BINDING", "LEAVES", "GOES TO", "MESSAGE"], &rows);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    #[test]
    fn clusters_are_named_in_any_way() {
        let check = |line: &str, expected: &[&str]| {
            let line = Line::try_parse_from(["plan"].into_iter().chain(line.split(' '))).unwrap();
            assert_eq!(line.plan.if_lost, expected);
        };
        check("--if-lost a", &["a"]);
        check("--if-lost a b -o json", &["a", "b"]);
        check("--if-lost a,b", &["a", "b"]);
        check("--if-lost a --if-lost b,c d", &["a", "b", "c", "d"]);
    }
}
