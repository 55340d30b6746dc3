//! Five `lifeboat observer` processes and two consumers over real sockets: observers are killed, paused and cut off,
//! and what they look at dies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "observers/fleet.rs"]
mod fleet;
#[path = "observers/heard.rs"]
mod heard;
#[path = "observers/namespaces.rs"]
mod namespaces;
#[path = "observers/objects.rs"]
mod objects;
#[expect(dead_code, reason = "shared with the tests of the nameserver")]
#[path = "observers/plane.rs"]
mod plane;
#[path = "observers/relay.rs"]
mod relay;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::{Fleet, OBSERVERS, Plan, Server, name, target};
use lifeboat_health::{Cell, Verdict};
use parking_lot::Mutex;
use relay::Relay;

/// Five processes at a time are enough for a small machine.
static ONE_FLEET: Mutex<()> = Mutex::new(());

struct Site {
    eu: Server,
    us: Server,
    anchors: Vec<Server>,
}

impl Site {
    fn start() -> Site {
        let server = || Server::start(Ipv4Addr::LOCALHOST);
        Site {
            eu: server(),
            us: server(),
            anchors: (0..OBSERVERS).map(|_| server()).collect(),
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            listen: Ipv4Addr::LOCALHOST,
            targets: vec![target("eu", &self.eu.url()), target("us", &self.us.url())],
            anchors: self.anchors.iter().map(Server::url).collect(),
            differs: |_| "",
            inside: |_| Vec::new(),
            way: Box::new(|_, consumer| consumer),
            kubeconfig: None,
        }
    }
}

#[test]
fn those_that_are_left_decide_and_one_alone_does_not() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let mut fleet = Fleet::start(site.plan());

    fleet.kill(1);
    fleet.kill(2);
    fleet.until_gone(&[1, 2]);
    assert_eq!([fleet.downs("eu"), fleet.downs("us")], [[0, 0]; 2]);

    site.eu.falls_silent();
    fleet.until_both("eu", Verdict::Down, 3);
    for consumer in &fleet.consumers {
        let evidence = consumer.now(|story| story.downs("eu")[0].evidence.clone());
        let counted = evidence.iter().filter(|witness| witness.counted);
        let counted: Vec<&str> = counted.map(|witness| witness.observer.as_str()).collect();
        assert_eq!(counted, ["observer-3", "observer-4", "observer-5"]);
    }
    site.eu.answers();
    fleet.until_both("eu", Verdict::Up, 3);

    fleet.kill(3);
    fleet.kill(4);
    fleet.until_gone(&[1, 2, 3, 4]);
    let told = fleet.told();
    site.us.falls_silent();
    for consumer in &fleet.consumers {
        consumer.until("the last observer votes Dead", |story| {
            story.cell("us").votes.dead == 1
        });
        consumer.until_heard(&name(5), 20);
        for cluster in ["eu", "us"] {
            let (verdict, frozen, _) = consumer.now(|story| story.stands(cluster));
            assert_eq!((verdict, frozen), (Verdict::Up, true));
        }
    }
    assert_eq!(fleet.told(), told, "one observer decides nothing");

    fleet.spawn(1);
    fleet.spawn(2);
    fleet.until_both("us", Verdict::Down, 3);
    assert_eq!(fleet.downs("eu"), [1, 1]);
}

#[test]
fn one_that_was_paused_comes_back_and_takes_nothing_down() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let fleet = Fleet::start(site.plan());

    fleet.pause(1);
    fleet.until_gone(&[1]);
    for consumer in &fleet.consumers {
        consumer.until("four decide", |story| {
            story.stands("eu") == (Verdict::Up, false, 4)
        });
    }
    fleet.resume(1);
    fleet.until_back(&[1]);
    let said = std::fs::read_to_string(fleet.log(1)).unwrap();
    assert!(
        said.contains("its loop woke more than loopLagMs") && said.contains("loop-lag"),
        "{said}"
    );
    let blames_anchors = |line: &str| line.contains("abstains") && line.contains("anchor 0");
    assert!(
        !said.lines().any(blames_anchors),
        "they answer whenever it asks: {said}"
    );

    // A quorum at once: what they missed meanwhile must not count when they return.
    for observer in 1..=4 {
        fleet.pause(observer);
    }
    fleet.until_gone(&[1, 2, 3, 4]);
    for observer in 1..=4 {
        fleet.resume(observer);
    }
    fleet.until_back(&[1, 2, 3, 4]);
    for consumer in &fleet.consumers {
        (1..=OBSERVERS).for_each(|observer| consumer.until_heard(&name(observer), 10));
    }
    fleet.until_both("eu", Verdict::Up, 5);
    fleet.until_both("us", Verdict::Up, 5);
    assert_eq!([fleet.downs("eu"), fleet.downs("us")], [[0, 0]; 2]);
}

