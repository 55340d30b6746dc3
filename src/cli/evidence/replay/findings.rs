//! What a replay finds out, poll by poll.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lifeboat_health::{
    CellKey, FleetView, Gray, GrayState, MonoTime, PartialOutage, Quorum, Target, Transition, Verdict,
};
use serde_json::{Value, json};

use crate::{
    controller::reader,
    failover::{Hindsight, Judged},
};

pub(super) struct Findings {
    transitions: Vec<Transition>,
    /// Degrees of gray failure, as they changed.
    gray: Vec<(MonoTime, CellKey, GrayState)>,
    /// Partial outages as they began, changed and ended (`None`).
    partial: Vec<(MonoTime, CellKey, Option<PartialOutage>)>,
    judged: Vec<(MonoTime, Found)>,
    hindsight: Hindsight,
    /// The revision of the quorum that was last looked at.
    looked_at: u64,
    cells: BTreeMap<CellKey, (Gray, Option<PartialOutage>)>,
    observers: usize,
    /// Which observers probed otherwise than the profile says, and what came of it: a line each.
    pub(super) otherwise: Vec<String>,
    /// When the recording began; times are told from there.
    began: Option<MonoTime>,
}

/// A cluster whose hold ran out.
struct Found {
    judged: Judged,
    /// It was never seen Up, so its hold is counted from where the recording began.
    down_before: bool,
}

impl Findings {
    /// Of a recording with these targets; replicas would have moved after `hold`.
    pub(super) fn new(targets: &[Target], hold: Duration) -> Self {
        let clusters: BTreeSet<String> = targets.iter().map(|target| target.cluster.clone()).collect();
        Self {
            transitions: Vec::new(),
            gray: Vec::new(),
            partial: Vec::new(),
            judged: Vec::new(),
            hindsight: Hindsight::new(clusters, hold),
            looked_at: 0,
            cells: BTreeMap::new(),
            observers: 0,
            otherwise: Vec::new(),
            began: None,
        }
    }

    pub(super) fn poll(&mut self, now: MonoTime, transitions: &[Transition], quorum: &Quorum) {
        self.began.get_or_insert(now);
        self.transitions.extend_from_slice(transitions);
        let changed = quorum.revision() != self.looked_at;
        if changed {
            self.looked_at = quorum.revision();
            self.look(now, &quorum.view(now));
        }
        if changed || self.hindsight.is_waiting() {
            self.judge(now);
        }
    }

    /// Whose hold has run out by now.
    pub(super) fn judge(&mut self, now: MonoTime) {
        for judged in self.hindsight.step(now) {
            let (Judged::Lost { cluster } | Judged::Frozen { cluster, .. }) = &judged;
            let down_before = !self.hindsight.was_up(cluster);
            self.judged.push((now, Found { judged, down_before }));
        }
    }

    fn look(&mut self, now: MonoTime, view: &FleetView) {
        self.hindsight.look(reader::health(view));
        self.observers = self.observers.max(view.observers.len());
        for observer in &view.observers {
            if let Some(told) = &observer.probes_otherwise {
                let counts = if told.counts {
                    "counts all the same"
                } else {
                    "does not count so"
                };
                let said = format!("{} probed otherwise, and {counts}: {}", observer.name, told.why);
                if !self.otherwise.contains(&said) {
                    self.otherwise.push(said);
                }
            }
        }
        for (key, cell) in &view.cells {
            let known = self.cells.entry(key.clone()).or_default();
            if known.0 != cell.gray.degree {
                known.0 = cell.gray.degree;
                self.gray.push((now, key.clone(), cell.gray.clone()));
            }
            if known.1 != cell.partial {
                known.1.clone_from(&cell.partial);
                self.partial.push((now, key.clone(), cell.partial.clone()));
            }
        }
    }

    /// Observers that were heard.
    pub(super) fn observers(&self) -> usize {
        self.observers
    }

    /// Since the recording began.
    pub(super) fn since(&self, at: MonoTime) -> Duration {
        at.saturating_since(self.began.unwrap_or(at))
    }

    /// How much was found, for the line that sums it up.
    pub(super) fn counts(&self) -> String {
        let first = self.transitions.iter().filter(|change| is_first(change)).count();
        format!(
            "{} changes of verdict after {first} first verdicts, {} changes of gray failure, {} of partial outages",
            self.transitions.len() - first,
            self.gray.len(),
            self.partial.len()
        )
    }

