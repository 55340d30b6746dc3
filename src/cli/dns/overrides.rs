//! `lifeboat dns override`: what an operator orders of a cluster or a name, whatever health says.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use http::Method;
use lifeboat_dns::Action;
use serde_json::{Value, json};

use super::socket::ask;
use crate::{
    cli::{
        Format,
        client::encode,
        explain::{list, text},
        output,
        values::duration,
    },
    nameserver::{DnsFile, SOCKET},
};

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Orders outlive restarts, end by themselves and are written to audit.log in the state folder. The server refuses what would leave \
    too few clusters active (`overrides.minActive`), and lifts orders, newest first, while others are down under them."
)]
pub(super) struct Override {
    #[command(subcommand)]
    command: Option<Command>,
    /// A cluster; a steered name, `shop.example.org`; or one cluster in the answers of one name, `shop.example.org/eu`.
    #[arg(required = true, value_name = "CLUSTER|NAME|NAME/CLUSTER")]
    of: Option<String>,
    /// `up` (answered in full even if it looks dead), `down` (not answered where another can serve) or `weight=N`, N percent
    /// of its weight. Of a name: `up` answers all its clusters, `down` answers what its `onAllDown` says.
    #[arg(required = true, value_parser = action)]
    action: Option<Action>,
    /// How long, e.g. `1h`; at most 30 days.
    #[arg(long = "for", required = true, value_parser = duration, allow_hyphen_values = true, value_name = "DURATION")]
    lasting: Option<Duration>,
    /// Why, for whoever looks next.
    #[arg(long, required = true, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    server: Which,
}

#[derive(Subcommand)]
enum Command {
    /// The overrides that stand.
    List,
    /// End an override before its time; all of them with `--all`.
    Clear {
        #[arg(required_unless_present = "all", value_name = "CLUSTER|NAME|NAME/CLUSTER")]
        of: Option<String>,
        #[arg(long, conflicts_with = "of")]
        all: bool,
    },
}

/// Whose control socket.
#[derive(Args)]
struct Which {
    /// The configuration of the server: the socket in its `state` folder is used.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's state folder.
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        default_value = "/var/lib/lifeboat"
    )]
    state: PathBuf,
    /// How to print.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Override {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            command,
            of,
            action,
            lasting,
            reason,
            server:
                Which {
                    config,
                    state,
                    output,
                },
        } = self;
        let state = match config {
            Some(path) => DnsFile::read(&path)?.state,
            None => state,
        };
        let socket = state.join(SOCKET);
        let (answer, print): (Value, fn(&Value)) = match command {
            Some(Command::List) => (ask(&socket, Method::GET, "/overrides", None).await?, print_list),
            Some(Command::Clear { of, all: _ }) => {
                let path = match of {
                    Some(of) => format!("/overrides/{}", encode(&of)),
                    None => "/overrides".to_owned(),
                };
                (ask(&socket, Method::DELETE, &path, None).await?, print_cleared)
            }
            None => {
                let for_ms = lasting.map(|lasting| u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX));
                let order = json!({ "of": of, "action": action, "forMs": for_ms, "reason": reason });
                (
                    ask(&socket, Method::POST, "/overrides", Some(&order)).await?,
                    print_one,
                )
            }
        };
        match output {
            Format::Json => output::json(&answer),
            Format::Table => print(&answer),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn action(text: &str) -> Result<Action, String> {
    let allowed = || format!("`{text}` is not an order; allowed: up, down, weight=1 to weight=100");
    match (text, text.strip_prefix("weight=")) {
        ("up", _) => Ok(Action::Up),
        ("down", _) => Ok(Action::Down),
        (_, Some(percent)) => match percent.parse() {
            Ok(percent @ 1..=100) => Ok(Action::Weight(percent)),
            Ok(_) | Err(_) => Err(allowed()),
        },
        (_, None) => Err(allowed()),
    }
}

fn print_list(answer: &Value) {
    let rows: Vec<Vec<String>> = list(answer)
        .map(|item| {
            let mut row = row(&item["override"]);
            let lifted = item["lifted"].as_bool() == Some(true);
            row.push(if lifted {
                "lifted: too few would be active".to_owned()
            } else {
                "in force".to_owned()
            });
            row
        })
        .collect();
    if rows.is_empty() {
        output::line("no override stands");
    } else {
        output::table(&["OF", "ORDER", "UNTIL", "REASON", ""], &rows);
    }
}

fn print_one(order: &Value) {
    output::line(row(order).join("   "));
}

fn print_cleared(orders: &Value) {
    for order in list(orders) {
        output::line(format!("cleared: {}", row(order).join("   ")));
    }
}

fn row(order: &Value) -> Vec<String> {
    let told: Result<lifeboat_dns::Override, _> = serde_json::from_value(order.clone());
    match told {
        Ok(order) => vec![
            order.of,
            order.action.to_string(),
            jiff::Timestamp::try_from(order.until)
                .map_or_else(|_| "-".to_owned(), crate::store::conditions::stamp),
            order.reason,
        ],
        Err(_) => vec![text(order)],
    }
}
