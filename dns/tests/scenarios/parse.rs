//! The lines of a scenario file as steps.

use std::net::IpAddr;

use super::message::{Query, Reply};

pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// A zone and its master file.
    Zone {
        name: String,
        text: String,
    },
    /// A zone whose file could not be loaded.
    Broken {
        name: String,
    },
    Cluster {
        name: String,
        addresses: Vec<IpAddr>,
    },
    State {
        cluster: String,
        state: State,
    },
    Name(Named),
    Remove(String),
    /// Milliseconds that pass.
    Time(u64),
    Ask(Query, Expected),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    Suspect,
    Down,
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) ttl_s: u32,
    /// As a plan has it.
    pub(crate) steer: serde_json::Value,
    pub(crate) https: Option<serde_json::Value>,
    pub(crate) svcb: Option<serde_json::Value>,
    /// With weights.
    pub(crate) clusters: Vec<(String, u32)>,
}

pub(crate) enum Expected {
    Dropped,
    Reply {
        reply: Reply,
        /// Instead of the records of `reply`: each answer is one of these, and all of them come.
        one_of: Vec<String>,
    },
}

fn wrong(line: usize, told: impl std::fmt::Display) -> String {
    format!("line {line}: {told}")
}

pub(crate) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    // The query that waits for what is expected of it.
    let mut open: Option<(usize, Query)> = None;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut id = 0;
    while let Some((line, whole)) = lines.next() {
        let trimmed = whole.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (word, rest) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        let rest = rest.trim();
        let told = |told: String| wrong(line, told);
        let expects = matches!(
            word,
            "REPLY" | "DROPPED" | "ANSWER" | "ONEOF" | "AUTHORITY" | "ADDITIONAL" | "OPT"
        );
        if let Some((from, _)) = open.as_ref().filter(|_| !matches!(word, "REPLY" | "DROPPED")) {
            return Err(wrong(*from, "a query needs REPLY or DROPPED"));
        }
        if expects {
            expect(&mut steps, &mut open, word, rest).map_err(told)?;
            continue;
        }
        let what = match word {
            "ZONE" => {
                let mut zone = String::new();
                loop {
                    match lines.next() {
                        Some((_, "END")) => break,
                        Some((_, of)) => zone = format!("{zone}{of}\n"),
                        None => return Err(wrong(line, "ZONE has no END")),
                    }
                }
                What::Zone {
                    name: rest.to_owned(),
                    text: zone,
                }
            }
            "BROKEN" => What::Broken {
                name: rest.to_owned(),
            },
            "CLUSTER" => cluster(rest).map_err(told)?,
            "NAME" => What::Name(name(rest).map_err(told)?),
            "REMOVE" => What::Remove(rest.to_owned()),
            "TIME" => What::Time(time(rest).map_err(told)?),
            "QUERY" | "RAW" => {
                id += 1;
                let query = if word == "RAW" {
                    Query::raw(rest)
                } else {
                    Query::parse(rest, id)
                };
                open = Some((line, query.map_err(told)?));
                continue;
            }
            other => return Err(wrong(line, format!("`{other}` is not a step"))),
        };
        steps.push(Step { line, what });
    }
    match open {
        Some((from, _)) => Err(wrong(from, "a query needs REPLY or DROPPED")),
        None => Ok(steps),
    }
}

/// Takes a line that says what is expected.
fn expect(
    steps: &mut Vec<Step>,
    open: &mut Option<(usize, Query)>,
    word: &str,
    rest: &str,
) -> Result<(), String> {
    if let Some((line, query)) = open.take() {
        let expected = if word == "DROPPED" {
            Expected::Dropped
        } else {
            let reply = Reply {
                head: rest.to_owned(),
                ..Reply::default()
            };
            Expected::Reply {
                reply,
                one_of: Vec::new(),
            }
        };
        steps.push(Step {
            line,
            what: What::Ask(query, expected),
        });
        return Ok(());
    }
    let last = steps.last_mut().map(|step| &mut step.what);
    let Some(What::Ask(_, Expected::Reply { reply, one_of })) = last else {
        return Err(format!("`{word}` comes after REPLY"));
    };
    let record = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    match word {
        "ANSWER" => reply.answer.push(record),
        "ONEOF" => one_of.push(record),
        "AUTHORITY" => reply.authority.push(record),
        "ADDITIONAL" => reply.additional.push(record),
        "OPT" => reply.opt = record,
        _ => return Err(format!("`{word}` comes after QUERY")),
    }
    Ok(())
}

/// `NAME up`, or `NAME ADDRESS…`.
fn cluster(text: &str) -> Result<What, String> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or("a cluster has a name")?.to_owned();
    let rest: Vec<&str> = words.collect();
    let state = match &rest[..] {
        ["up"] => State::Up,
        ["suspect"] => State::Suspect,
        ["down"] => State::Down,
        ["unknown"] => State::Unknown,
        addresses => {
            let addresses = addresses.iter().map(|word| word.parse().map_err(|_| *word));
            let addresses: Result<Vec<IpAddr>, &str> = addresses.collect();
            let addresses = addresses.map_err(|word| format!("`{word}` is no address and no state"))?;
            return Ok(What::Cluster { name, addresses });
        }
    };
    Ok(What::State { cluster: name, state })
}

/// `NAME ttl=SECONDS steer=RULE https=RECORDS svcb=RECORDS CLUSTER[=WEIGHT]…`.
fn name(text: &str) -> Result<Named, String> {
    let mut words = text.split_whitespace();
    let mut named = Named {
        name: words.next().ok_or("a steered name has a name")?.to_owned(),
        ttl_s: 30,
        steer: serde_json::json!([{ "weighted": {} }]),
        https: None,
        svcb: None,
        clusters: Vec::new(),
    };
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("`{text}` is not a number"))
    };
    for word in words {
        match word.split_once('=') {
            Some(("ttl", value)) => named.ttl_s = number(value)?,
            Some(("steer", value)) => {
                named.steer =
                    serde_json::from_str(value).unwrap_or_else(|_| serde_json::json!([{ value: {} }]));
            }
            Some((kind @ ("https" | "svcb"), value)) => {
                let stated = serde_json::from_str(value).map_err(|error| format!("{kind}: {error}"))?;
                let into = match kind {
                    "https" => &mut named.https,
                    _ => &mut named.svcb,
                };
                *into = Some(stated);
            }
            Some((cluster, weight)) => named.clusters.push((cluster.to_owned(), number(weight)?)),
            None => named.clusters.push((word.to_owned(), 1)),
        }
    }
    Ok(named)
}

/// `+10s` or `+500ms`.
fn time(text: &str) -> Result<u64, String> {
    let digits = text.trim_start_matches('+');
    let (number, unit_ms) = match digits.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (digits.strip_suffix('s').unwrap_or(digits), 1_000),
    };
    number
        .parse::<u64>()
        .map(|number| number * unit_ms)
        .map_err(|_| format!("`{text}` is not a time such as +10s"))
}
