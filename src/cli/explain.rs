//! `lifeboat explain`: why a name is answered as it is, or why a cluster has its verdicts.

use std::{net::IpAddr, process::ExitCode};

use clap::Args;
use serde_json::Value;

use super::{Format, ServerArgs, client::encode, output};

#[derive(Args)]
pub(super) struct Explain {
    /// A global name; or `name`, `cluster` and then what to explain.
    #[arg(required = true, num_args = 1..=2, value_name = "NAME | KIND NAME")]
    subject: Vec<String>,
    /// The client's address, for a name.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    client: IpAddr,
    /// The record type, for a name.
    #[arg(long = "type", default_value = "A", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    server: ServerArgs,
}

impl Explain {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            subject,
            client,
            kind,
            server,
        } = self;
        let path = match subject.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["cluster", name] => format!("/api/explain/cluster/{}", encode(name)),
            ["name", name] | [name] => {
                let name = encode(name.trim_end_matches('.'));
                format!("/api/explain/name/{name}?client={client}&kind={}", encode(&kind))
            }
            [other, _] => anyhow::bail!("cannot explain a {other:?}; allowed: name, cluster"),
            _ => anyhow::bail!("name what to explain"),
        };
        let explanation = server.client()?.get(&path).await?;
        match server.output {
            Format::Json => output::json(&explanation),
            Format::Table => print(&explanation, 0),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints any JSON as an indented outline; short lists of scalars stay on one line.
pub(super) fn print(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match scalar(field) {
                    Some(text) => output::line(format!("{indent}{name}: {text}")),
                    None => {
                        output::line(format!("{indent}{name}:"));
                        print(field, depth + 1);
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match (scalar(item), item.as_object().and_then(one_line)) {
                    (Some(text), _) | (None, Some(text)) => output::line(format!("{indent}- {text}")),
                    (None, None) => {
                        output::line(format!("{indent}-"));
                        print(item, depth + 1);
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            output::line(format!("{indent}{}", scalar(value).unwrap_or_default()));
        }
    }
}

fn one_line(fields: &serde_json::Map<String, Value>) -> Option<String> {
    let cells: Option<Vec<String>> = fields
        .iter()
        .map(|(name, value)| Some(format!("{name} {}", scalar(value)?)))
        .collect();
    cells.map(|cells| cells.join(", "))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let cells: Option<Vec<String>> = items
                .iter()
                .map(|item| if item.is_array() { None } else { scalar(item) })
                .collect();
            cells.map(|cells| cells.join(", "))
        }
        Value::Object(fields) => fields.is_empty().then(|| "none".to_owned()),
    }
}
