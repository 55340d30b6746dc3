//! `lifeboat agent`: inside a member cluster, tell observers that it lives.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{output, until_told};
use crate::observe::agent::{self, AgentFile};

#[derive(Args)]
#[command(
    after_help = "The file's format is described in docs/probes.md under heartbeat. The key and the observers' addresses are looked \
    up again when they change. SIGTERM tells the observers that the agent stops, and ends it."
)]
pub(super) struct Agent {
    /// The configuration, YAML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only say what is wrong with the configuration.
    #[arg(long)]
    check: bool,
}

impl Agent {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, check } = self;
        if check {
            let file = AgentFile::read(&config)?;
            output::line(format!(
                "{}: {} observers are told",
                config.display(),
                file.observers.len()
            ));
        } else {
            agent::run(&config, until_told()?).await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
