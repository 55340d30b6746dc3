//! `lifeboat schema`: what a configuration file may hold, for editors and validators.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output;
use crate::{nameserver::DnsFile, observe::ObserverFile, observe::agent::AgentFile};

#[derive(Args)]
pub(super) struct Schema {
    /// The subcommand whose configuration it is.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    Dns,
    Observer,
    Agent,
}

impl Schema {
    #[expect(clippy::unnecessary_wraps, reason = "as every subcommand")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let schema = match self.of {
            Of::Dns => schemars::schema_for!(DnsFile),
            Of::Observer => schemars::schema_for!(ObserverFile),
            Of::Agent => schemars::schema_for!(AgentFile),
        };
        output::json(&json!(schema));
        Ok(ExitCode::SUCCESS)
    }
}
