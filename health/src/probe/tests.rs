//! Each kind against a real server on a free port.

#![allow(clippy::disallowed_methods, reason = "a test measures")]

mod dns;
mod grpc;
mod icmp;
mod names;
mod program;
mod tls;
mod way;

use super::*;
use crate::check::StatusRange;
use crate::selfcheck::AbstainReason;
use crate::server::{Manners, Server};

const NAME: &str = "eu-1/traffic/ipv4";

fn profile() -> Profile {
    Profile {
        timeout_min_ms: 30,
        timeout_max_ms: 200,
        phase_timeout_ms: 200,
        ..Profile::fast()
    }
}

fn prober(check: &Check, control: bool) -> Arc<Prober> {
    prober_with(profile(), check, control)
}

/// For tests in which a busy machine must not look like a slow target.
fn patient() -> Profile {
    Profile {
        timeout_min_ms: 300,
        ..Profile::fast()
    }
}

fn prober_with(profile: Profile, check: &Check, control: bool) -> Arc<Prober> {
    let around = Arc::new(Surroundings::new("o", profile, &ObserverMetrics::default()));
    let family = check.family().unwrap_or(Family::V4);
    let key = ProberKey {
        check: check.clone(),
        family,
        control,
        own_profile: None,
    };
    let prober = Arc::new(Prober::new(&key, check.parse(family).unwrap(), around));
    prober.set_names(vec![NAME.to_owned()]);
    prober
}

fn http(url: String) -> Check {
    Check::Http {
        url,
        host: Some("shop.demo.example".into()),
        expect: StatusRange::default(),
    }
}

impl Prober {
    async fn ask(self: &Arc<Self>, series: Series) -> Row {
        let slot = Slot::take(self, 99).unwrap();
        Attempt::new(slot, series, self.around.clock.now(), Duration::ZERO)
            .run()
            .await;
        self.facts()
    }

    fn facts(&self) -> Row {
        self.row(TargetId(1), self.around.clock.now())
    }

    /// What was told last.
    fn told(&self) -> String {
        self.told.lock().last().unwrap_or_default().to_owned()
    }
}

/// A port that nobody listens on.
async fn free_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

#[tokio::test]
async fn warm_probes_share_a_connection_and_fresh_ones_do_not() {
    let server = Server::start(Manners::Answer(200)).await;
    let prober = prober_with(patient(), &http(server.url()), false);
    for _ in 0..5 {
        prober.ask(Series::Warm).await;
    }
    assert_eq!(server.connections(), 1);
    let row = prober.ask(Series::Fresh).await;
    assert_eq!(
        (row.success_streak, row.miss_streak, server.connections()),
        (5, 0, 2)
    );
    assert!(row.rtt_us > 0);
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 6);
    assert_eq!(server.connections(), 2);
}

/// Beyond every timeout and within `lateMs`.
#[tokio::test]
async fn a_late_answer_is_listened_to_and_ends_the_silence() {
    let server = Server::start(Manners::Slow(Duration::from_millis(400))).await;
    let prober = prober(&http(server.url()), false);
    for n in 1..=3_u8 {
        let row = prober.ask(Series::Warm).await;
        assert_eq!(
            (row.miss_streak, row.silence(), row.late_of_100),
            (n.into(), 0, n)
        );
        assert!(row.rtt_us >= 400_000, "{row:?}");
    }
    server.set(Manners::Silent);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.silence(), row.late_of_100), (4, 1, 3));
}

