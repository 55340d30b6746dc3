//! The formulas that measured distributions are put beside: how long a Down takes, and how often loss alone makes one, as far as
//! the simulator needs more than the detector's own formula (`health/src/recurrence.rs`).

use std::time::Duration;

use lifeboat_health::{Bursts, Profile, at_once, usual_timeout};

/// What ticks of milliseconds add up to at most where a limit is a sum.
pub(super) const SLACK: Duration = Duration::from_millis(250);

/// How long a consumer takes to look, on average and at most.
const POLL: Duration = Duration::from_millis(10);

/// Mean time from a power-off to a Down by `observers`: (q/(V+1))·T + (k-1)·T + timeout + report.
pub fn mean_down(profile: &Profile, observers: u32) -> Duration {
    let interval = profile.interval().as_secs_f64();
    let q = f64::from(2 * observers / 3 + 1);
    let phase = q / f64::from(observers + 1) * interval;
    let streak = f64::from(profile.dead_misses.saturating_sub(1)) * interval;
    let report = profile.send() / 2 + Duration::from_millis(8) + POLL / 2;
    Duration::from_secs_f64(phase + streak) + usual_timeout(profile) + report
}

/// The longest time a power-off takes to be Down on links that are as they should be.
pub fn worst_down(profile: &Profile) -> Duration {
    profile.slowest_interval() * profile.dead_misses
        + usual_timeout(profile)
        + Duration::from_millis(60)
        + profile.send()
        + Duration::from_micros(super::world::WAY_US)
        + POLL
        + profile.cut_wait()
}

/// [`lifeboat_health::false_alarms_per_second`] with what it leaves out: a streak of just `misses` shows in the evidence only if a send falls between
/// its last miss, told a timeout late, and the success after it; and of a burst that has reached `misses`, one probe less
/// than its mean is still to come.
pub fn false_alarms_as_sampled(
    profile: &Profile,
    bursts: Bursts,
    misses: u32,
    observers: u32,
    votes: u32,
) -> f64 {
    let (interval, timeout) = (
        profile.interval().as_secs_f64(),
        usual_timeout(profile).as_secs_f64(),
    );
    let shown = ((interval - timeout) / profile.send().as_secs_f64()).clamp(0.0, 1.0);
    let exponent = f64::from(misses.saturating_sub(1));
    let rate = bursts.share / (bursts.mean * interval)
        * (1.0 - 1.0 / bursts.mean).powf(exponent)
        * (1.0 - (1.0 - shown) / bursts.mean);
    let lasts = (bursts.mean - 1.0 + f64::from(profile.clear_successes)) * interval - timeout;
    at_once(rate, lasts, observers, votes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_default_profile() {
        let mean = mean_down(&Profile::fast(), 5).as_millis();
        assert!((560..640).contains(&mean), "{mean} ms");
        let worst = worst_down(&Profile::fast());
        assert!(worst <= Duration::from_secs(1), "L1: {worst:?}");
    }
}
