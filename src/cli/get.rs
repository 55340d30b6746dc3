//! `lifeboat get`: lists of what there is, from the current state.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Format, ServerArgs, client::ClientError, output};
use crate::serve::state::{Binding, Cluster, DnsServer, Name, Observer, PathState};

/// What the mark behind a number of ready replicas means.
const STALE: &str =
    "?: as last known; the cluster cannot be read while its control path or the controller is down";

#[derive(Args)]
#[command(after_help = concat!(
    "READY is READY/ASSIGNED replicas. A question mark, as in 3?/3, marks what was last known: the cluster ",
    "cannot be read while its control path or the controller is down. A dash stands for an object without replicas."
))]
pub(super) struct Get {
    #[arg(value_enum)]
    what: What,
    /// Only the object with this name.
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Clusters,
    Names,
    Bindings,
    Dns,
    Observers,
    Events,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { what, name, server } = self;
        let (path, field) = match what {
            What::Clusters => ("/api/clusters", "name"),
            What::Names => ("/api/names", "name"),
            What::Bindings => ("/api/bindings", "name"),
            What::Dns => ("/api/dns", "server"),
            What::Observers => ("/api/observers", "name"),
            What::Events => ("/api/events", "type"),
        };
        let mut list = server.client()?.get(path).await?;
        if let (Some(name), Some(items)) = (&name, list.as_array_mut()) {
            let known: Vec<String> = items
                .iter()
                .filter_map(|i| i[field].as_str().map(str::to_owned))
                .collect();
            items.retain(|item| item[field].as_str() == Some(name));
            if items.is_empty() {
                let (name, known) = (name.clone(), known.join(", "));
                return Err(ClientError::NoSuch { name, known }.into());
            }
        }
        if server.output == Format::Json {
            output::json(&list);
            return Ok(ExitCode::SUCCESS);
        }
        match what {
            What::Clusters => clusters(&serde_json::from_value::<Vec<Cluster>>(list)?),
            What::Names => names(&serde_json::from_value::<Vec<Name>>(list)?),
            What::Bindings => bindings(&serde_json::from_value::<Vec<Binding>>(list)?),
            What::Dns => dns(&serde_json::from_value::<Vec<DnsServer>>(list)?),
            What::Observers => observers(list)?,
            What::Events => events(&list),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn clusters(clusters: &[Cluster]) {
    let votes = |path: &PathState| {
        let held_back = path.held_back.map_or_else(String::new, |h| format!(", {h}"));
        let clear = path.votes.clear;
        let gray = path.gray.as_ref().map_or_else(String::new, |g| format!(", {g}"));
        let partial = path
            .partial
            .as_ref()
            .map_or_else(String::new, |p| format!(", {p}"));
        format!(
            "{} ({clear}/{} clear){held_back}{gray}{partial}",
            path.verdict,
            total(path)
        )
    };
    let rows: Vec<Vec<String>> = clusters
        .iter()
        .map(|c| {
            vec![
                c.name.clone(),
                c.provider.clone(),
                c.region.clone(),
                votes(&c.traffic),
                votes(&c.control),
                readiness(c.replicas.ready, c.replicas.assigned, c.replicas.stale),
                c.vips.join(","),
                c.faults.join(","),
            ]
        })
        .collect();
    output::table(
        &[
            "NAME", "PROVIDER", "REGION", "TRAFFIC", "CONTROL", "READY", "VIP", "FAULTS",
        ],
        &rows,
    );
    explain_mark(
        clusters
            .iter()
            .any(|c| c.replicas.stale && c.replicas.assigned > 0),
    );
}

/// Ready of assigned replicas, with a mark where that was last known; nothing can be stale of no replicas.
pub(super) fn readiness(ready: i64, assigned: i64, stale: bool) -> String {
    let mark = if stale && assigned > 0 { "?" } else { "" };
    format!("{ready}{mark}/{assigned}")
}

pub(super) fn explain_mark(shown: bool) {
    if shown {
        output::line(format!("\n{STALE}"));
    }
}

fn total(path: &PathState) -> u32 {
    path.votes.clear + path.votes.suspect + path.votes.dead + path.votes.abstain
}

fn names(names: &[Name]) {
    let rows: Vec<Vec<String>> = names
        .iter()
        .flat_map(|name| {
            let unserved = name.servers.is_empty().then(|| unserved(name));
            let served = name.servers.iter().map(|at| {
                let answers = at.answers.iter().map(|share| {
                    format!(
                        "{} {} {:.0}%",
                        share.cluster,
                        share.addresses.join(","),
                        share.share * 100.0
                    )
                });
                let mode = if at.panic { "PANIC: last good set" } else { "" };
                let answers = answers.collect::<Vec<_>>().join("; ");
                vec![
                    name.name.clone(),
                    name.ttl.to_string(),
                    name.policy.clone(),
                    at.server.clone(),
                    answers,
                    mode.into(),
                ]
            });
            served.chain(unserved)
        })
        .collect();
    output::table(&["NAME", "TTL", "POLICY", "SERVER", "ANSWERS", ""], &rows);
}

/// A declared name that no server has, with the reason.
fn unserved(name: &Name) -> Vec<String> {
    let why = name.condition.as_ref().map_or_else(
        || "not served: the controller has not judged its TrafficPolicy yet".to_owned(),
        |condition| format!("not served: {}: {}", condition.reason, condition.message),
    );
    let (ttl, dash) = (name.ttl.to_string(), "-".to_owned());
    vec![
        name.name.clone(),
        ttl,
        name.policy.clone(),
        dash,
        why,
        String::new(),
    ]
}

fn bindings(bindings: &[Binding]) {
    let rows: Vec<Vec<String>> = bindings.iter().map(row).collect();
    output::table(
        &["NAMESPACE", "NAME", "READY", "CLUSTERS", "EVICTING", "MESSAGE"],
        &rows,
    );
    explain_mark(bindings.iter().any(|b| b.stale && b.replicas > 0));
}

fn row(binding: &Binding) -> Vec<String> {
    let ready = if binding.workload {
        readiness(binding.ready, binding.replicas, binding.stale)
    } else {
        "-".to_owned()
    };
    let clusters = binding.clusters.iter().map(|c| {
        if binding.workload {
            format!("{} {}", c.name, readiness(c.ready, c.replicas, c.stale))
        } else {
            c.name.clone()
        }
    });
    let evicting = binding.evicting.iter().map(|task| task.cluster.as_str());
    vec![
        binding.namespace.clone(),
        binding.name.clone(),
        ready,
        clusters.collect::<Vec<_>>().join("; "),
        evicting.collect::<Vec<_>>().join(","),
        message(binding),
    ]
}

/// Why it is not placed; or where it is not applied, and why.
fn message(binding: &Binding) -> String {
    let refused = binding.clusters.iter().filter(|at| !at.message.is_empty());
    let refused = refused.map(|at| format!("{}: {}", at.name, at.message));
    let placed = Some(binding.message.clone()).filter(|message| !message.is_empty());
    placed.into_iter().chain(refused).collect::<Vec<_>>().join("; ")
}

fn dns(servers: &[DnsServer]) {
    let rows: Vec<Vec<String>> = servers
        .iter()
        .map(|s| {
            vec![
                s.server.clone(),
                s.address.clone(),
                s.ready.to_string(),
                s.source.clone(),
                format!("epoch {} seq {}", s.epoch, s.seq),
                format!("{:.0}", s.qps),
                s.queries.to_string(),
            ]
        })
        .collect();
    output::table(
        &[
            "SERVER",
            "ADDRESS",
            "READY",
            "SOURCE",
            "PLAN",
            "QUERIES/S",
            "QUERIES",
        ],
        &rows,
    );
}

/// Who is heard, from the list that a server tells.
pub(super) fn observers(list: Value) -> anyhow::Result<()> {
    let observers: Vec<Observer> = serde_json::from_value(list)?;
    let row = |observer: &Observer| {
        let state = match (observer.fresh, observer.abstaining) {
            (_, true) => "abstaining",
            (true, false) => "fresh",
            (false, false) if refused(observer) => "not counted",
            (false, false) => "stale",
        };
        let age = observer.age_ms.map(|age| format!("{age} ms"));
        vec![
            observer.name.clone(),
            observer.region.clone(),
            state.to_owned(),
            age.unwrap_or_else(|| "never heard".to_owned()),
        ]
    };
    let rows: Vec<Vec<String>> = observers.iter().map(row).collect();
    output::table(&["NAME", "REGION", "STATE", "EVIDENCE AGE"], &rows);
    observers
        .iter()
        .filter_map(probes_otherwise)
        .for_each(output::line);
    Ok(())
}

fn refused(observer: &Observer) -> bool {
    let told = observer.probes_otherwise.as_ref();
    told.is_some_and(|told| !told.counts)
}

/// A line for an observer that probes otherwise than the consumer.
fn probes_otherwise(observer: &Observer) -> Option<String> {
    let told = observer.probes_otherwise.as_ref()?;
    let what = if told.counts {
        "probes otherwise, and counts"
    } else {
        "probes otherwise, and what it finds so does not count"
    };
    Some(format!("  {} {what}: {}", observer.name, told.why))
}

fn events(events: &Value) {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = events
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| {
            let at = format!("{:.3} s", e["atMs"].as_f64().unwrap_or_default() / 1000.0);
            vec![at, text(e, "type"), text(e, "cluster"), text(e, "detail")]
        })
        .collect();
    output::table(&["AT", "TYPE", "CLUSTER", "DETAIL"], &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_now_is_marked() {
        assert_eq!(readiness(3, 3, false), "3/3");
        assert_eq!(readiness(3, 3, true), "3?/3");
        assert_eq!(readiness(0, 0, true), "0/0");
    }

    #[test]
    fn an_observer_that_probes_otherwise_is_named() {
        let mut observer: Observer = serde_json::from_value(serde_json::json!({
            "name": "paris", "region": "", "fresh": false, "abstaining": false, "ageMs": 12,
        }))
        .unwrap();
        assert_eq!((refused(&observer), probes_otherwise(&observer)), (false, None));
        let mut check = |counts, expected: &str| {
            let why = "its intervalMs is 20, here it is 100".to_owned();
            observer.probes_otherwise = Some(lifeboat_health::ProbesOtherwise { counts, why });
            assert_eq!(refused(&observer), !counts);
            assert_eq!(probes_otherwise(&observer).as_deref(), Some(expected));
        };
        check(
            true,
            "  paris probes otherwise, and counts: its intervalMs is 20, here it is 100",
        );
        check(
            false,
            "  paris probes otherwise, and what it finds so does not count: its intervalMs is 20, here it is 100",
        );
    }

    #[test]
    fn an_object_without_replicas_has_no_readiness() {
        let mut binding: Binding = serde_json::from_value(serde_json::json!({
            "namespace": "default", "name": "shop-service", "kind": "Service", "template": "shop",
            "workload": false, "replicas": 0, "ready": 0, "stale": false, "scheduled": true, "message": "",
            "clusters": [{ "name": "a", "replicas": 0, "ready": 0, "stale": true }], "evicting": [],
        }))
        .unwrap();
        assert_eq!(row(&binding)[2..4], ["-", "a"]);
        binding.workload = true;
        assert_eq!(row(&binding)[2..4], ["0/0", "a 0/0"]);
    }
}
