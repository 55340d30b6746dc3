//! Evidence over ways that fall silent or lose packets: each of five observers behind a relay of its own.

use std::time::Duration;

use lifeboat_health::{MonoClock, MonoTime};

use super::figure::Figure;
use super::fleet::Fleet;
use super::listener::Listener;
use super::relay::Relay;
use super::site::Site;

const OBSERVERS: usize = 5;
const TARGETS: usize = 100;
const CONSUMER: &str = "dns-1";
const TRIALS: usize = 4;
const BLACKOUT: Duration = Duration::from_secs(10);
/// Trials begin at any phase of what is tried again and again.
const PAUSE_MS: std::ops::Range<u64> = 1_000..2_000;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EACH: Duration = Duration::from_millis(2);
const LOSS_PERCENT: u8 = 30;
const LOSING: Duration = Duration::from_secs(30);

/// All ways fall silent for ten seconds at once; from their return to the first fresh evidence of each observer.
pub(crate) fn blackout() -> Vec<Figure> {
    let ways = Ways::start();
    let clock = MonoClock::new();
    let mut took = Vec::new();
    for _ in 0..TRIALS {
        std::thread::sleep(Duration::from_millis(fastrand::u64(PAUSE_MS)));
        ways.each(|relay| relay.cut(true));
        std::thread::sleep(BLACKOUT);
        ways.each(|relay| relay.cut(false));
        took.extend(ways.fresh_after(&clock, clock.now()));
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (took.len() as f64 * share) as usize;
        took.get(index.min(took.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    };
    vec![
        Figure::at_least("returns", (TRIALS * OBSERVERS) as f64, "", took.len() as f64),
        Figure::shown("p50", "s", at(0.5)),
        Figure::at_most("worst", 0.5, "s", at(1.0)),
        ways.wrong(),
    ]
}

/// Three packets of ten are lost, each way.
pub(crate) fn loss() -> Vec<Figure> {
    let ways = Ways::start();
    let clock = MonoClock::new();
    ways.each(|relay| relay.lose(LOSS_PERCENT));
    let (start, mut looks, mut fresh) = (clock.now(), 0_u32, 0_u32);
    while clock.now().saturating_since(start) < LOSING {
        looks += 1;
        let view = ways.consumer.consumer.view();
        fresh += u32::try_from(view.observers.iter().filter(|observer| observer.fresh).count()).unwrap_or(0);
        std::thread::sleep(LOOK_EACH);
    }
    let share = f64::from(fresh) / (f64::from(looks.max(1)) * OBSERVERS as f64);
    vec![
        Figure::at_least("observers whose evidence is fresh", 99.0, "%", share * 100.0),
        ways.wrong(),
    ]
}

struct Ways {
    relays: Vec<Relay>,
    consumer: Listener,
    _fleet: Fleet,
    _site: Site,
}

impl Ways {
    fn start() -> Ways {
        let site = Site::start(TARGETS + OBSERVERS);
        let targets = site.targets(TARGETS, TARGETS);
        let mut fleet = Fleet::prepare(OBSERVERS, &[CONSUMER]);
        let consumer = Listener::start(CONSUMER, fleet.identity(CONSUMER), targets.clone());
        let relays: Vec<Relay> = (0..OBSERVERS).map(|_| Relay::start(consumer.address())).collect();
        for (observer, relay) in relays.iter().enumerate() {
            fleet.observe(&targets, &site.url(TARGETS + observer), &[relay.address]);
        }
        consumer.until_up(&targets, OBSERVERS);
        Ways {
            relays,
            consumer,
            _fleet: fleet,
            _site: site,
        }
    }

    fn each(&self, what: impl Fn(&Relay)) {
        self.relays.iter().for_each(what);
    }

    /// Seconds from `back` to the first fresh evidence of each observer.
    fn fresh_after(&self, clock: &MonoClock, back: MonoTime) -> Vec<f64> {
        let mut took = vec![None; OBSERVERS];
        while took.iter().any(Option::is_none) {
            let since = clock.now().saturating_since(back);
            if since > PATIENCE {
                break;
            }
            let view = self.consumer.consumer.view();
            for (observer, took) in view.observers.iter().zip(&mut took) {
                if observer.fresh {
                    took.get_or_insert(since.as_secs_f64());
                }
            }
            std::thread::sleep(LOOK_EACH);
        }
        took.into_iter().flatten().collect()
    }

    /// Nothing dies here.
    fn wrong(&self) -> Figure {
        let downs = self.consumer.downs().len() as f64;
        Figure::at_most("verdicts Down of the living", 0.0, "", downs)
    }
}
