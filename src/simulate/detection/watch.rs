//! What is asked of one consumer after each of its polls: the safety invariants, and what a reader of the trace sees.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use lifeboat_dns::{GateView, Ramp};
use lifeboat_health::invariants::{self, Holds};
use lifeboat_health::{
    Family, FleetView, Gray, MonoTime, ObserverView, PartialOutage, Path, Profile, Transition, Verdict,
};

use super::consumer::{Consumer, Polled};
use super::outcome::Sometimes;

/// What had to be remembered of one consumer.
pub(super) struct Watch {
    profile: Rc<Profile>,
    /// The most that a returning cluster gains at a time, in millionths of its weight.
    ramp_step: u32,
    /// By target: since when the view shows enough votes for a Down that has not come.
    condemned_since: Vec<Option<MonoTime>>,
    /// By target: since when it shows votes Dead enough for one on its way down.
    dying_since: Vec<Option<MonoTime>>,
    /// Traffic targets that are Down and not yet withdrawn.
    to_withdraw: Vec<(String, Family, MonoTime)>,
    gates: Vec<f64>,
    /// In millionths, without what gray failure takes.
    ramps: Vec<u32>,
    grays: Vec<Gray>,
    abstaining: BTreeSet<String>,
    heard: BTreeSet<String>,
    frozen: bool,
    freeze: bool,
    panic: bool,
    suppressed: BTreeSet<(String, Path, Family)>,
    partial: Vec<Option<PartialOutage>>,
    /// Transitions to Down.
    pub(super) downs: u64,
}

/// A line of the trace.
pub(super) type Tell<'a> = &'a mut dyn FnMut(String);

impl Watch {
    pub(super) fn new(targets: usize, profile: &Rc<Profile>, ramp: Ramp) -> Watch {
        Watch {
            profile: Rc::clone(profile),
            ramp_step: ramp.step_permille * 1_000,
            condemned_since: vec![None; targets],
            dying_since: vec![None; targets],
            to_withdraw: Vec::new(),
            gates: Vec::new(),
            ramps: Vec::new(),
            grays: Vec::new(),
            abstaining: BTreeSet::new(),
            heard: BTreeSet::new(),
            frozen: false,
            freeze: false,
            panic: false,
            suppressed: BTreeSet::new(),
            partial: vec![None; targets],
            downs: 0,
        }
    }

    /// Judge one poll. `missing` gives the observers whose probes of a target really were missed.
    pub(super) fn judge(
        &mut self,
        consumer: &Consumer,
        polled: &Polled,
        now: MonoTime,
        missing: impl Fn(&Transition) -> BTreeSet<String>,
        sometimes: &mut Sometimes,
        tell: Tell<'_>,
    ) -> Holds {
        let profile = &*Rc::clone(&self.profile);
        let downs = polled.transitions.iter().filter(|t| t.to == Verdict::Down);
        self.downs += downs.count() as u64;
        for transition in &polled.transitions {
            tell(format!(
                "{}/{}/{} {} > {}: {}",
                transition.cluster,
                transition.path,
                transition.family,
                transition.from,
                transition.to,
                transition.reason
            ));
            invariants::s6_down_has_quorum(transition, profile)?;
            invariants::s7_frozen_decides_nothing(transition, profile)?;
            invariants::gray_is_not_down(transition, profile)?;
            if transition.to == Verdict::Down {
                let missing = missing(transition);
                let names = missing.iter().map(String::as_str).collect();
                invariants::s6_down_was_seen(transition, &names)?;
            }
        }
        if polled.transitions.iter().any(|t| t.to == Verdict::Down) {
            self.judge_cut(consumer, &polled.transitions, now, profile, sometimes)?;
        }
        if let Some(before) = &polled.before {
            invariants::s7_frozen_stands_still(before, &consumer.view)?;
            judge_suppression(before, &consumer.view, profile)?;
            self.remember(&consumer.view, now, profile, sometimes, tell)?;
        }
        for transition in &polled.transitions {
            if transition.to == Verdict::Down && transition.path == Path::Traffic {
                self.to_withdraw
                    .push((transition.cluster.clone(), transition.family, now));
            }
        }
        if polled.gates_changed || self.gates.is_empty() {
            self.judge_gates(consumer, sometimes, tell)?;
        }
        self.judge_withdrawals(consumer, now)
    }

