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
    output::line(headline(plan));
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

fn headline(plan: &Value) -> String {
    let lost: Vec<String> = list(&plan["clusters"]).map(text).collect();
    let moved = format!(
        "{} replicas of {} workloads",
        text(&plan["replicasMoved"]),
        text(&plan["bindingsMoved"])
    );
    let short = format!(
        "short by {} replicas ({} m cpu)",
        text(&plan["shortReplicas"]),
        text(&plan["shortCpuMillis"])
    );
    let lost = lost.join(", ");
    if plan["freeze"] == Value::Bool(true) {
        return format!(
            "if {lost} died now: nothing moves: FREEZE, so many clusters down at once stop every eviction; DNS steers \
             on. Would move {moved}, {short}"
        );
    }
    format!(
        "if {lost} died now: {moved} move, {short}, estimated recovery {:.0} s (a sum of settings)",
        plan["estimatedSeconds"].as_f64().unwrap_or(0.0),
    )
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
    fn under_freeze_nothing_moves() {
        let mut plan = serde_json::json!({
            "clusters": ["a", "b"], "replicasMoved": 69, "bindingsMoved": 2, "shortReplicas": 0, "shortCpuMillis": 0,
            "estimatedSeconds": 9.0, "freeze": false,
        });
        assert!(headline(&plan).contains("69 replicas of 2 workloads move, short by 0"));
        plan["freeze"] = serde_json::json!(true);
        let told = headline(&plan);
        assert!(
            told.contains("nothing moves: FREEZE") && told.contains("Would move 69 replicas"),
            "{told}"
        );
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
