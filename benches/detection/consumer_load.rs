//! What a DNS server's consumer of seven observers of a thousand targets costs. Observers are processes that send all rows
//! ten times a second; clusters share a few servers, so that so many fit onto one machine: each row is made and sent all
//! the same.

use std::time::Duration;

use bytes::Bytes;
use lifeboat_health::{Datagram, MonoTime, Profile, Quorum, Target, decode};

use super::figure::Figure;
use super::fleet::Fleet;
use super::listener::Listener;
use super::site::Site;
use super::usage::{spent, thread_processor};

const OBSERVERS: usize = 7;
const TARGETS: usize = 1_000;
/// Of different addresses; the rows of those that share one are alike but for the target.
const SERVERS: usize = 20;
const CONSUMER: &str = "dns-1";
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(30);
/// How much is recorded for the parts, and how much of that makes the quorum believe.
const RECORDED: Duration = Duration::from_secs(10);
const BELIEVING: Duration = Duration::from_secs(2);
/// When a consumer decides, and how old a view of it may be.
const POLL: Duration = Duration::from_millis(10);
const VIEW: Duration = Duration::from_millis(100);

type Recording = Vec<(MonoTime, Bytes)>;

pub(crate) fn measure() -> Vec<Figure> {
    let site = Site::start(SERVERS + OBSERVERS);
    let targets = site.targets(TARGETS, SERVERS);
    let mut fleet = Fleet::prepare(OBSERVERS, &[CONSUMER]);
    let consumer = Listener::start(CONSUMER, fleet.identity(CONSUMER), targets.clone());
    for observer in 0..OBSERVERS {
        fleet.observe(&targets, &site.url(SERVERS + observer), &[consumer.address()]);
    }
    consumer.until_up(&targets, OBSERVERS);
    std::thread::sleep(WARM_UP);
    let thread = format!("verdict-{CONSUMER}");
    let before = (thread_processor(&thread), consumer.rows());
    std::thread::sleep(MEASURED);
    let (took, rows) = (thread_processor(&thread) - before.0, consumer.rows() - before.1);
    let seconds = MEASURED.as_secs_f64();
    let parts = Parts::of(targets, &record(&consumer));
    vec![
        Figure::at_most("processor", 0.15, "cores", took.as_secs_f64() / seconds),
        Figure::at_most(
            "decoding and quorum",
            0.03,
            "cores",
            parts.decode + parts.ingest + parts.poll,
        ),
        Figure::shown("decoding", "cores", parts.decode),
        Figure::shown("quorum, taking in", "cores", parts.ingest),
        Figure::shown("quorum, deciding each 10 ms", "cores", parts.poll),
        Figure::shown("views, when anything changed or each 100 ms", "cores", parts.view),
        Figure::at_least("rows a second", 69_000.0, "", rows as f64 / seconds),
    ]
}

/// What the consumer hears, with its time of arrival.
fn record(consumer: &Listener) -> Recording {
    let mut tap = consumer.consumer.tap();
    let mut recording = Recording::new();
    let span = |recording: &Recording| match (recording.first(), recording.last()) {
        (Some((first, _)), Some((last, _))) => last.saturating_since(*first),
        (_, _) => Duration::ZERO,
    };
    while span(&recording) < RECORDED {
        recording.push(tap.blocking_recv().expect("no datagram is lost"));
    }
    recording
}

/// Cores spent on each part, when the same datagrams are heard again in the order and at the times of their arrival.
#[derive(Default)]
struct Parts {
    decode: f64,
    ingest: f64,
    poll: f64,
    view: f64,
}

impl Parts {
    fn of(targets: Vec<Target>, recording: &Recording) -> Parts {
        let (decoding, datagrams) = spent(|| -> Vec<(MonoTime, Datagram)> {
            let decoded = recording.iter().map(|(at, bytes)| (*at, decode(bytes)));
            decoded
                .map(|(at, datagram)| (at, datagram.expect("a datagram")))
                .collect()
        });
        let mut quorum = Quorum::new(targets, Profile::fast());
        let start = recording.first().expect("a recording").0;
        let (mut ingesting, mut polling, mut viewing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (mut polled, mut viewed, mut revision) = (start, start, None);
        let mut rest = datagrams.as_slice();
        let mut measured = Duration::ZERO;
        while let Some((first, _)) = rest.first() {
            let due = polled + POLL;
            let (heard, later) = rest.split_at(rest.partition_point(|(at, _)| *at < due));
            rest = later;
            let (ingested, ()) = spent(|| {
                for (at, datagram) in heard {
                    quorum.ingest(datagram, *at).expect("it was accepted before");
                }
            });
            let (decided, _transitions) = spent(|| quorum.poll(due));
            let changed = revision.replace(quorum.revision()) != Some(quorum.revision());
            let (looked, ()) = spent(|| {
                if changed || due.saturating_since(viewed) >= VIEW {
                    viewed = due;
                    drop(std::hint::black_box(quorum.view(due)));
                }
            });
            if first.saturating_since(start) >= BELIEVING {
                ingesting += ingested;
                polling += decided;
                viewing += looked;
                measured += POLL;
            }
            polled = due;
        }
        let seconds = measured.as_secs_f64();
        Parts {
            decode: decoding.as_secs_f64() / RECORDED.as_secs_f64(),
            ingest: ingesting.as_secs_f64() / seconds,
            poll: polling.as_secs_f64() / seconds,
            view: viewing.as_secs_f64() / seconds,
        }
    }
}
