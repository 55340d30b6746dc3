//! How often losses alone make a wrong Down: the closed formula, for bursts as a Gilbert-Elliott link makes them. Pure.
//!
//! λ = p/(B·T)·(1-1/B)^(k-1) is how often one observer is wrong, D = B·T + r·T - timeout how long, s = λD/(1+λD); q of V
//! independent observers are wrong at once V·C(V-1,q-1)·λ·s^(q-1)·(1-s)^(V-q) times a second.

use std::time::Duration;

use crate::profile::Profile;

/// Losses on the way of probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// p: share of probes lost.
    pub share: f64,
    /// B: mean length of a burst in probes, above 1.
    pub mean: f64,
}

/// A timeout once round trips are known to be short.
pub fn usual_timeout(profile: &Profile) -> Duration {
    Duration::from_millis(profile.timeout_min_ms.into())
}

/// How often `votes` of `observers` are wrong at once, per second and target, where each is after `misses` in a row.
pub fn false_alarms_per_second(
    profile: &Profile,
    bursts: Bursts,
    misses: u32,
    observers: u32,
    votes: u32,
) -> f64 {
    let (rate, lasts) = alone(profile, bursts, misses);
    at_once(rate, lasts, observers, votes)
}

/// How often a target is wrongly Down, per second. `correlation` is the share of bursts that hit all observers at once, with
/// those a quorum is wrong together (the β-factor model of common-cause failures, Fleming 1975); the rest are independent.
pub fn mistakes_per_second(profile: &Profile, bursts: Bursts, correlation: f64, observers: u32) -> f64 {
    let (rate, lasts) = alone(profile, bursts, profile.dead_misses);
    let votes = profile.q(observers);
    let common = if votes > 1 {
        correlation.clamp(0.0, 1.0)
    } else {
        0.0
    };
    common * rate + at_once((1.0 - common) * rate, lasts, observers, votes)
}

/// λ and D: how often one observer is wrong in a second, and for how many seconds.
fn alone(profile: &Profile, bursts: Bursts, misses: u32) -> (f64, f64) {
    let interval = profile.interval().as_secs_f64();
    let Bursts { share, mean } = bursts;
    let exponent = f64::from(misses.saturating_sub(1));
    let rate = share / (mean * interval) * (1.0 - 1.0 / mean).powf(exponent);
    let lasts = (mean + f64::from(profile.clear_successes)) * interval - usual_timeout(profile).as_secs_f64();
    (rate, lasts.max(0.0))
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
    (0..some)
        .map(|n| f64::from(of.saturating_sub(n)) / f64::from(n + 1))
        .product()
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
    fn what_hits_all_observers_at_once_is_as_frequent_as_for_one() {
        let (profile, bursts) = (
            Profile::fast(),
            Bursts {
                share: 0.01,
                mean: 3.0,
            },
        );
        let one = false_alarms_per_second(&profile, bursts, profile.dead_misses, 1, 1);
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 0.05, "{a} {b}");
        near(mistakes_per_second(&profile, bursts, 1.0, 5), one);
        near(mistakes_per_second(&profile, bursts, 0.5, 1), one);
        let apart = false_alarms_per_second(&profile, bursts, profile.dead_misses, 5, 4);
        near(mistakes_per_second(&profile, bursts, 0.0, 5), apart);
        assert!(mistakes_per_second(&profile, bursts, 0.01, 5) > 100.0 * apart);
    }
}
