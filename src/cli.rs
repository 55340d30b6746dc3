//! The command line: one file a subcommand, arguments parsed into checked types at the edge.

mod agent;
mod certificates;
mod client;
mod crds;
mod demo;
mod dns;
mod evidence;
mod explain;
mod fault;
mod get;
mod observer;
mod output;
mod plan;
mod schema;
mod simulate;
mod values;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{
    Args, CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::client::{Client, ClientError};

/// Keeps applications on many Kubernetes clusters reachable and running when clusters die.
#[derive(Parser)]
#[command(name = "lifeboat", version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log on standard error, e.g. `info` or `lifeboat=debug,lifeboat_dns=trace`.
    #[arg(
        long,
        global = true,
        env = "LIFEBOAT_LOG",
        // Watches that fail are told of by whoever tries them again.
        default_value = "warn,kube_client=off,kube_runtime=error",
        value_name = "FILTER"
    )]
    log: String,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, or a drill broke its hypothesis or a \
     simulation an invariant; 2 wrong usage; \
     3 the server cannot be reached; 4 the named object does not exist or the server refused.";

#[derive(Subcommand)]
enum Command {
    /// Run the whole of Lifeboat over five simulated clusters in this one process.
    Demo(Box<demo::Demo>),
    /// Inject, list and clear faults in a running demo.
    Fault(fault::Fault),
    /// List clusters, names, bindings, DNS servers, observers or events.
    Get(get::Get),
    /// Tell why: a name's answers, a cluster's verdicts, or where a binding's replicas run.
    Explain(explain::Explain),
    /// Show what would move if clusters were lost now.
    Plan(plan::Plan),
    /// Run the real detection code in virtual time, under faults drawn from seeds.
    Simulate(simulate::Simulate),
    /// Answer DNS queries and steer them, as a configuration file says; needs no Kubernetes.
    Dns(Box<dns::Dns>),
    /// Print the JSON Schema of a configuration file.
    Schema(schema::Schema),
    /// Print the custom resource definitions, or write them to a folder.
    Crds(crds::Crds),
    /// Issue certificates for observers and for those who hear them.
    Certificates(certificates::Certificates),
    /// Probe from one place, and tell DNS servers and controllers what is seen.
    Observer(observer::Observer),
    /// Inside a member cluster, tell observers that it lives.
    Agent(agent::Agent),
    /// Record what observers report, and decide it again: would we have failed over?
    Evidence(evidence::Evidence),
}

/// Where the server is and how to print what it says; shared by all operator's verbs.
#[derive(Args, Clone)]
struct ServerArgs {
    /// The server to ask.
    #[arg(
        long,
        global = true,
        env = "LIFEBOAT_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: http::Uri,
    /// Token for a server beyond loopback.
    #[arg(
        long,
        global = true,
        env = "LIFEBOAT_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// How to print.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl ServerArgs {
    fn client(&self) -> Result<Client, ClientError> {
        let Self {
            server,
            token,
            output: _,
        } = self;
        Client::new(server.clone(), token.clone())
    }
}

/// Parses the arguments, runs the subcommand and turns its end into an exit code.
pub fn main() -> ExitCode {
    let Cli { command, log } =
        Cli::try_parse().unwrap_or_else(|error| with_allowed(error, std::env::args()).exit());
    if let Err(error) = start_log(&log) {
        output::error(&format!("--log {log}: {error}"));
        return ExitCode::from(2);
    }
    let result = match command {
        Command::Demo(demo) => demo.run(),
        Command::Fault(fault) => on_runtime(fault.run()),
        Command::Get(get) => on_runtime(get.run()),
        Command::Explain(explain) => on_runtime(explain.run()),
        Command::Plan(plan) => on_runtime(plan.run()),
        Command::Simulate(simulate) => simulate.run(),
        Command::Dns(dns) => on_runtime(dns.run()),
        Command::Schema(schema) => schema.run(),
        Command::Crds(crds) => crds.run(),
        Command::Certificates(certificates) => certificates.run(),
        Command::Observer(observer) => on_runtime(observer.run()),
        Command::Agent(agent) => on_runtime(agent.run()),
        Command::Evidence(evidence) => on_runtime(evidence.run()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::error(&whole(&error));
            let client = error.downcast_ref::<ClientError>().map(ClientError::exit_code);
            ExitCode::from(client.unwrap_or_else(|| if error.is::<Usage>() { 2 } else { 1 }))
        }
    }
}

/// Cancelled by SIGINT or SIGTERM.
fn until_told() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

/// An unknown subcommand's error, with those that are allowed in its place.
fn with_allowed(mut error: clap::Error, words: impl Iterator<Item = String>) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let cli = Cli::command();
    let place = words
        .skip(1)
        .fold(&cli, |place, word| place.find_subcommand(word).unwrap_or(place));
    let allowed: Vec<&str> = place.get_subcommands().map(clap::Command::get_name).collect();
    let allowed = format!("allowed: {}", allowed.join(", ")).into();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![allowed]));
    error
}

/// Arguments that do not fit together, or name what does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// The error with its causes; a cause that the text before it tells already is not told again.
fn whole(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |told, cause| match told.as_str() {
            "" => cause,
            before if before.contains(&cause) => told,
            _ => format!("{told}: {cause}"),
        })
}

fn on_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(work);
    // A lookup that hangs is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended
}

fn start_log(filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .try_init()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_word_is_told_with_what_is_allowed() {
        for (line, told) in [
            (
                "lifeboat fault nuke x",
                "allowed: power-off, black-hole, api-down",
            ),
            (
                "lifeboat demo --hold -3s",
                "`-3s` is not a duration; allowed: numbers with",
            ),
            ("lifeboat fault slow x --for -3s", "'--for <DURATION>'"),
        ] {
            let words = || line.split(' ').map(str::to_owned);
            let error = Cli::try_parse_from(words()).map(|_| ()).expect_err(line);
            let text = with_allowed(error, words()).to_string();
            assert!(text.contains(told), "{line}: {text}");
        }
    }
}
