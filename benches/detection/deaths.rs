//! From a death to the verdict Down at every consumer: five observers, a hundred targets, each of which dies once.

use std::time::Duration;

use lifeboat_chaos::fault::Gate;
use lifeboat_health::{MonoClock, MonoTime, Verdict};

use super::figure::Figure;
use super::fleet::Fleet;
use super::listener::Listener;
use super::site::{Site, cluster};

const OBSERVERS: usize = 5;
const TARGETS: usize = 100;
const CONSUMERS: [&str; 2] = ["dns-1", "dns-2"];
/// Between two trials, so that nothing of the last one is in the next, and the phase of the probes is any.
const PAUSE_MS: std::ops::Range<u64> = 500..1_500;
/// All is watched for so long before the first death and after the last.
const QUIET: Duration = Duration::from_secs(10);

/// Every packet is dropped, of established connections and new ones, and nothing says so.
pub(crate) fn silent() -> Vec<Figure> {
    let deaths = Deaths::of(Gate::silence);
    let mut figures = deaths.figures(0.90);
    figures.insert(0, Figure::at_most("mean", 0.75, "s", deaths.mean()));
    figures
}

/// The port is closed and open connections are reset.
pub(crate) fn refused() -> Vec<Figure> {
    let deaths = Deaths::of(Gate::refuse);
    let mut figures = deaths.figures(0.60);
    figures.insert(0, Figure::shown("mean", "s", deaths.mean()));
    figures
}

struct Deaths {
    /// From each death to the verdict of the last consumer, in seconds, in order.
    took: Vec<f64>,
    /// Verdicts Down of targets that lived.
    false_alarms: usize,
    /// Verdicts Suspect of targets that lived.
    false_suspicions: usize,
}

impl Deaths {
    fn of(kill: fn(&Gate)) -> Deaths {
        let site = Site::start(TARGETS + OBSERVERS);
        let targets = site.targets(TARGETS, TARGETS);
        let mut fleet = Fleet::prepare(OBSERVERS, &CONSUMERS);
        let consumers = CONSUMERS.map(|name| Listener::start(name, fleet.identity(name), targets.clone()));
        let addresses = consumers.each_ref().map(Listener::address);
        for observer in 0..OBSERVERS {
            fleet.observe(&targets, &site.url(TARGETS + observer), &addresses);
        }
        for consumer in &consumers {
            consumer.until_up(&targets, OBSERVERS);
        }
        std::thread::sleep(QUIET);
        let mut took: Vec<f64> = (0..TARGETS)
            .map(|n| trial(&site, n, kill, &consumers).as_secs_f64())
            .collect();
        std::thread::sleep(QUIET);
        took.sort_unstable_by(f64::total_cmp);
        let count = |of: fn(&Listener) -> usize| {
            let expected = TARGETS * consumers.len();
            consumers.iter().map(of).sum::<usize>().saturating_sub(expected)
        };
        Deaths {
            took,
            false_alarms: count(|consumer| consumer.downs().len()),
            false_suspicions: count(Listener::suspicions),
        }
    }

    fn mean(&self) -> f64 {
        self.took.iter().sum::<f64>() / self.took.len() as f64
    }

    /// The longest of this share of the trials.
    fn quantile(&self, share: f64) -> f64 {
        let index = (self.took.len() as f64 * share).ceil() as usize;
        self.took[index.clamp(1, self.took.len()) - 1]
    }

    fn figures(&self, worst: f64) -> Vec<Figure> {
        let count = |n: usize| n as f64;
        vec![
            Figure::shown("p50", "s", self.quantile(0.5)),
            Figure::shown("p99", "s", self.quantile(0.99)),
            Figure::at_most("worst", worst, "s", self.quantile(1.0)),
            Figure::at_least("trials", count(TARGETS), "", count(self.took.len())),
            Figure::at_most("verdicts Down of the living", 0.0, "", count(self.false_alarms)),
            Figure::shown("verdicts Suspect of the living", "", count(self.false_suspicions)),
        ]
    }
}

/// How long one target's death took to be Down at every consumer. Afterwards it lives, and is known to.
fn trial(site: &Site, n: usize, kill: fn(&Gate), consumers: &[Listener]) -> Duration {
    std::thread::sleep(Duration::from_millis(fastrand::u64(PAUSE_MS)));
    let (gate, cluster) = (site.gate(n), cluster(n));
    let died = MonoClock::new().now();
    kill(gate);
    let down = |consumer: &Listener| {
        let of = |(at, down): &(MonoTime, String)| *down == cluster && *at >= died;
        consumer.downs().iter().find(|down| of(down)).map(|(at, _)| *at)
    };
    for consumer in consumers {
        consumer.until(&format!("{cluster} Down"), |consumer| down(consumer).is_some());
    }
    let last = consumers.iter().filter_map(down).max().expect("it is Down");
    gate.restore();
    for consumer in consumers {
        consumer.until(&format!("{cluster} back"), |consumer| {
            consumer.stands(&cluster).0 != Verdict::Down
        });
    }
    last.saturating_since(died)
}