#[test]
fn a_consumer_that_is_cut_off_decides_nothing_until_it_hears_again() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let relays: Arc<Mutex<Vec<Relay>>> = Arc::default();
    let between = Arc::clone(&relays);
    // The first consumer hears observers 1 to 3 through relays.
    let mut first = None;
    let way = move |observer: usize, consumer| {
        if *first.get_or_insert(consumer) != consumer || observer > 3 {
            return consumer;
        }
        let relay = Relay::start(consumer);
        let address = relay.address;
        between.lock().push(relay);
        address
    };
    let plan = Plan {
        way: Box::new(way),
        ..site.plan()
    };
    let fleet = Fleet::start(plan);
    let [cut_off, other] = &fleet.consumers;

    relays.lock().iter().for_each(|relay| relay.cut(true));
    cut_off.until("two are left", |story| {
        story.stands("eu") == (Verdict::Up, true, 2)
    });
    other.until("all still count", |story| {
        story.stands("eu") == (Verdict::Up, false, 5)
    });
    site.eu.falls_silent();
    other.until("eu Down", |story| story.stands("eu") == (Verdict::Down, false, 5));
    cut_off.until_heard(&name(5), 10);
    assert_eq!(fleet.downs("eu"), [0, 1]);

    relays.lock().iter().for_each(|relay| relay.cut(false));
    fleet.until_both("eu", Verdict::Down, 5);
    site.eu.answers();
    fleet.until_both("eu", Verdict::Up, 5);

    // An observer whose own links are bad says so, and does not count.
    site.anchors[3].falls_silent();
    for consumer in &fleet.consumers {
        consumer.until("observer-4 abstains", |story| {
            let observer = story.observer(&name(4));
            observer.fresh && observer.abstaining && story.stands("us") == (Verdict::Up, false, 4)
        });
    }
    site.anchors[3].answers();
    fleet.until_back(&[4]);
    assert_eq!([fleet.downs("eu"), fleet.downs("us")], [[1, 1], [0, 0]]);
}

#[test]
fn those_that_probe_otherwise_are_told_and_not_counted() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let plan = Plan {
        differs: |observer| match observer {
            4 => ", intervalMs: 1000, freshMs: 1500",
            5 => ", intervalMs: 20, suspectMisses: 30, hardMisses: 30, deadMisses: 50, grayMisses: 30",
            _ => "",
        },
        ..site.plan()
    };
    let mut fleet = Fleet::prepare(plan);
    (1..=OBSERVERS).for_each(|observer| fleet.spawn(observer));
    for consumer in &fleet.consumers {
        for (observer, said) in [
            (
                4,
                "its intervalMs is 1000, here it is 100: allowed is at most 181, ",
            ),
            (
                5,
                "its intervalMs is 20, here it is 100: allowed is at least 100, ",
            ),
        ] {
            consumer.until_heard(&name(observer), 10);
            let heard = consumer.now(|story| story.observer(&name(observer)));
            let told = heard.probes_otherwise.unwrap();
            assert!(
                !heard.fresh && !told.counts && told.why.starts_with(said),
                "{told:?}"
            );
        }
    }
    for cluster in ["eu", "us"] {
        fleet.until_both(cluster, Verdict::Up, 3);
    }
    site.eu.falls_silent();
    fleet.until_both("eu", Verdict::Down, 3);
    for consumer in &fleet.consumers {
        let evidence = consumer.now(|story| story.downs("eu")[0].evidence.clone());
        let names: Vec<&str> = evidence.iter().map(|witness| witness.observer.as_str()).collect();
        assert_eq!(names, ["observer-1", "observer-2", "observer-3"]);
    }
}

/// Ticks of a consumer in a second.
const SECOND: u64 = 100;
/// As many rows as make several datagrams each 100 ms.
const CLUSTERS: usize = 200;

/// Each observer's evidence goes through a relay of its own, on a long way.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long evidence takes to come back")]
fn evidence_flows_over_bad_ways_and_right_after_a_blackout() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let relays: Arc<Mutex<Vec<Relay>>> = Arc::default();
    let between = Arc::clone(&relays);
    let way = move |_, consumer| {
        let relay = Relay::start(consumer);
        relay.delay(Duration::from_millis(50));
        let address = relay.address;
        between.lock().push(relay);
        address
    };
    // They have the same check, which each observer makes once.
    let targets = (0..CLUSTERS).map(|n| target(&format!("cluster-{n}"), &site.eu.url()));
    let plan = Plan {
        targets: targets.collect(),
        way: Box::new(way),
        ..site.plan()
    };
    let fleet = Fleet::start(plan);
    let all = |what: &dyn Fn(&Relay)| relays.lock().iter().for_each(what);
    let [heard, _] = &fleet.consumers;

    all(&|relay| relay.lose(30));
    // Whatever was to be learnt of the losses, a congestion controller has learnt.
    heard.until_ticks(3 * SECOND);
    let (rows, fresh) = heard.now(|story| (story.rows, story.fresh));
    heard.until_ticks(8 * SECOND);
    let (rows, fresh) = heard.now(|story| (story.rows - rows, story.fresh - fresh));
    let share = fresh as f64 / rows as f64;
    println!("at 30 % loss {:.2} % of all rows are fresh", 100.0 * share);
    assert!(share > 0.95, "{fresh} of {rows} rows were fresh");

    all(&|relay| relay.lose(0));
    all(&|relay| relay.cut(true));
    heard.until_ticks(10 * SECOND);
    fleet.until_gone(&[1, 2, 3, 4, 5]);
    all(&|relay| relay.cut(false));
    let back = Instant::now();
    for consumer in &fleet.consumers {
        consumer.until("all evidence is fresh", |story| {
            let fresh = |cell: &Cell| cell.fresh == OBSERVERS as u32;
            story.view.cells.values().all(fresh)
        });
    }
    let took = back.elapsed();
    println!("all evidence is fresh {took:?} after a blackout");
    // Of five observers at two consumers, and of every row: it is a machine's pace too. That the next handshake begins within 0.2 s is
    // tested in virtual time, by the dialler.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!(
        heard.now(|story| story.transitions.iter().filter(|t| t.to == Verdict::Down).count()),
        0
    );
}
