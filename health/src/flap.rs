//! Damps the return of a cluster that keeps going down; a withdrawal is never damped (after RFC 2439).

use std::time::Duration;

use crate::profile::Profile;
use crate::time::MonoTime;

/// The flap penalty of one target.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flap {
    penalty: f64,
    /// When `penalty` was right.
    at: MonoTime,
    suppressed: bool,
    downs: u32,
}

impl Flap {
    /// The target went Down.
    pub fn strike(&mut self, now: MonoTime, profile: &Profile) {
        let half_lives = f64::from(profile.flap_max_s) / f64::from(profile.flap_half_life_s);
        let ceiling = f64::from(profile.flap_release) * half_lives.exp2();
        if self.penalty(now, profile) < f64::from(profile.flap_release) {
            self.downs = 0;
        }
        self.downs = self.downs.saturating_add(1);
        self.penalty = (self.penalty(now, profile) + f64::from(profile.flap_penalty)).min(ceiling);
        self.at = now;
        self.suppressed |= self.penalty > f64::from(profile.flap_suppress);
    }

    /// The penalty as it has decayed by `now`.
    pub fn penalty(&self, now: MonoTime, profile: &Profile) -> f64 {
        if self.penalty <= 0.0 {
            return 0.0;
        }
        let half_life = Duration::from_secs(profile.flap_half_life_s.max(1).into());
        let elapsed = now.saturating_since(self.at).as_secs_f64() / half_life.as_secs_f64();
        self.penalty * (-elapsed).exp2()
    }

    /// Whether the penalty keeps the target out, as of the last strike or release.
    pub fn suppressed(&self) -> bool {
        self.suppressed
    }

    /// Strikes since the penalty was last below the release, as of the last one.
    pub fn downs(&self) -> u32 {
        self.downs
    }

    /// When the penalty has decayed to the release, if no strike follows; not after the last strike where it has.
    pub fn release_at(&self, profile: &Profile) -> MonoTime {
        if self.penalty <= 0.0 {
            return self.at;
        }
        let half_lives = (self.penalty / f64::from(profile.flap_release.max(1)))
            .log2()
            .max(0.0);
        self.at + Duration::from_secs_f64(half_lives * f64::from(profile.flap_half_life_s))
    }

    /// Let the target in again once the penalty has decayed far enough.
    pub fn release(&mut self, now: MonoTime, profile: &Profile) {
        if self.suppressed && self.penalty(now, profile) < f64::from(profile.flap_release) {
            self.suppressed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_millis(seconds * 1_000)
    }

    /// Strikes at the given seconds; answers with the suppression after the last and when it ends, in whole
    /// seconds.
    fn run(strikes: &[u64]) -> (bool, u64) {
        let profile = Profile::fast();
        let mut flap = Flap::default();
        strikes.iter().for_each(|s| flap.strike(at(*s), &profile));
        let suppressed = flap.suppressed();
        let last = strikes.last().copied().unwrap_or(0);
        let released = (last..last + 5_000).find(|s| {
            flap.release(at(*s), &profile);
            !flap.suppressed()
        });
        (suppressed, released.unwrap() - last)
    }

    #[test]
    fn the_numbers_of_the_design() {
        assert_eq!(run(&[0]), (false, 0));
        assert_eq!(run(&[0, 20]), (false, 0));
        let (suppressed, seconds) = run(&[0, 20, 40]);
        assert!(suppressed, "15 s up and 5 s down: suppressed by the third Down");
        assert!((570..=590).contains(&seconds), "{seconds}");
        assert_eq!(run(&[0, 300, 600]), (false, 0), "slow enough");
        assert_eq!(run(&[0; 100]), (true, 1_201), "the ceiling bounds it to 1200 s");
    }

    #[test]
    fn the_release_is_foretold() {
        let profile = Profile::fast();
        let mut flap = Flap::default();
        assert_eq!((flap.downs(), flap.release_at(&profile)), (0, MonoTime::ZERO));
        for second in [0, 20, 40] {
            flap.strike(at(second), &profile);
        }
        let release_at = flap.release_at(&profile);
        assert_eq!(flap.downs(), 3);
        assert!(
            (610..=630).contains(&(release_at.as_micros() / 1_000_000)),
            "{release_at:?}"
        );
        let later = release_at + Duration::from_secs(1);
        flap.release(later, &profile);
        assert!(!flap.suppressed());
        flap.strike(later, &profile);
        assert_eq!(flap.downs(), 1, "the Downs before the release are over");
    }

    #[test]
    fn a_penalty_halves_in_its_half_life() {
        let profile = Profile::fast();
        let mut flap = Flap::default();
        flap.strike(at(10), &profile);
        assert_eq!(flap.penalty(at(310), &profile), 500.0);
        assert_eq!(flap.penalty(at(610), &profile), 250.0);
    }
}
