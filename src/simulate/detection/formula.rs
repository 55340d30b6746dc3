//! The closed formulas that measured distributions are put beside: how long a Down takes, and how often loss alone makes
//! one (Gilbert-Elliott losses, independent observers).

use std::time::Duration;

use lifeboat_health::Profile;

/// What ticks of milliseconds add up to at most where a limit is a sum.
pub(super) const SLACK: Duration = Duration::from_millis(250);

/// How long a consumer takes to look, on average and at most.
const POLL: Duration = Duration::from_millis(10);

/// A timeout once round trips are known to be short.
fn usual_timeout(profile: &Profile) -> Duration {
    Duration::from_millis(profile.timeout_min_ms.into())
}

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

/// Losses on the way of probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// Share of probes lost.
    pub share: f64,
    /// Mean length of a burst in probes, above 1.
    pub mean: f64,
}

/// How often `votes` of `observers` are wrong at once, per second and target: with λ = p/(B·T)·(1-1/B)^(k-1) and
/// D = B·T + r·T - timeout, s = λD/(1+λD) and V·C(V-1,q-1)·λ·s^(q-1)·(1-s)^(V-q).
pub fn false_alarms_per_second(
    profile: &Profile,
    bursts: Bursts,
    misses: u32,
    observers: u32,
    votes: u32,
) -> f64 {
    let interval = profile.interval().as_secs_f64();
    let Bursts { share, mean } = bursts;
    let exponent = f64::from(misses.saturating_sub(1));
    let rate = share / (mean * interval) * (1.0 - 1.0 / mean).powf(exponent);
    let lasts = (mean + f64::from(profile.clear_successes)) * interval - usual_timeout(profile).as_secs_f64();
    at_once(rate, lasts, observers, votes)
}

/// The same with what the formula leaves out: a streak of just `misses` shows in the evidence only if a send falls between
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

/// How often `votes` of `observers` are wrong at once, each by itself `rate` times a second for `lasts` seconds.
fn at_once(rate: f64, lasts: f64, observers: u32, votes: u32) -> f64 {
    let wrong = rate * lasts / (1.0 + rate * lasts);
    let others = choose(observers.saturating_sub(1), votes.saturating_sub(1));
    f64::from(observers)
        * others
        * rate
        * wrong.powf(f64::from(votes.saturating_sub(1)))
        * (1.0 - wrong).powf(f64::from(observers.saturating_sub(votes)))
}

fn choose(of: u32, some: u32) -> f64 {
    (0..some).map(|n| f64::from(of - n) / f64::from(n + 1)).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_S: f64 = 365.25 * 86_400.0;

    /// The table of the design's notes was made with a timeout of 150 ms.
    fn check(share: f64, misses: u32, observers: u32, votes: u32, expected_s: f64) {
        let profile = Profile {
            timeout_min_ms: 150,
            ..Profile::fast()
        };
        let bursts = Bursts { share, mean: 3.0 };
        let mean_s = 1.0 / false_alarms_per_second(&profile, bursts, misses, observers, votes);
        assert!(
            (0.9..1.1).contains(&(mean_s / expected_s)),
            "{share} {misses} {observers} {votes}: {mean_s} s"
        );
    }

    #[test]
    fn the_table_of_the_notes() {
        check(0.001, 3, 1, 1, 11.25 * 60.0);
        check(0.01, 3, 1, 1, 68.0);
        check(0.01, 3, 3, 2, 28.0 * 60.0);
        check(0.005, 3, 5, 3, 4.7 * 86_400.0);
        check(0.001, 3, 5, 4, 3_600.0 * YEAR_S);
        check(0.01, 3, 5, 4, 135.0 * 86_400.0);
        check(0.001, 3, 7, 5, 1e6 * YEAR_S);
    }

    #[test]
    fn times_of_the_default_profile() {
        let mean = mean_down(&Profile::fast(), 5).as_millis();
        assert!((560..640).contains(&mean), "{mean} ms");
        let worst = worst_down(&Profile::fast());
        assert!(worst <= Duration::from_secs(1), "L1: {worst:?}");
    }
}
