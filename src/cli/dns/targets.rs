//! `lifeboat dns targets`: what observers elsewhere have to probe.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use crate::{
    cli::output,
    nameserver::{DnsFile, check},
};

#[derive(Args)]
pub(super) struct Targets {
    /// The configuration of the server.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Targets {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let file = DnsFile::read(&self.config)?;
        anyhow::ensure!(
            file.kubernetes.is_none(),
            "{}: kubernetes: what is probed comes from Cluster objects; observers follow them by `kubeconfig` in their own files",
            self.config.display()
        );
        let (targets, problems) = check::targets(&file, &self.config);
        for problem in &problems {
            output::error(problem);
        }
        let text = serde_saphyr::to_string(&json!({ "targets": targets }))?;
        output::line(text.trim_end());
        Ok(if problems.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
