//! Waiting for one phase of a probe: missed at its timeout, but listened to until the largest timeout, so that the
//! estimate learns what a slow answer took.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use super::Failure;
use crate::clock::MonoClock;

/// A phase that ended before the largest timeout.
pub(super) enum Waited<T> {
    InTime(T, Duration),
    /// After the timeout; `missed` has been called.
    Late(T, Duration),
}

/// Await `phase` for `soft`, then call `missed`, which says whether to go on until `hard`.
///
/// # Errors
/// The loop woke more than `lag` too late, so that neither a timeout nor what an answer took says anything of the
/// target; or nothing came at all.
pub(super) async fn wait<T>(
    clock: MonoClock,
    phase: impl Future<Output = T>,
    (soft, hard): (Duration, Duration),
    lag: Duration,
    missed: impl FnOnce() -> bool,
) -> Result<Waited<T>, Failure> {
    let mut phase = pin!(phase);
    let started = clock.now();
    // An answer that is there is taken however late the loop wakes: only the clock tells that the process stood still.
    let ended = timeout(soft, phase.as_mut()).await;
    let took = clock.now().saturating_since(started);
    let late = took.saturating_sub(soft);
    if late > lag {
        return Err(Failure::Lag(late));
    }
    if let Ok(ended) = ended {
        return Ok(Waited::InTime(ended, took));
    }
    if !missed() {
        return Err(Failure::Recorded);
    }
    let ended = timeout(hard.saturating_sub(soft), phase).await;
    let took = clock.now().saturating_since(started);
    match ended {
        Ok(ended) if took <= hard + lag => Ok(Waited::Late(ended, took)),
        Ok(_) | Err(_) => Err(Failure::Recorded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[tokio::test]
    async fn a_pause_of_the_process_is_no_round_trip() {
        let clock = MonoClock::new();
        // The process stands still, and the answer is there when it goes on.
        let answer = || async { std::thread::sleep(ms(40)) };
        let ended = wait(clock, answer(), (ms(10), ms(20)), ms(10), || true).await;
        assert!(matches!(ended, Err(Failure::Lag(late)) if late >= ms(30)));
        let ended = wait(clock, answer(), (ms(10), ms(20)), ms(10_000), || true).await;
        assert!(matches!(ended, Ok(Waited::InTime((), took)) if took >= ms(40)));
    }

    #[tokio::test]
    async fn a_pause_while_a_late_answer_is_listened_for_teaches_nothing() {
        let missed = std::cell::Cell::new(false);
        let phase = std::future::poll_fn(|_| {
            if !missed.get() {
                return std::task::Poll::Pending;
            }
            std::thread::sleep(ms(40));
            std::task::Poll::Ready(())
        });
        let miss = || {
            missed.set(true);
            true
        };
        // The soft timeout may be noticed late, as on any busy machine; the hard one is long over.
        let ended = wait(MonoClock::new(), phase, (ms(1), ms(2)), ms(10), miss).await;
        assert!(matches!(ended, Err(Failure::Recorded | Failure::Lag(_))));
    }
}