    /// The cut rule, as far as it can be told from outside: only what is certain counts against it.
    fn judge_cut(
        &self,
        consumer: &Consumer,
        transitions: &[Transition],
        now: MonoTime,
        profile: &Profile,
        sometimes: &mut Sometimes,
    ) -> Holds {
        for path in [Path::Traffic, Path::Control] {
            let group: BTreeSet<&str> = transitions
                .iter()
                .filter(|t| t.to == Verdict::Down && t.path == path)
                .map(|t| t.cluster.as_str())
                .collect();
            sometimes.group_cut += u64::from(group.len() > 1);
            let Some(first) = transitions
                .iter()
                .find(|t| t.to == Verdict::Down && t.path == path)
            else {
                continue;
            };
            let on_path = || {
                consumer
                    .view
                    .cells
                    .iter()
                    .enumerate()
                    .filter(|(_, ((_, of, _), _))| *of == path)
            };
            let condemned = on_path()
                .filter_map(|(target, _)| self.condemned_since[target])
                .min();
            let waited = condemned.map_or(Duration::ZERO, |since| now.saturating_since(since));
            let dying: BTreeSet<&str> = on_path()
                .filter(|(target, ((cluster, _, _), cell))| {
                    let young = self.dying_since[*target]
                        .is_none_or(|since| now.saturating_since(since) < profile.down_window());
                    young
                        && cell.verdict != Verdict::Down
                        && !cell.frozen
                        && !group.contains(cluster.as_str())
                        && cell.votes.dead >= profile.cut_votes
                        && consumer.certainly_dead(*target, profile.fresh() / 4, now) >= cell.votes.dead
                })
                .map(|(_, ((cluster, _, _), _))| cluster.as_str())
                .collect();
            invariants::cut_waits_for_the_dying(first, waited, &dying, profile)?;
        }
        Ok(())
    }

    fn remember(
        &mut self,
        view: &FleetView,
        now: MonoTime,
        profile: &Profile,
        sometimes: &mut Sometimes,
        tell: Tell<'_>,
    ) -> Holds {
        for (target, ((cluster, path, family), cell)) in view.cells.iter().enumerate() {
            let open = !cell.frozen && cell.verdict != Verdict::Down;
            keep(
                &mut self.condemned_since[target],
                open && cell.votes.dead >= cell.q,
                now,
            );
            keep(
                &mut self.dying_since[target],
                open && cell.votes.dead >= profile.cut_votes,
                now,
            );
            sometimes.partial_outage += u64::from(cell.partial.is_some() && self.partial[target].is_none());
            if self.partial[target] != cell.partial {
                invariants::partial_outage_is_seen(self.partial[target].as_ref(), cell)?;
                tell(match &cell.partial {
                    Some(outage) => format!(
                        "{cluster}/{path}/{family} is a partial outage: reached from {}, not from {}",
                        outage.reached.join(", "),
                        outage.not_reached.join(", ")
                    ),
                    None => format!("{cluster}/{path}/{family} is no partial outage any more"),
                });
                self.partial[target].clone_from(&cell.partial);
            }
        }
        let heard = view.observers.iter().filter(|observer| observer.fresh);
        let abstaining = heard.clone().filter(|observer| observer.abstaining);
        fn name(observer: &ObserverView) -> &String {
            &observer.name
        }
        follow(&mut self.heard, heard.map(name), |name, is| {
            tell(format!("{name} is {}heard", if is { "" } else { "not " }));
        });
        follow(&mut self.abstaining, abstaining.map(name), |name, is| {
            tell(format!("{name} abstains{}", if is { "" } else { " no more" }));
        });
        let frozen = view.cells.values().any(|cell| cell.frozen);
        if frozen != self.frozen {
            sometimes.frozen +=
                u64::from(frozen && view.cells.values().any(|c| c.verdict != Verdict::Unknown));
            tell(
                if frozen {
                    "verdicts freeze"
                } else {
                    "verdicts move again"
                }
                .to_owned(),
            );
            self.frozen = frozen;
        }
        let freeze = view
            .down_share()
            .exceeds(crate::failover::Settings::default().freeze_above_percent);
        if freeze != self.freeze {
            sometimes.freeze += u64::from(freeze);
            tell(
                if freeze {
                    "FREEZE: too many clusters are down to evict"
                } else {
                    "FREEZE may end"
                }
                .to_owned(),
            );
            self.freeze = freeze;
        }
        let suppressed = view.cells.iter().filter(|(_, cell)| cell.suppressed);
        follow(&mut self.suppressed, suppressed.map(|(key, _)| key), |key, is| {
            let (cluster, path, family) = key;
            let how = if is { "for flapping" } else { "no more" };
            sometimes.flap_suppression += u64::from(is);
            tell(format!("{cluster}/{path}/{family} is suppressed {how}"));
        });
        Ok(())
    }

