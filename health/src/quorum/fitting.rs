//! Whether the rows of one datagram, which are all probed alike, can be judged: asked once for each profile that their targets have.

use super::subject::Subject;
use crate::profile::{ProbesOtherwise, Probing, Profile};

pub(super) struct Fitting {
    /// `None`: it does not say, and is taken for the profile's own.
    probing: Option<Probing>,
    /// By which of the clusters' profiles the last row was judged, and whether it counts.
    last: Option<(Option<usize>, bool)>,
    told: Option<ProbesOtherwise>,
}

impl Fitting {
    pub(super) fn new(probing: Option<Probing>) -> Fitting {
        Fitting {
            probing,
            last: None,
            told: None,
        }
    }

    /// Whether a row of this target counts, which is judged by `profile`.
    pub(super) fn counts(&mut self, subject: &Subject, profile: &Profile) -> bool {
        let Some(probing) = &self.probing else {
            return true;
        };
        match self.last {
            Some((place, counts)) if place == subject.own_profile => counts,
            _ => {
                let otherwise = profile.judges(probing);
                let counts = otherwise.as_ref().is_none_or(|otherwise| otherwise.counts);
                self.last = Some((subject.own_profile, counts));
                if let Some(otherwise) = otherwise
                    && self.told.as_ref().is_none_or(|told| told.counts && !counts)
                {
                    self.told = Some(of_cluster(otherwise, subject));
                }
                counts
            }
        }
    }

    /// How they are probed otherwise; of several profiles the first that cannot judge them, or else the first that differs.
    pub(super) fn told(self) -> Option<ProbesOtherwise> {
        self.told
    }
}

/// A cluster with a profile of its own is named.
fn of_cluster(otherwise: ProbesOtherwise, subject: &Subject) -> ProbesOtherwise {
    match subject.own_profile {
        None => otherwise,
        Some(_) => ProbesOtherwise {
            why: format!("cluster {}: {}", subject.target.cluster, otherwise.why),
            ..otherwise
        },
    }
}
