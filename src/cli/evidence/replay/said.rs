//! How observers said that they probed, where that is not how the profile that judges was fitted: their streaks are counted by the time
//! that they last.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_health::{Datagram, Probing, Profile, Target, TargetId};

use super::fit;

pub(super) struct Said {
    /// The fleet's, then those of targets with an override.
    judges: Vec<Profile>,
    own: BTreeMap<TargetId, usize>,
    /// Whether each of the judges can judge what was probed so, or why not.
    bearable: BTreeMap<(usize, Probing), Result<(), String>>,
    remarks: BTreeSet<String>,
}

impl Said {
    /// Of a recording of these targets, judged by `profile`; overrides are fitted already.
    pub(super) fn new(targets: &[Target], profile: &Profile) -> Self {
        let mut judges = vec![profile.clone()];
        let mut own = BTreeMap::new();
        for target in targets {
            if let Ok(Some(its)) = target.own_profile(profile) {
                let known = judges.iter().position(|judge| *judge == its);
                let place = known.unwrap_or(judges.len());
                if known.is_none() {
                    judges.push(its);
                }
                own.insert(target.id(), place);
            }
        }
        Self {
            judges,
            own,
            bearable: BTreeMap::new(),
            remarks: BTreeSet::new(),
        }
    }

    /// Counts its streaks in probes of the profiles that judge its targets, and leaves out rows that cannot be judged.
    pub(super) fn fit(&mut self, datagram: &mut Datagram) {
        let Some(probing) = datagram.header.probing.take() else {
            return;
        };
        let Self {
            judges,
            own,
            bearable,
            remarks,
        } = self;
        let observer = &datagram.header.observer;
        let probed_ms = u32::from(probing.interval_ms);
        let mut told = BTreeSet::new();
        datagram.rows.retain_mut(|row| {
            let place = own.get(&row.target).copied().unwrap_or(0);
            let Some(judge) = judges.get(place) else {
                return false;
            };
            if Probing::of(judge) == probing {
                return true;
            }
            let bearable = bearable.entry((place, probing)).or_insert_with(|| {
                let fitted = fit::fleet(judge, &judge.probed_as(&probing));
                fitted.validate_judging().map_err(|error| error.to_string())
            });
            let judged_ms = judge.interval_ms;
            if told.insert(place) {
                remarks.extend(match bearable {
                    Ok(()) if probed_ms == judged_ms => None,
                    Ok(()) => Some(format!(
                        "{observer} probed each {probed_ms} ms: so many of its misses count as last as long as those of {judged_ms} ms"
                    )),
                    Err(error) => Some(format!(
                        "{observer} probed as this profile cannot judge, and what it found so is left out: {error}"
                    )),
                });
            }
            let counts = bearable.is_ok();
            if counts {
                *row = fit::row(row, probed_ms, judged_ms);
            }
            counts
        });
    }

    pub(super) fn remarks(self) -> Vec<String> {
        self.remarks.into_iter().collect()
    }
}