    /// S8a at the moment of a withdrawal, never an empty set, and S14 on the way back.
    fn judge_gates(&mut self, consumer: &Consumer, sometimes: &mut Sometimes, tell: Tell<'_>) -> Holds {
        let views = &consumer.gate_views;
        self.gates.resize(views.len(), 1.0);
        self.ramps.resize(views.len(), MILLIONTHS);
        self.grays.resize(views.len(), Gray::None);
        for (index, gate) in views.iter().enumerate() {
            let degree = gate.gray.degree;
            if degree > self.grays[index] {
                sometimes.gray += 1;
                tell(format!(
                    "{} {} is gray: {}",
                    gate.cluster, gate.family, gate.gray.reason
                ));
            } else if degree < self.grays[index] {
                tell(format!("{} {} is less gray: {degree}", gate.cluster, gate.family));
            }
            self.grays[index] = degree;
            let before = self.gates[index];
            if before > 0.0 && gate.gate == 0.0 {
                let withdrawn: BTreeSet<&str> = views
                    .iter()
                    .filter(|other| other.family == gate.family && other.gate == 0.0)
                    .map(|other| other.cluster.as_str())
                    .collect();
                invariants::s8a_withdrawal_leaves_a_survivor(&withdrawn, &consumer.view, gate.family, false)?;
                let served = views
                    .iter()
                    .filter(|other| other.family == gate.family && other.gate > 0.0);
                invariants::s1_something_is_served(served.count())?;
            }
            if (before - gate.gate).abs() > 1e-9 {
                let what = if gate.gate == 0.0 {
                    "withdrawn"
                } else {
                    "served with weight"
                };
                let share = if gate.gate == 0.0 {
                    String::new()
                } else {
                    format!(" {:.2}", gate.gate)
                };
                tell(format!("{} {} {what}{share}", gate.cluster, gate.family));
            }
            self.gates[index] = gate.gate;
            let ramp = ramp(gate);
            // Under PANIC the last good set is back at once.
            if !gate.held {
                invariants::s14_ramp_within_step(self.ramps[index], ramp, self.ramp_step)?;
            }
            self.ramps[index] = ramp;
        }
        for family in [Family::V4, Family::V6] {
            let factors: Vec<u32> = views
                .iter()
                .filter(|gate| gate.family == family && gate.verdict.serves() && gate.held_back.is_none())
                .map(|gate| gate.gray.factor_permille)
                .collect();
            invariants::gray_leaves_enough(&factors, &self.profile)?;
        }
        let panic = views.iter().any(|gate| gate.held);
        if panic != self.panic {
            sometimes.panic += u64::from(panic);
            tell(
                if panic {
                    "PANIC: the last good set is served"
                } else {
                    "PANIC is over"
                }
                .to_owned(),
            );
            self.panic = panic;
        }
        Ok(())
    }

    /// L2: what is Down is out of the answers soon, except under PANIC.
    fn judge_withdrawals(&mut self, consumer: &Consumer, now: MonoTime) -> Holds {
        let mut holds = Ok(());
        self.to_withdraw.retain(|(cluster, family, down)| {
            let gate = consumer
                .gate_views
                .iter()
                .find(|gate| gate.cluster == *cluster && gate.family == *family);
            let Some(gate) = gate.filter(|gate| gate.verdict == Verdict::Down && !gate.frozen && !gate.held)
            else {
                return false;
            };
            let withdrawn = (gate.gate == 0.0).then_some(now);
            if withdrawn.is_some() || now.saturating_since(*down) > Duration::from_millis(300) {
                let judged = invariants::l2_withdrawn_in_time(*down, withdrawn);
                if judged.is_err() {
                    holds = judged;
                }
                return false;
            }
            true
        });
        holds
    }
}

const MILLIONTHS: u32 = 1_000_000;

/// How far a cluster's gate is open, whatever gray failure takes of its weight.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a million, and not negative"
)]
fn ramp(gate: &GateView) -> u32 {
    let whole = gate.gate * 1_000.0 / f64::from(gate.gray.factor_permille.max(1));
    (whole * f64::from(MILLIONTHS)).round() as u32
}

/// S14 between two views.
fn judge_suppression(before: &FleetView, after: &FleetView, profile: &Profile) -> Holds {
    for (key, cell) in &after.cells {
        let Some(was) = before
            .cells
            .get(key)
            .filter(|was| was.suppressed && !cell.suppressed)
        else {
            continue;
        };
        let others_usable = after
            .cells
            .iter()
            .any(|(other, its)| other.0 != key.0 && (other.1, other.2) == (key.1, key.2) && its.usable());
        invariants::s14_suppressed_stays_out(was, cell, !others_usable, profile)?;
    }
    Ok(())
}

/// Bring a set up to date with what is in it now, in order, telling who left and who came.
fn follow<'a, T: Ord + Clone + 'a>(
    set: &mut BTreeSet<T>,
    now: impl Iterator<Item = &'a T> + Clone,
    mut tell: impl FnMut(&T, bool),
) {
    if set.iter().eq(now.clone()) {
        return;
    }
    let now: BTreeSet<T> = now.cloned().collect();
    set.difference(&now).for_each(|left| tell(left, false));
    now.difference(set).for_each(|came| tell(came, true));
    *set = now;
}

fn keep(since: &mut Option<MonoTime>, holds: bool, now: MonoTime) {
    *since = holds.then(|| since.unwrap_or(now));
}