    /// All that was observed, in order of time, a line each.
    pub(super) fn told(&self) -> Vec<(Duration, String)> {
        let transitions = self.transitions.iter().map(|transition| {
            let Transition {
                cluster,
                path,
                family,
                from,
                to,
                at,
                reason,
                ..
            } = transition;
            let change = if is_first(transition) {
                format!("first verdict {to}")
            } else {
                format!("{from} to {to}")
            };
            (*at, format!("{cluster} {path} {family}: {change}: {reason}"))
        });
        let gray = self.gray.iter().map(|(at, (cluster, path, family), gray)| {
            let told = match gray.degree {
                Gray::None => "gray no more".to_owned(),
                Gray::Mild | Gray::Severe | Gray::Failing => format!(
                    "gray: {} % of its weight: {}",
                    f64::from(gray.factor_permille) / 10.0,
                    gray.reason
                ),
            };
            (*at, format!("{cluster} {path} {family}: {told}"))
        });
        let partial = self.partial.iter().map(|(at, (cluster, path, family), outage)| {
            let told = outage.as_ref().map_or_else(
                || "no partial outage any more".to_owned(),
                |outage| format!("partial outage: {outage}"),
            );
            (*at, format!("{cluster} {path} {family}: {told}"))
        });
        let mut told: Vec<(MonoTime, String)> = transitions.chain(gray).chain(partial).collect();
        told.sort_by_key(|(at, _)| *at);
        told.into_iter()
            .map(|(at, told)| (self.since(at), told))
            .collect()
    }

    /// Would we have failed over? A line for each cluster whose hold ran out.
    pub(super) fn answers(&self, hold: Duration) -> Vec<String> {
        let hold = hold.as_secs_f64();
        let lost = |found: &&(MonoTime, Found)| matches!(found.1.judged, Judged::Lost { .. });
        let mut answers = Vec::new();
        if !self.judged.iter().any(|found| lost(&found)) {
            answers.push(format!("nothing would have failed over with a hold of {hold} s"));
        }
        for (at, Found { judged, down_before }) in &self.judged {
            let after = self.since(*at).as_secs_f64();
            let before = if *down_before {
                " (it was Down as the recording began: its hold is counted from there)"
            } else {
                ""
            };
            answers.push(match judged {
                Judged::Lost { cluster } => {
                    format!("{cluster} would have failed over after {after:.3} s, with a hold of {hold} s{before}")
                }
                Judged::Frozen { cluster, why } => format!(
                    "{cluster} would have been held back by FREEZE after {after:.3} s, with a hold of {hold} s: {why}{before}"
                ),
            });
        }
        answers
    }

    /// The same for programs; every time in milliseconds since the recording began.
    pub(super) fn to_json(&self) -> Value {
        let at_ms = |at: MonoTime| u64::try_from(self.since(at).as_millis()).unwrap_or(u64::MAX);
        let transition = |transition: &Transition| {
            let mut told = serde_json::to_value(transition).unwrap_or_default();
            if let Some(told) = told.as_object_mut() {
                told.remove("at");
                told.insert("atMs".to_owned(), at_ms(transition.at).into());
                told.insert("first".to_owned(), is_first(transition).into());
            }
            told
        };
        let gray = |(at, (cluster, path, family), gray): &(MonoTime, CellKey, GrayState)| {
            json!({
                "atMs": at_ms(*at), "cluster": cluster, "path": path, "family": family, "degree": gray.degree,
                "factorPermille": gray.factor_permille, "reason": gray.reason,
            })
        };
        let partial = |(at, (cluster, path, family), outage): &(MonoTime, CellKey, Option<PartialOutage>)| {
            let outage = outage.as_ref().map(|outage| {
                json!({
                    "sinceMs": at_ms(outage.since), "reached": outage.reached, "notReached": outage.not_reached,
                })
            });
            json!({ "atMs": at_ms(*at), "cluster": cluster, "path": path, "family": family, "outage": outage })
        };
        let judged = |frozen: bool| -> Vec<Value> {
            let found = self.judged.iter().filter_map(|(at, found)| {
                let (at_ms, before) = (at_ms(*at), found.down_before);
                match &found.judged {
                    Judged::Lost { cluster } if !frozen => Some(json!({
                        "atMs": at_ms, "cluster": cluster, "downAsRecordingBegan": before,
                    })),
                    Judged::Frozen { cluster, why } if frozen => Some(json!({
                        "atMs": at_ms, "cluster": cluster, "downAsRecordingBegan": before, "reason": "Freeze", "message": why,
                    })),
                    Judged::Lost { .. } | Judged::Frozen { .. } => None,
                }
            });
            found.collect()
        };
        json!({
            "transitions": self.transitions.iter().map(transition).collect::<Vec<_>>(),
            "gray": self.gray.iter().map(gray).collect::<Vec<_>>(),
            "partialOutages": self.partial.iter().map(partial).collect::<Vec<_>>(),
            "failovers": judged(false),
            "heldBack": judged(true),
        })
    }
}

/// A quorum knows nothing when it begins; what it finds first is no change.
fn is_first(transition: &Transition) -> bool {
    transition.from == Verdict::Unknown
}
