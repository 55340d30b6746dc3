//! How long a Down takes, the formula that measured distributions are put beside. How often loss alone makes one is the
//! detector's own formula (`health/src/recurrence.rs`).

use std::time::Duration;

use lifeboat_health::{Profile, usual_timeout};

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