#[tokio::test]
async fn only_an_anchor_with_a_fresh_answer_is_good() {
    let later = MonoTime::from_millis(60_000);
    let server = Server::start(Manners::Answer(200)).await;
    let anchor = prober_with(patient(), &http(server.url()), false);
    let now = |anchor: &Prober| anchor.around.clock.now();
    assert_eq!(anchor.anchor(later, now(&anchor)), Anchor::Asked);
    assert_eq!(anchor.anchor(MonoTime::ZERO, now(&anchor)), Anchor::Silent);
    anchor.ask(Series::Warm).await;
    assert_eq!(anchor.anchor(later, now(&anchor)), Anchor::Answered(0));
    let stale = now(&anchor) + patient().fresh() + Duration::from_millis(1);
    assert_eq!(anchor.anchor(later, stale), Anchor::Silent);
    let because = anchor.silent_because(stale);
    assert!(
        because.ends_with("missed 0 in a row, and its last answer is stale"),
        "{because}"
    );
    // One that cannot be probed is known at its first probe.
    let unusable = prober(
        &Check::Program {
            command: vec!["/nowhere/at/all".into()],
            env: std::collections::BTreeMap::new(),
        },
        false,
    );
    assert_eq!(unusable.anchor(later, now(&unusable)), Anchor::Asked);
    unusable.ask(Series::Warm).await;
    assert_eq!(unusable.anchor(later, now(&unusable)), Anchor::Silent);
    let because = unusable.silent_because(now(&unusable));
    assert!(
        because.contains("cannot be probed: start /nowhere/at/all"),
        "{because}"
    );
}

#[tokio::test]
async fn an_error_of_the_server_is_no_silence_on_a_traffic_path() {
    let server = Server::start(Manners::Answer(503)).await;
    let traffic = prober(&http(server.url()), false);
    traffic.ask(Series::Warm).await;
    let row = traffic.ask(Series::Warm).await;
    let errors = (row.errors_of_100, row.error_streak);
    assert_eq!((row.miss_streak, row.silence(), errors), (2, 0, (2, 2)));
    server.set(Manners::Answer(404));
    let row = traffic.ask(Series::Warm).await;
    let errors = (row.errors_of_100, row.error_streak);
    assert_eq!(
        (row.miss_streak, row.silence(), errors),
        (3, 1, (2, 0)),
        "another status is a miss like any"
    );
    server.set(Manners::Answer(503));
    let control = prober_with(profile(), &http(server.url()), true);
    let row = control.ask(Series::Warm).await;
    assert_eq!(
        (row.silence(), row.errors_of_100, row.hard),
        (1, 0, Hard::SERVER_ERROR)
    );
}

#[tokio::test]
async fn silence_is_a_miss_without_hard_evidence_and_costs_the_connection() {
    let server = Server::start(Manners::Silent).await;
    let prober = prober(&http(server.url()), true);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
    server.set(Manners::Answer(200));
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 1);
    assert_eq!(
        server.connections(),
        2,
        "the connection that timed out is not used again"
    );
}

#[tokio::test]
async fn refused_and_reset_are_hard_evidence() {
    let refused = prober(&http(format!("http://{}/", free_port().await)), false);
    let row = refused.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::REFUSED));
    let server = Server::start(Manners::Reset).await;
    let row = prober(&http(server.url()), false).ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::RESET));
}

#[tokio::test]
async fn a_server_error_is_hard_evidence_on_a_control_path_alone() {
    let server = Server::start(Manners::Answer(503)).await;
    let control = prober(&http(server.url()), true).ask(Series::Warm).await;
    assert_eq!((control.miss_streak, control.hard), (1, Hard::SERVER_ERROR));
    let traffic = prober(&http(server.url()), false).ask(Series::Warm).await;
    assert_eq!((traffic.miss_streak, traffic.hard), (1, Hard::NONE));
    server.set(Manners::Answer(404));
    let control = prober(&http(server.url()), true).ask(Series::Warm).await;
    assert_eq!((control.miss_streak, control.hard), (1, Hard::NONE));
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_a_miss() {
    let server = Server::start(Manners::CloseAfterAnswer).await;
    let prober = prober_with(patient(), &http(server.url()), false);
    for expected in 1..=10 {
        let row = prober.ask(Series::Warm).await;
        assert_eq!((row.success_streak, row.miss_streak), (expected, 0));
    }
}

#[tokio::test]
async fn a_late_answer_teaches_the_timeout() {
    let server = Server::start(Manners::Answer(200)).await;
    let prober = prober(&http(server.url()), false);
    for _ in 0..30 {
        prober.ask(Series::Warm).await;
    }
    server.set(Manners::Slow(Duration::from_millis(100)));
    let mut misses = 0;
    while prober.ask(Series::Warm).await.miss_streak > 0 {
        misses += 1;
        assert!(misses < 4, "the timeout does not learn");
    }
}

#[tokio::test]
async fn tcp_handshakes() {
    let server = Server::start(Manners::Silent).await;
    let row = prober(&Check::Tcp { address: server.addr }, false)
        .ask(Series::Warm)
        .await;
    assert_eq!(row.success_streak, 1);
    let row = prober(
        &Check::Tcp {
            address: free_port().await,
        },
        false,
    )
    .ask(Series::Warm)
    .await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::REFUSED));
}

