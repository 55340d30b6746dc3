//! What a quorum finds of gray failure on one target, and the degree in force.

use super::super::observers::Observers;
use super::Subject;
use super::count::Tally;
use crate::evidence::Row;
use crate::gray::{self, Course, Gray, GrayState};
use crate::profile::Profile;
use crate::time::MonoTime;

impl Subject {
    /// Take in what a quorum finds of gray failure now; whether the degree fell.
    pub(in super::super) fn judge_gray(
        &mut self,
        tally: &Tally,
        observers: &Observers,
        now: MonoTime,
        profile: &Profile,
    ) -> bool {
        // Mostly nobody finds anything, and this is asked of every target a hundred times a second.
        self.finds_gray = self.finds_gray && self.seen.iter().flatten().any(|seen| seen.gray > Gray::None);
        if !self.finds_gray && self.course.degree() == Gray::None {
            self.course = Course::default();
            return false;
        }
        let agree = |subject: &Subject, degree: Gray| {
            let opinions = subject.opinions(observers, now);
            u32::try_from(opinions.filter(|(gray, _)| *gray >= degree).count()).unwrap_or(u32::MAX)
        };
        let found = [Gray::Failing, Gray::Severe, Gray::Mild]
            .into_iter()
            .find(|degree| agree(self, *degree) >= tally.q)
            .unwrap_or(Gray::None);
        let (before, found) = (self.course.degree(), (!tally.frozen).then_some(found));
        if !self.course.step(found, now, profile) {
            return false;
        }
        let degree = self.course.degree();
        if degree < before {
            self.tell_fall(now, profile);
            return true;
        }
        let worst = self.opinions(observers, now).max_by_key(|(gray, _)| *gray);
        let reason = worst.map(|(_, row)| {
            format!(
                "{degree}: {} of {} fresh observers find it, {} needed: {}",
                agree(self, degree),
                tally.fresh,
                tally.q,
                gray::told(row)
            )
        });
        self.set_gray(reason.unwrap_or_default(), now);
        false
    }

    /// Another cluster's degree falls now.
    pub(in super::super) fn fall_along(&mut self, now: MonoTime, profile: &Profile) {
        if self.course.fall_along(now, profile) {
            self.tell_fall(now, profile);
        }
    }

    fn tell_fall(&mut self, now: MonoTime, profile: &Profile) {
        let degree = self.course.degree();
        let reason = if degree == Gray::None {
            String::new()
        } else {
            let held = profile.gray_hold().as_secs_f64();
            format!("{degree} on its way back: for {held} s a quorum has found less than before")
        };
        self.set_gray(reason, now);
    }

    fn set_gray(&mut self, reason: String, now: MonoTime) {
        self.gray = GrayState {
            degree: self.course.degree(),
            since: now,
            factor_permille: self.gray.factor_permille,
            reason,
        };
    }

    /// What each fresh observer that does not abstain finds of gray failure, and in which row.
    fn opinions<'a>(
        &'a self,
        observers: &'a Observers,
        now: MonoTime,
    ) -> impl Iterator<Item = (Gray, &'a Row)> {
        self.witnesses(observers)
            .filter(move |(seen, abstaining)| !abstaining && now < seen.fresh_until)
            .map(|(seen, _)| (seen.gray, &seen.row))
    }

    /// The degree of gray in force, and the one to come.
    pub(in super::super) fn gray(&self) -> (Gray, Gray) {
        (self.course.degree(), self.course.to_come())
    }

    pub(in super::super) fn factor(&self) -> u32 {
        self.gray.factor_permille
    }

    pub(in super::super) fn set_factor(&mut self, permille: u32) {
        self.gray.factor_permille = permille;
    }
}
