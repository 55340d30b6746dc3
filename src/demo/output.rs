//! What the demo prints.

#![expect(clippy::print_stdout, reason = "the demo speaks to a person")]

use std::time::Duration;

use lifeboat_chaos::drill::{DrillReport, Timings};

use super::{Options, fleet::DemoFleet};
use crate::timeline::Entry;

pub(super) struct Printer {
    headless: bool,
}

impl Printer {
    pub(super) fn new(headless: bool) -> Self {
        Self { headless }
    }

    /// Scripts take the first `--kubeconfig PATH` as the control plane's.
    pub(super) fn kubeconfigs(&self, fleet: &DemoFleet) {
        println!("lifeboat demo: five simulated clusters, everything on loopback\n");
        println!(
            "control plane   kubectl --kubeconfig {} get clusters",
            fleet.kubeconfig().display()
        );
        for (name, path) in fleet.member_kubeconfigs() {
            println!("{name:<15} kubectl --kubeconfig {} get pods -A", path.display());
        }
    }

    pub(super) fn where_to_look(&self, options: &Options, fleet: &DemoFleet) {
        let console = options.console_from_here();
        let asks = if options.token.is_some() {
            "  (asks for the token)"
        } else {
            ""
        };
        println!("console         http://{console}/{asks}");
        for address in &options.dns {
            println!(
                "dns             dig @{} -p {} shop.demo.example A",
                address.ip(),
                address.port()
            );
        }
        println!(
            "api             http://{}, metrics http://{}/metrics",
            fleet.api(),
            console
        );
        println!("seed            {}", options.seed);
        if !self.headless {
            println!("\ntry             lifeboat fault power-off eu-central-1 ; lifeboat fault clear");
            println!("stop            Ctrl-C\n");
        }
    }

    pub(super) fn line(&self, text: &str) {
        println!("{text}");
    }

    pub(super) fn entry(&self, entry: &Entry) {
        let seconds = Duration::from_millis(entry.at_ms).as_secs_f64();
        println!(
            "{seconds:9.3} s  {:<28} {:<16} {}",
            entry.kind,
            entry.cluster.as_deref().unwrap_or(""),
            entry.detail
        );
    }

    /// The report in a few lines, its moments in order of time; what was not reached comes last.
    pub(super) fn report(&self, report: &DrillReport) {
        let Timings {
            suspect,
            down,
            first_dns_change,
            all_dns_changed,
            users_recovered,
            evictions_done,
            replicas_ready,
            traffic_returned,
        } = report.timings_ms;
        let mut moments = [
            ("suspect", suspect),
            ("down", down),
            ("first_dns_change", first_dns_change),
            ("all_dns_changed", all_dns_changed),
            ("users_recovered", users_recovered),
            ("evictions_done", evictions_done),
            ("replicas_ready", replicas_ready),
        ];
        moments.sort_by_key(|(_, ms)| ms.unwrap_or(u64::MAX));
        let reached = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        for (name, ms) in moments {
            println!("{name:<20} {}", reached(ms));
        }
        println!(
            "traffic_returned     {} (from the clearing)",
            reached(traffic_returned)
        );
        let users = &report.users;
        println!(
            "users                {} requests, {} failed",
            users.requests, users.failed
        );
        println!("outcome              {}", report.outcome);
        for reason in &report.reasons {
            println!("  {reason}");
        }
    }
}