#[tokio::test]
async fn a_name_is_resolved_to_the_targets_family() {
    let server = Server::start(Manners::Answer(200)).await;
    let url = format!("http://localhost:{}/", server.addr.port());
    let prober = prober_with(patient(), &http(url), false);
    let start = std::time::Instant::now();
    // The first probes do not wait for the lookup.
    while prober.ask(Series::Warm).await.success_streak == 0 {
        assert_eq!(prober.facts().miss_streak, 0);
        assert!(start.elapsed() < Duration::from_secs(20), "{}", prober.told());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A target that is silent holds as many probes as it may, and the one beside it does not notice.
#[tokio::test]
async fn silence_delays_nobody_else() {
    let (silent, well) = (
        Server::start(Manners::Silent).await,
        Server::start(Manners::Answer(200)).await,
    );
    let (silent, well) = (
        prober(&http(silent.url()), false),
        prober(&http(well.url()), false),
    );
    let stop = CancellationToken::new();
    let tasks =
        [(&silent, 1), (&well, 2)].map(|(p, seed)| tokio::spawn(Arc::clone(p).drive(seed, stop.clone())));
    let both = async {
        loop {
            let now = well.around.clock.now();
            if well.row(TargetId(1), now).success_streak >= 8 && silent.row(TargetId(2), now).miss_streak >= 4
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    stop.cancel();
    for task in tasks {
        task.await.unwrap();
    }
}

/// A round trip of one and a half T: probes overlap on connections of their own, and none is missed.
#[tokio::test]
async fn a_round_trip_longer_than_t_does_not_stall() {
    let server = Server::start(Manners::Slow(Duration::from_millis(150))).await;
    let prober = prober_with(patient(), &http(server.url()), false);
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&prober).drive(3, stop.clone()));
    let start = std::time::Instant::now();
    while prober.facts().success_streak < 20 {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(prober.around.skipped.get(), 0);
    assert!(
        (2..=8).contains(&server.connections()),
        "{} connections",
        server.connections()
    );
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn both_families_are_probed() {
    let addr = (std::net::Ipv6Addr::LOCALHOST, 0).into();
    let server = Server::start_at(addr, Manners::Answer(200)).await;
    let row = prober(&http(server.url()), false).ask(Series::Warm).await;
    assert_eq!(row.success_streak, 1);
    let row = prober(&Check::Tcp { address: server.addr }, false)
        .ask(Series::Warm)
        .await;
    assert_eq!(row.success_streak, 1);
}

#[test]
fn targets_of_one_address_and_check_share_a_prober() {
    let key = |target: &Target| ProberKey::of(target, &Profile::fast());
    let target = |cluster: &str, path, url: &str| {
        key(&Target {
            cluster: cluster.into(),
            path,
            family: Family::V4,
            check: http(url.into()),
            detection: None,
        })
    };
    let one = target("a", Path::Traffic, "http://127.0.0.1/");
    assert_eq!(one, target("b", Path::Traffic, "http://127.0.0.1/"));
    assert_ne!(one, target("a", Path::Traffic, "http://127.0.0.2/"));
    assert_ne!(
        one,
        target("a", Path::Control, "http://127.0.0.1/"),
        "a 5xx differs in meaning"
    );
    let tcp = |path| {
        key(&Target {
            cluster: "a".into(),
            path,
            family: Family::V4,
            check: Check::Tcp {
                address: ([127, 0, 0, 1], 1).into(),
            },
            detection: None,
        })
    };
    assert_eq!(tcp(Path::Traffic), tcp(Path::Control));
}

#[test]
fn targets_that_are_to_be_probed_otherwise_have_a_prober_of_their_own() {
    let key = |patch: serde_json::Value| {
        let target = Target {
            cluster: "a".into(),
            path: Path::Traffic,
            family: Family::V4,
            check: http("http://127.0.0.1/".into()),
            detection: serde_json::from_value(patch).unwrap(),
        };
        ProberKey::of(&target, &Profile::fast())
    };
    let fleet = key(serde_json::json!(null));
    assert_eq!(
        fleet,
        key(serde_json::json!({"deadMisses": 9})),
        "only judged otherwise"
    );
    assert_eq!(
        fleet,
        key(serde_json::json!({"intervalMs": 100})),
        "as the fleet has it"
    );
    assert_eq!(fleet.own_timeout(), None);
    let wan = key(serde_json::json!({"preset": "wan"}));
    assert_ne!(fleet, wan);
    assert_eq!(wan, key(serde_json::json!({"preset": "wan", "deadMisses": 9})));
    assert_eq!(wan.own_timeout(), Some(Duration::from_millis(800)));
}

/// How often a server is asked within a second says T.
#[tokio::test]
async fn a_target_is_probed_at_its_own_pace() {
    let server = Server::start(Manners::Answer(200)).await;
    let check = http(server.url());
    let target = Target {
        cluster: "a".into(),
        path: Path::Traffic,
        family: Family::V4,
        check: check.clone(),
        detection: Some(Box::new(crate::ProfilePatch {
            interval_ms: Some(20),
            timeout_max_ms: Some(100),
            phase_timeout_ms: Some(100),
            ..crate::ProfilePatch::default()
        })),
    };
    let fleet = Profile {
        interval_ms: 60_000,
        fresh_ms: 300_000,
        down_window_ms: 300_000,
        partial_after_ms: 300_000,
        ..Profile::fast()
    };
    let key = ProberKey::of(&target, &fleet);
    let probe = check.parse(Family::V4).unwrap();
    let around = Arc::new(Surroundings::new("o", fleet, &ObserverMetrics::default()));
    let prober = Arc::new(Prober::new(&key, probe, around));
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&prober).drive(1, stop.clone()));
    // At the fleet's T the third success would take minutes.
    let third = async {
        while prober.row(TargetId(0), prober.around.clock.now()).success_streak < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), third)
        .await
        .unwrap();
    stop.cancel();
}

/// A probe that is decided and only listened to leaves its place to the next one.
#[tokio::test]
async fn listening_for_late_answers_keeps_no_probe_back() {
    let server = Server::start(Manners::Silent).await;
    let prober = prober(&http(server.url()), false);
    let slot = Slot::take(&prober, 1).unwrap();
    assert!(Slot::take(&prober, 1).is_none());
    let attempt = Attempt::new(slot, Series::Warm, prober.around.clock.now(), Duration::ZERO);
    let prober_then = Arc::clone(&prober);
    let listening = attempt.wait(Phase::Warm, async move {
        while prober_then.facts().miss_streak == 0 {
            tokio::task::yield_now().await;
        }
        Slot::take(&prober_then, 1).is_some()
    });
    prober
        .detector
        .lock()
        .record_late(Phase::Warm, Duration::from_micros(1));
    assert!(matches!(listening.await, Ok(wait::Waited::Late(true, _))));
}
