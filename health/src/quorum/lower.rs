//! Gray failure lowers weights: by traffic path and family, each cluster's degree, then the brake over all of them.

use super::observers::Observers;
use super::profiles::Profiles;
use super::subject::{Subject, Tally};
use crate::gray::{FULL_PERMILLE, Gray, factors};
use crate::invariants;
use crate::target::{Family, Path};
use crate::time::MonoTime;

pub(super) fn lower(
    subjects: &mut [Subject],
    tallies: &[Tally],
    observers: &Observers,
    now: MonoTime,
    profiles: &Profiles,
) {
    let mut fell = false;
    for (subject, tally) in subjects.iter_mut().zip(tallies) {
        if subject.target.path == Path::Traffic {
            fell |= subject.judge_gray(tally, observers, now, profiles.of(subject));
        }
    }
    if fell {
        subjects
            .iter_mut()
            .for_each(|subject| subject.fall_along(now, profiles.of(subject)));
    }
    let well = |subject: &Subject| subject.gray().0 == Gray::None && subject.factor() == FULL_PERMILLE;
    if subjects.iter().all(well) {
        return;
    }
    for family in [Family::V4, Family::V6] {
        let (taking, others): (Vec<&mut Subject>, Vec<&mut Subject>) = subjects
            .iter_mut()
            .filter(|subject| subject.target.path == Path::Traffic && subject.target.family == family)
            .partition(|subject| subject.takes_traffic());
        let degrees: Vec<_> = taking.iter().map(|subject| subject.gray()).collect();
        let factors = factors(&degrees, &profiles.fleet);
        debug_assert_eq!(invariants::gray_leaves_enough(&factors, &profiles.fleet), Ok(()));
        for (subject, factor) in taking.into_iter().zip(factors) {
            subject.set_factor(factor);
        }
        others
            .into_iter()
            .for_each(|subject| subject.set_factor(FULL_PERMILLE));
    }
}
