//! `lifeboat dns`: an authoritative DNS server with steering, by itself or fed from a control plane.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Format, ServerArgs, Usage, output, until_told};
use crate::counted::counted;
use crate::nameserver::{DnsFile, check, process};

mod overrides;
mod socket;
mod status;
mod targets;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "The file's format is described in docs/dns.md; `lifeboat schema dns` prints its JSON Schema. The configuration and \
    the zones are read again when their files change, and on SIGHUP. SIGTERM ends the server within two seconds."
)]
pub(super) struct Dns {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration, YAML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only say what is wrong with the configuration and its zones; exit code 1 where something is.
    #[arg(long)]
    check: bool,
    /// The folder of last-known-good, instead of the configuration's.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// What a running server serves, what its observers say, and what of its configuration is not in force.
    Status(Status),
    /// Order a cluster up, down or to a part of its weight for a time; list and clear such orders.
    Override(Box<overrides::Override>),
    /// Print what is probed, as `targets` of observers' files: what they see counts only of these.
    Targets(targets::Targets),
}

#[derive(Args)]
struct Status {
    /// The configuration of the server: its `admin` address is asked, whatever `--server` says.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Dns {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            command,
            config,
            check,
            state,
        } = self;
        match command {
            None => {}
            Some(Command::Status(status)) => return status.run().await,
            Some(Command::Override(command)) => return command.run().await,
            Some(Command::Targets(targets)) => return targets.run(),
        }
        let Some(config) = config else {
            return Err(Usage(
                "lifeboat dns: needs --config FILE, or a subcommand: status, override, targets".to_owned(),
            )
            .into());
        };
        if check {
            return checked(&config).await;
        }
        process::run(&config, state, until_told()?).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn checked(path: &Path) -> anyhow::Result<ExitCode> {
    let file = DnsFile::read(path)?;
    let found = check::check(&file, path).await;
    for error in &found.errors {
        output::line(format!("error: {error}"));
    }
    for warning in &found.warnings {
        output::line(format!("warning: {warning}"));
    }
    let served = match file.kubernetes {
        Some(_) => "zones, names and clusters come from the control plane".to_owned(),
        None => format!(
            "{}, {}, {}",
            counted(found.zones, "zone"),
            counted(found.names, "name"),
            counted(found.clusters, "cluster")
        ),
    };
    output::line(format!(
        "{}: {served}; {}, {}",
        path.display(),
        counted(found.errors.len(), "error"),
        counted(found.warnings.len(), "warning")
    ));
    Ok(if found.errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Status {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, mut server } = self;
        if let Some(path) = config {
            let file = DnsFile::read(&path)?;
            let admin = file.admin.with_context(|| {
                format!(
                    "{}: admin: is not given, so nothing tells a status",
                    path.display()
                )
            })?;
            server.server = format!("http://{admin}").parse()?;
            if let (None, Some(token)) = (&server.token, &file.admin_token_file) {
                server.token = Some(crate::observe::process::token(token)?);
            }
        }
        let told = server.client()?.get("/api/status").await?;
        match server.output {
            Format::Json => output::json(&told),
            Format::Table => status::print(&told)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
