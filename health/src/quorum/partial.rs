//! Partial outages: by target, which observer regions are cut off from what others reach. They change no verdict.

use super::profiles::Profiles;
use super::subject::{Subject, Tally};
use crate::time::MonoTime;

/// Whether any partial outage began, changed or ended.
pub(super) fn track(subjects: &mut [Subject], tallies: &[Tally], now: MonoTime, profiles: &Profiles) -> bool {
    let mut changed = false;
    for (subject, tally) in subjects.iter_mut().zip(tallies) {
        if tally.frozen {
            subject.partial.pause();
            continue;
        }
        // Mostly all agree, and this is asked of every target a hundred times a second.
        let agree = tally.votes.dead == 0 || tally.votes.clear == 0;
        if agree && subject.partial.is_idle() {
            continue;
        }
        let profile = profiles.of(subject);
        changed |= subject.partial.step(&subject.regions(), now, profile);
    }
    changed
}
