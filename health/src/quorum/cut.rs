//! The cut rule (after Rapid, ATC 2018): clusters that die together are decided together, so that traffic is not
//! moved from the first of them onto the second.

use std::collections::BTreeSet;

use super::profiles::Profiles;
use super::subject::Subject;
use crate::mutant::Mutant;
use crate::target::Path;
use crate::time::MonoTime;

/// For each subject, whether it goes Down now.
///
/// On each path, those with enough votes wait, for at most `cutWaitMs`, while another cluster is on its way down: at least
/// `cutVotes` votes Dead, not yet enough, and only since `downWindowMs` (an older minority is a partial outage).
pub(super) fn released(subjects: &[Subject], now: MonoTime, profiles: &Profiles) -> Vec<bool> {
    let [traffic, control] =
        [Path::Traffic, Path::Control].map(|path| is_open(subjects, path, now, profiles));
    let open = |path| match path {
        Path::Traffic => traffic,
        Path::Control => control,
    };
    subjects
        .iter()
        .map(|subject| subject.condemned_since.is_some() && open(subject.target.path))
        .collect()
}

fn is_open(subjects: &[Subject], path: Path, now: MonoTime, profiles: &Profiles) -> bool {
    let on_path = || subjects.iter().filter(|subject| subject.target.path == path);
    let Some(first) = on_path().filter_map(|subject| subject.condemned_since).min() else {
        return false;
    };
    if now.saturating_since(first) >= profiles.fleet.cut_wait() || Mutant::NoCutRule.is_on() {
        return true;
    }
    let condemned: BTreeSet<&str> = on_path()
        .filter(|subject| subject.condemned_since.is_some())
        .map(|subject| subject.target.cluster.as_str())
        .collect();
    !on_path().any(|subject| {
        let dying = subject
            .dying_since
            .is_some_and(|since| now.saturating_since(since) < profiles.of(subject).down_window());
        dying && subject.condemned_since.is_none() && !condemned.contains(subject.target.cluster.as_str())
    })
}
