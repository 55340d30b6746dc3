//! How much a thousand black-holed targets delay the probes of healthy ones.
//!
//! Healthy targets are probed for a while alone and then beside the black-holed ones, as an observer does it: one
//! thread, one runtime. The delay of a probe is the time from when it was due to the first byte of its answer. The
//! black hole is a listener that drops every packet, on an address of its own for each target.
//!
//! Both are done several times in turn, and medians are compared. A thread that only sleeps tells how long the machine itself stood
//! still meanwhile.
//!
//! Exits with 1 where a percentile or the largest delay rose by more than the claim.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints what it found and stops at what it cannot use"
)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use lifeboat_health::metrics::ObserverMetrics;
use lifeboat_health::probe::{Prober, ProberKey, Surroundings, raise_descriptor_limit};
use lifeboat_health::{Check, Family, Profile, StatusRange};
use socket2::{Domain, SockFilter, Socket, Type};
use tokio_util::sync::CancellationToken;

const BLACK_HOLED: usize = 1_000;
const HEALTHY: usize = 20;
const CLAIM: Duration = Duration::from_millis(5);
/// Not measured: connections are made, estimates learn.
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);
const ROUNDS: usize = 7;
const TICK: Duration = Duration::from_millis(1);
/// More outcomes than a run has.
const MOST_OUTCOMES: usize = 1 << 17;

fn main() -> ExitCode {
    // Cargo hands every benchmark this; a test run only wants to see it build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let limit = raise_descriptor_limit();
    println!(
        "descriptors allowed: {}",
        limit.map_or_else(|| "any".to_owned(), |n| n.to_string())
    );
    let healthy = serve();
    let (_hole, port) = black_hole();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        for (held, black_holed) in [(&mut alone, 0), (&mut beside, BLACK_HOLED)] {
            let delays = measure(healthy, port, black_holed);
            delays.print(&format!("{round} of {ROUNDS}, beside {black_holed} black-holed"));
            held.push(delays);
        }
    }
    let missed: usize = beside.iter().map(|delays| delays.missed).sum();
    let [alone, beside] = [alone, beside].map(|held| Delays::medians(&held));
    alone.print("median alone");
    beside.print(&format!("median beside {BLACK_HOLED} black-holed"));
    let added = [
        ("p50", alone.p50, beside.p50),
        ("p99", alone.p99, beside.p99),
        ("max", alone.max, beside.max),
    ]
    .map(|(name, before, after)| (name, after.saturating_sub(before)));
    let mut holds = missed == 0;
    for (name, added) in added {
        println!("added {name} {:.3} ms", ms(added));
        holds &= added <= CLAIM;
    }
    println!(
        "claim: at most {} ms added: {}",
        CLAIM.as_millis(),
        if holds { "holds" } else { "broken" }
    );
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Delays {
    probes: usize,
    missed: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
    /// The longest that the machine stood still.
    stalled: Duration,
}

impl Delays {
    fn of(mut all: Vec<Duration>, missed: usize, stalled: Duration) -> Delays {
        all.sort_unstable();
        let at = |share: f64| {
            let index = (all.len() as f64 * share) as usize;
            all.get(index.min(all.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        Delays {
            probes: all.len(),
            missed,
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
            stalled,
        }
    }

    fn medians(all: &[Delays]) -> Delays {
        let median = |of: fn(&Delays) -> Duration| {
            let mut all: Vec<Duration> = all.iter().map(of).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        Delays {
            probes: all.iter().map(|delays| delays.probes).sum(),
            missed: all.iter().map(|delays| delays.missed).sum(),
            p50: median(|delays| delays.p50),
            p99: median(|delays| delays.p99),
            max: median(|delays| delays.max),
            stalled: median(|delays| delays.stalled),
        }
    }

    fn print(&self, when: &str) {
        println!(
            "{when}: {} probes, {} missed, delay p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms; the machine stalled {:.3} ms",
            self.probes,
            self.missed,
            ms(self.p50),
            ms(self.p99),
            ms(self.max),
            ms(self.stalled)
        );
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The delays of the healthy targets' probes while `black_holed` others are probed.
fn measure(healthy: SocketAddr, port: u16, black_holed: usize) -> Delays {
    let (tell, told) = sync_channel(MOST_OUTCOMES);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let stalled = runtime.block_on(async {
        let stop = CancellationToken::new();
        let surroundings = surroundings(tell);
        let dark = Arc::new(Surroundings::new(
            "dark",
            Profile::fast(),
            &ObserverMetrics::default(),
        ));
        for n in 0..HEALTHY {
            drive(format!("http://{healthy}/{n}"), n, &surroundings, &stop);
        }
        for n in 0..black_holed {
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 77, 0, 1)) + n as u32);
            drive(format!("http://{address}:{port}/"), n, &dark, &stop);
        }
        tokio::time::sleep(WARM_UP).await;
        drop(drain(&told));
        let stalls = std::thread::spawn(longest_stall);
        tokio::time::sleep(MEASURED).await;
        stop.cancel();
        stalls.join().unwrap_or_default()
    });
    let outcomes = drain(&told);
    let missed = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    Delays::of(outcomes.into_iter().flatten().collect(), missed, stalled)
}

/// By how much a thread that does nothing else woke too late at most.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn longest_stall() -> Duration {
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    while start.elapsed() < MEASURED {
        let before = Instant::now();
        std::thread::sleep(TICK);
        longest = longest.max(before.elapsed().saturating_sub(TICK));
    }
    longest
}

fn drain(told: &Receiver<Option<Duration>>) -> Vec<Option<Duration>> {
    told.try_iter().collect()
}

fn surroundings(tell: SyncSender<Option<Duration>>) -> Arc<Surroundings> {
    let surroundings = Surroundings::new("healthy", Profile::fast(), &ObserverMetrics::default());
    Arc::new(surroundings.with_tap(Box::new(move |outcome, late| {
        let took = [outcome.connect, outcome.first_byte]
            .into_iter()
            .flatten()
            .sum::<Duration>();
        let delay = outcome.miss.is_none().then_some(late + took);
        // A full channel loses an outcome; it has room for all of them.
        let _ = tell.try_send(delay);
    })))
}

fn drive(url: String, seed: usize, around: &Arc<Surroundings>, stop: &CancellationToken) {
    let check = Check::Http {
        url,
        host: None,
        expect: StatusRange::default(),
    };
    let probe = check.parse(Family::V4).expect("a check");
    let key = ProberKey::anchor(check, Family::V4);
    let prober = Arc::new(Prober::new(&key, probe, Arc::clone(around)));
    tokio::spawn(prober.drive(seed as u64, stop.clone()));
}

/// Answers on threads of its own, so that only the prober's delays count.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    use std::io::{Read, Write};
    let mut bytes = [0; 1_024];
    // A request fits into one segment.
    while let Ok(1..) = stream.read(&mut bytes) {
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

/// A listener on every loopback address that drops what comes: no SYN-ACK, no RST.
fn black_hole() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = (Ipv4Addr::UNSPECIFIED, 0).into();
    socket.bind(&any.into()).expect("a port");
    // BPF_RET | BPF_K with nothing to keep.
    socket
        .attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])
        .expect("a filter");
    socket.listen(16).expect("to listen");
    let address = socket.local_addr().expect("its address");
    (socket, address.as_socket().expect("an IP address").port())
}
