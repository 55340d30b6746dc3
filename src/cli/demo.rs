//! `lifeboat demo`: the whole of Lifeboat over five simulated clusters, in one process.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use http::uri::Authority;
use lifeboat_chaos::{fault::ScheduledFault, member::SHOWCASE};

use super::{
    Usage,
    values::{duration, listener},
};
use crate::{
    demo::{self, Options, Script},
    serve::Guard,
};

#[derive(Args)]
pub(super) struct Demo {
    /// No live status lines; for scripts and CI.
    #[arg(long)]
    headless: bool,
    /// Stop after this time, e.g. `90s`; without it the demo runs until Ctrl-C.
    #[arg(long, value_parser = duration, allow_hyphen_values = true, value_name = "DURATION")]
    duration: Option<Duration>,
    /// Inject a fault, e.g. `power-off:eu-central-1,us-east1@10s`; counted from when users are served. Repeatable.
    #[arg(long = "fault", value_name = "KIND:CLUSTERS@TIME")]
    faults: Vec<ScheduledFault>,
    /// Clear all faults at this time, e.g. `@30s` or `30s`; counted as for --fault.
    #[arg(long, value_parser = at, allow_hyphen_values = true, value_name = "[@]TIME")]
    clear: Option<Duration>,
    /// Write the measurements here as JSON (docs/drill-report.md); needs --duration.
    #[arg(long, requires = "duration", value_name = "FILE")]
    report: Option<PathBuf>,
    /// Seed of everything that is drawn; printed and reported, so that a run can be repeated.
    #[arg(long, value_parser = seed, allow_negative_numbers = true, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How long both paths of a cluster must be Down before its replicas are evicted.
    #[arg(long, value_parser = duration, allow_hyphen_values = true, default_value = "3s", value_name = "DURATION")]
    hold: Duration,
    /// How long a pod takes to become ready.
    #[arg(long, value_parser = duration, allow_hyphen_values = true, default_value = "2s", value_name = "DURATION")]
    pod_start: Duration,
    /// Folder for kubeconfigs and last-known-good; a fresh temporary one by default.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where the DNS servers listen, one each; any address, because DNS is answered to everybody.
    #[arg(long, value_parser = listener, value_delimiter = ',', default_values = ["127.0.0.1:5300", "127.0.0.2:5300"], value_name = "ADDRESS")]
    dns: Vec<SocketAddr>,
    /// Where the console listens; beyond loopback it needs --token.
    #[arg(long, value_parser = listener, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    console: SocketAddr,
    /// A further name by which the console is reached, such as a proxy's; requests for other hosts are refused.
    /// Repeatable.
    #[arg(long = "host", value_parser = host, value_name = "NAME[:PORT]")]
    hosts: Vec<String>,
    /// Where the control plane's Kubernetes API listens; on loopback only, because it lets everybody do everything.
    #[arg(long, value_parser = listener, default_value = "127.0.0.1:6443", value_name = "ADDRESS")]
    api: SocketAddr,
    /// Port of the members' Kubernetes APIs, on 127.0.1.1 to 127.0.5.1.
    #[arg(long, default_value_t = 6443, value_name = "PORT")]
    member_api_port: u16,
    /// Port of the members' ingress VIPs, on 127.0.1.1 to 127.0.5.1.
    #[arg(long, default_value_t = 8000, value_name = "PORT")]
    vip_port: u16,
    /// Token the console asks for (the page for a sign-in, its API for Authorization: Bearer TOKEN); needed where it
    /// listens beyond loopback.
    #[arg(long, env = "LIFEBOAT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Start without the sample applications.
    #[arg(long)]
    bare: bool,
}

impl Demo {
    pub(super) fn run(self: Box<Self>) -> anyhow::Result<ExitCode> {
        let Self {
            headless,
            duration,
            faults,
            clear,
            report,
            seed,
            hold,
            pod_start,
            state,
            dns,
            console,
            hosts,
            api,
            member_api_port,
            vip_port,
            token,
            bare,
        } = *self;
        let token = token.filter(|token| !token.is_empty());
        check(duration, &faults, clear)?;
        check_listeners(console, &hosts, token.as_deref(), api)?;
        let script = Script {
            duration,
            faults,
            clear,
            report,
        };
        let options = Options {
            headless,
            script,
            seed: seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
            hold,
            pod_start,
            state,
            dns,
            console,
            hosts,
            api,
            member_api_port,
            vip_port,
            token,
            samples: !bare,
        };
        demo::run(options)
    }
}

/// What can be told before anything starts.
fn check(
    duration: Option<Duration>,
    faults: &[ScheduledFault],
    clear: Option<Duration>,
) -> Result<(), Usage> {
    let known: Vec<&str> = SHOWCASE.iter().map(|cluster| cluster.name).collect();
    for fault in faults {
        let unknown = fault
            .spec
            .clusters
            .iter()
            .find(|cluster| !known.contains(&cluster.as_str()));
        if let Some(unknown) = unknown {
            let known = known.join(", ");
            return Err(Usage(format!(
                "--fault {}: no cluster is named {unknown:?}; known: {known}",
                fault.spec
            )));
        }
    }
    if duration.is_some_and(|duration| duration.is_zero()) {
        return Err(Usage("--duration 0s: allowed: above 0".to_owned()));
    }
    match (duration, faults.iter().map(|fault| fault.at).chain(clear).max()) {
        (Some(duration), Some(last)) if last >= duration => Err(Usage(format!(
            "--duration {duration:?}: must be longer than the script, whose last step is at {last:?}"
        ))),
        _ => Ok(()),
    }
}

/// What listens beyond loopback asks for a token; the simulated Kubernetes API cannot.
fn check_listeners(
    console: SocketAddr,
    hosts: &[String],
    token: Option<&str>,
    api: SocketAddr,
) -> Result<(), Usage> {
    if !api.ip().is_loopback() {
        return Err(Usage(format!(
            "--api {api}: the simulated Kubernetes API lets everybody do everything; allowed: an address on loopback"
        )));
    }
    match Guard::new(console, hosts, token.map(str::to_owned)) {
        Ok(_) => Ok(()),
        Err(error) => Err(Usage(format!("--console {console}: {error}"))),
    }
}

fn host(text: &str) -> Result<String, String> {
    match text.parse::<Authority>() {
        Ok(host) if !text.contains('@') => Ok(host.to_string()),
        _ => Err("not a host; allowed: NAME or NAME:PORT".to_owned()),
    }
}

/// The `@` of `--fault KIND@TIME` is understood here too.
fn at(text: &str) -> Result<Duration, String> {
    duration(text.strip_prefix('@').unwrap_or(text))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("not a seed; allowed: 0..={}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_or_without_at() {
        assert_eq!(at("@1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(at("30s"), Ok(Duration::from_secs(30)));
        assert!(at("@").is_err() && at("@@30s").is_err());
    }

    #[test]
    fn a_bad_seed_is_told_what_is_allowed() {
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for bad in ["x", "-1", "18446744073709551616", ""] {
            let error = seed(bad).unwrap_err();
            assert!(error.contains("0..=18446744073709551615"), "{bad}: {error}");
        }
    }
}
