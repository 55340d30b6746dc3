//! `lifeboat plan --if-lost`: the standing plan, before it is needed.

use std::process::ExitCode;

use clap::Args;

use super::{Format, ServerArgs, client::encode, explain, output};

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
            Format::Table => explain::print(&plan, 0),
        }
        Ok(ExitCode::SUCCESS)
    }
}
