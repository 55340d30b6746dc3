//! What this host lacks to reach a target is neither the target's fault nor a reason to say nothing of the others.

use super::*;
use crate::check::{Rcode, RecordType};

/// A link-local address without its link: no kernel has a way there.
const NOWHERE: &str = "[fe80::1]:80";

fn tcp(address: &str) -> Arc<Prober> {
    let address = address.parse().unwrap();
    prober(&Check::Tcp { address }, false)
}

fn attempt(prober: &Arc<Prober>, series: Series) -> Attempt {
    let slot = Slot::take(prober, 99).unwrap();
    Attempt::new(slot, series, prober.around.clock.now(), Duration::ZERO)
}

fn abstains(prober: &Prober) -> Option<AbstainReason> {
    let now = prober.around.clock.now();
    prober.around.check.lock().abstains(now)
}

#[tokio::test]
async fn a_target_without_a_way_is_not_usable() {
    let address: SocketAddr = NOWHERE.parse().unwrap();
    let dns = Check::Dns {
        address,
        name: "shop.example".into(),
        record_type: RecordType::A,
        rcode: Rcode::NoError,
        answer: None,
    };
    for check in [Check::Tcp { address }, http(format!("http://{NOWHERE}/")), dns] {
        let prober = prober(&check, false);
        let row = prober.ask(Series::Warm).await;
        assert_eq!((row.miss_streak, row.age_ms), (0, u32::MAX), "{check:?}");
        assert_eq!(prober.around.unusable.get(), 1, "{check:?}");
        let told = prober.told();
        assert!(told.starts_with("this host has no way to fe80::1: "), "{told}");
        assert!(told.contains("os error"), "{told}");
        assert_eq!(abstains(&prober), None, "{check:?}");
    }
}

/// What `failure` counts as: misses, probes that cannot be made, and the observer's blame of itself.
#[track_caller]
fn counts_as(to: &str, failure: Failure, misses: u64, unusable: u64, blame: Option<AbstainReason>) {
    let prober = tcp(to);
    let missed = attempt(&prober, Series::Warm).fail(failure);
    let around = &prober.around;
    assert_eq!(missed, misses > 0);
    assert_eq!(
        (around.missed.get(), around.unusable.get(), abstains(&prober)),
        (misses, unusable, blame),
        "{to}: {failure:?}: {}",
        prober.told()
    );
}

#[test]
fn whose_fault_it_is_depends_on_whether_there_is_a_way() {
    let near = "127.0.0.1:1";
    let local = Some(AbstainReason::Local);
    counts_as(near, Failure::Miss(Hard::NONE), 1, 0, None);
    counts_as(near, Failure::Local, 0, 0, local);
    counts_as(near, Failure::Forbidden(libc::EPERM), 0, 1, None);
    counts_as(near, Failure::Forbidden(libc::EACCES), 0, 1, None);
    counts_as("[::1]:1", Failure::Forbidden(libc::EACCES), 1, 0, None);
    for lacking in [
        Failure::Miss(Hard::NONE),
        Failure::Local,
        Failure::Forbidden(libc::EPERM),
    ] {
        counts_as(NOWHERE, lacking, 0, 1, None);
    }
    counts_as(NOWHERE, Failure::Miss(Hard::RESET), 1, 0, None);
}

/// On a connection that stands a lost way shows as silence.
#[tokio::test]
async fn silence_without_a_way_is_no_miss() {
    let prober = tcp(NOWHERE);
    let attempt = attempt(&prober, Series::Warm);
    let waited = attempt.wait(Phase::Warm, std::future::pending::<()>()).await;
    assert!(matches!(waited, Err(Failure::Recorded)));
    assert_eq!((prober.around.missed.get(), prober.around.unusable.get()), (0, 1));
}

#[test]
fn no_streak_goes_on_over_a_probe_that_could_not_be_made() {
    let prober = tcp("127.0.0.1:1");
    let fail = |series, failure| {
        attempt(&prober, series).fail(failure);
        prober.facts()
    };
    let cannot = Failure::Forbidden(libc::EPERM);
    for _ in 0..4 {
        fail(Series::Warm, Failure::Miss(Hard::REFUSED));
    }
    assert_eq!(fail(Series::Fresh, cannot).miss_streak, 4, "the warm ones go on");
    let row = fail(Series::Warm, cannot);
    assert_eq!((row.miss_streak, row.silence(), row.hard), (0, 0, Hard::NONE));
    assert_eq!(fail(Series::Warm, Failure::Miss(Hard::NONE)).miss_streak, 1);
    attempt(&prober, Series::Warm).good(Took::default());
    assert_eq!(fail(Series::Warm, cannot).success_streak, 0);
}
