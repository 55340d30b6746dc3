//! Waiting for one phase of a probe: missed at its timeout, but listened to until the largest timeout, so that the
//! estimate learns what a slow answer took.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use super::Failure;
use crate::clock::MonoClock;
use crate::time::MonoTime;

/// A phase that ended before the largest timeout.
pub(super) enum Waited<T> {
    InTime(T, Duration),
    /// After the timeout; `missed` has been called.
    Late(T, Duration),
}

/// Await `phase` for `soft`, then call `missed`, which says whether to go on until `hard`.
///
/// # Errors
/// The loop woke more than `lag` too late, so the timeout says nothing; or nothing came at all.
pub(super) async fn wait<T>(
    clock: MonoClock,
    phase: impl Future<Output = T>,
    (soft, hard): (Duration, Duration),
    lag: Duration,
    missed: impl FnOnce() -> bool,
) -> Result<Waited<T>, Failure> {
    let mut phase = pin!(phase);
    let started = clock.now();
    if let Ok(ended) = timeout(soft, phase.as_mut()).await {
        return Ok(Waited::InTime(ended, clock.now().saturating_since(started)));
    }
    let late = overslept(clock, started, soft);
    if late > lag {
        return Err(Failure::Lag(late));
    }
    if !missed() {
        return Err(Failure::Recorded);
    }
    match timeout(hard.saturating_sub(soft), phase).await {
        Ok(ended) => Ok(Waited::Late(ended, clock.now().saturating_since(started))),
        Err(_) => Err(Failure::Recorded),
    }
}

fn overslept(clock: MonoClock, started: MonoTime, soft: Duration) -> Duration {
    clock.now().saturating_since(started + soft)
}
