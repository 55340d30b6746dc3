//! What an observer of a thousand targets costs: a process of its own that probes each ten times a second and tells two
//! consumers.

use std::time::Duration;

use super::figure::Figure;
use super::fleet::Fleet;
use super::listener::Listener;
use super::metrics::{Metrics, quantile};
use super::site::Site;
use super::usage::{peak_memory_mb, processor};

const TARGETS: usize = 1_000;
const CONSUMERS: [&str; 2] = ["dns-1", "dns-2"];
/// Not measured: connections are made, estimates learn.
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(40);

pub(crate) fn measure() -> Vec<Figure> {
    let site = Site::start(TARGETS + 1);
    let targets = site.targets(TARGETS, TARGETS);
    let mut fleet = Fleet::prepare(1, &CONSUMERS);
    let consumers = CONSUMERS.map(|name| Listener::start(name, fleet.identity(name), targets.clone()));
    let addresses = consumers.each_ref().map(Listener::address);
    fleet.observe(&targets, &site.url(TARGETS), &addresses);
    for consumer in &consumers {
        consumer.until("its rows are fresh", |consumer| {
            targets
                .iter()
                .all(|target| consumer.stands(&target.cluster).1 == 1)
        });
    }
    std::thread::sleep(WARM_UP);
    let process = &fleet.processes()[0];
    let (before, spent) = (Metrics::of(process.admin), processor(process.id()));
    std::thread::sleep(MEASURED);
    let (after, spent) = (Metrics::of(process.admin), processor(process.id()) - spent);
    let seconds = MEASURED.as_secs_f64();
    let probes = |result: &str| {
        let label = format!("result=\"{result}\"");
        let of = |metrics: &Metrics| metrics.value("lifeboat_observer_probes_total", &label);
        of(&after) - of(&before)
    };
    let lag = |share| quantile(&before, &after, "lifeboat_observer_loop_delay_seconds", share) * 1e3;
    // Each T one on a kept connection, and with one in ten of them one on a new connection.
    let good = probes("good") / seconds;
    let lost: f64 = ["missed", "skipped", "discarded", "local"]
        .map(probes)
        .iter()
        .sum();
    vec![
        Figure::at_most("processor", 0.6, "cores", spent.as_secs_f64() / seconds),
        Figure::at_most("peak resident memory", 150.0, "MB", peak_memory_mb(process.id())),
        Figure::at_most("loop lag, p99", 10.0, "ms", lag(0.99)),
        Figure::shown("loop lag, p50", "ms", lag(0.5)),
        Figure::at_least("good probes a second", 10_800.0, "", good),
        Figure::shown("probes missed, skipped or discarded", "", lost),
    ]
}
