//! What probes lose: each target's meter is read every `sendMs`.

use std::time::Duration;

use super::observers::Observers;
use super::profiles::Profiles;
use super::subject::{Subject, Tally};
use crate::time::MonoTime;
use crate::verdict::Verdict;

/// `last`: when this was last done; `None` before the first time.
pub(super) fn sample(
    subjects: &mut [Subject],
    tallies: &[Tally],
    observers: &Observers,
    last: &mut Option<MonoTime>,
    now: MonoTime,
    profiles: &Profiles,
) {
    let since = *last.get_or_insert(now);
    let lasted = now.saturating_since(since);
    if lasted < profiles.fleet.send() {
        return;
    }
    *last = Some(now);
    // Nobody looked during a longer pause.
    let lasted: Duration = lasted.min(2 * profiles.fleet.send());
    for (subject, tally) in subjects.iter_mut().zip(tallies) {
        let up = !tally.frozen && matches!(subject.verdict, Verdict::Up | Verdict::Suspect);
        let sighting = subject.sighting(observers, now, profiles.of(subject));
        subject.losses.sample(sighting, up, lasted, now);
    }
}
