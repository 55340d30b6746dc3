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
        let found = [Gray::Failing, Gray::Severe, Gray::Mild]
            .into_iter()
            .find(|degree| self.agree(*degree, observers, now) >= tally.q)
            .unwrap_or(Gray::None);
        let (before, found) = (self.course.degree(), (!tally.frozen).then_some(found));
        if self.course.step(found, now, profile) {
            self.note_degree(now);
        }
        self.course.degree() < before
    }

    /// Another cluster's degree falls now.
    pub(in super::super) fn fall_along(&mut self, now: MonoTime, profile: &Profile) {
        if self.course.fall_along(now, profile) {
            self.note_degree(now);
        }
    }

    fn note_degree(&mut self, now: MonoTime) {
        self.gray.degree = self.course.degree();
        self.gray.since = now;
    }

    /// The degree in force, with what observers find of it now.
    pub(super) fn gray_now(&self, tally: &Tally, observers: &Observers, now: MonoTime) -> GrayState {
        GrayState {
            reason: self.gray_reason(tally, observers, now),
            ..self.gray.clone()
        }
    }

    fn gray_reason(&self, tally: &Tally, observers: &Observers, now: MonoTime) -> String {
        let degree = self.gray.degree;
        if degree == Gray::None {
            return String::new();
        }
        if tally.frozen {
            return format!("{degree}, as long as too few observers are fresh to tell");
        }
        let agree = self.agree(degree, observers, now);
        let back = if agree < tally.q { " on its way back" } else { "" };
        let (fresh, q) = (tally.fresh, tally.q);
        let reason = format!("{degree}{back}: {agree} of {fresh} fresh observers find it, {q} needed");
        let worst = self.opinions(observers, now).max_by_key(|(gray, _)| *gray);
        let told = worst.map(|(_, row)| gray::told(row)).unwrap_or_default();
        if told.is_empty() {
            reason
        } else {
            format!("{reason}: {told}")
        }
    }

    /// How many find at least this degree.
    fn agree(&self, degree: Gray, observers: &Observers, now: MonoTime) -> u32 {
        let opinions = self.opinions(observers, now);
        u32::try_from(opinions.filter(|(gray, _)| *gray >= degree).count()).unwrap_or(u32::MAX)
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
