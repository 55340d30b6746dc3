//! From verdicts to gates. A gate is what health lets through of a cluster's weight, in millionths: 0 withdrawn,
//! [`FULL`] open, between them the ramp of a cluster that came back.
//!
//! ```text
//! FleetView ──tick(now)──> Gates (episodes, PANIC, ramps; pure) ──store──> GateTable (atomics) ──load──> answers
//! ```
//! One store into the table moves every name that uses the slot.

mod episode;
mod family;
mod held_back;
pub(crate) mod kept;
pub(crate) mod overrides;
mod ramp;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lifeboat_health::invariants::s14_ramp_within_step;
use lifeboat_health::{Cell, Family, FleetView, GrayState, MonoTime, Path, Verdict};
use serde::Serialize;

use episode::Episode;
use family::FamilyState;
pub use held_back::HeldBack;
pub use overrides::{Action, Override, OverrideRefused};
use overrides::{Ordered, Overrides};
pub use ramp::Ramp;
use table::{GateTable, GateValue};

/// A gate that lets everything through.
pub const FULL: u32 = 1_000_000;

/// The state machine between the verdicts of one consumer and the gate table of one server.
#[derive(Debug)]
pub struct Gates {
    ramp: Ramp,
    episode: Episode,
    families: BTreeMap<Family, FamilyState>,
    slots: Slots,
    overrides: Arc<Overrides>,
    overrides_now: MonoTime,
}

type Slots = BTreeMap<(String, Family), Slot>;

/// What one cluster's gate is and why, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateView {
    pub cluster: String,
    pub family: Family,
    pub verdict: Verdict,
    /// Share of the plan weight that is let through, 0 to 1.
    pub gate: f64,
    /// Gray failure, whose factor is part of `gate`.
    pub gray: GrayState,
    /// Health asks for its withdrawal, and no survivor is positively healthy: it stays in the answers.
    pub held: bool,
    /// Kept out for flapping, as far as others can serve.
    pub held_back: Option<HeldBack>,
    /// Too few fresh observers: the gate stays as it is.
    pub frozen: bool,
    /// What an operator has ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<OrderView>,
}

/// An override in force, or lifted by the safety rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    pub action: Action,
    pub until: SystemTime,
    pub reason: String,
    /// Not obeyed for now: too few clusters would be active.
    pub lifted: bool,
}

#[derive(Debug, PartialEq)]
struct Slot {
    value: GateValue,
    withdrawn: bool,
    /// When the next step of the ramp is due; `None` when fully open, withdrawn or not ramping.
    next_step: Option<MonoTime>,
    was_down: bool,
    /// Withdrawn by an override alone.
    drained: bool,
    ordered: Option<Ordered>,
    /// What the last tick saw.
    seen: Seen,
    gray: GrayState,
}

/// What one tick sees of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    verdict: Verdict,
    frozen: bool,
    /// Downs and the expected release of a suppressed cluster.
    suppressed: Option<(u32, MonoTime)>,
}

impl From<&Cell> for Seen {
    fn from(cell: &Cell) -> Self {
        Self {
            verdict: cell.verdict,
            frozen: cell.frozen,
            suppressed: cell.suppressed.then_some((cell.downs, cell.release_at)),
        }
    }
}

impl Gates {
    /// Goes on from what the table holds: all open in a fresh one, or what an earlier consumer or process left.
    #[must_use]
    pub fn new(ramp: Ramp, table: &GateTable) -> Self {
        let mut gates = Self {
            ramp,
            episode: Episode::default(),
            families: BTreeMap::new(),
            slots: BTreeMap::new(),
            overrides: Arc::default(),
            overrides_now: MonoTime::ZERO,
        };
        gates.resume(table);
        gates
    }

    /// The overrides of the next tick, and the time on the clock by which they end: it is not the consumer's.
    pub(crate) fn set_overrides(&mut self, overrides: Arc<Overrides>, now: MonoTime) {
        self.overrides = overrides;
        self.overrides_now = now;
    }

    /// Brings every gate up to date with the view and stores what changed. Level-triggered: what the view says now
    /// is all that counts, so a missed tick changes nothing but the time. Returns whether anything changed.
    pub fn tick(&mut self, now: MonoTime, view: &FleetView, table: &GateTable) -> bool {
        let mut changed = table.names.follow(&self.overrides, self.overrides_now, table);
        for family in [Family::V4, Family::V6] {
            let cells: Vec<(&str, &Cell)> = view
                .cells
                .iter()
                .filter(|((_, path, of), _)| *path == Path::Traffic && *of == family)
                .map(|((cluster, _, _), cell)| (cluster.as_str(), cell))
                .collect();
            let overrides = Arc::clone(&self.overrides);
            let overridden = overrides.stand(self.overrides_now) || self.any_ordered(family);
            changed |= self.release(family, &cells, overridden, table);
            if overridden {
                changed |= self.tick_overridden(now, family, &cells, &overrides, table);
            } else if !cells.is_empty() {
                changed |= self.tick_family(now, family, &cells, &BTreeMap::new(), table);
            }
        }
        changed
    }

    /// Who is observed no more counts as healthy, as everybody does whom nobody observes: its gate opens. Its slot goes,
    /// unless it is to `stay` for overrides, which give every cluster one.
    ///
    /// The gate opens at once and not by the ramp of S14. That is for a return that is observed: a step is taken only
    /// while the cluster is known to bear the one before, and nobody would know here. Whoever does not want it answered
    /// takes it out of the names first, and only then from what is observed.
    fn release(&mut self, family: Family, observed: &[(&str, &Cell)], stay: bool, table: &GateTable) -> bool {
        let mut changed = false;
        self.slots.retain(|(cluster, of), slot| {
            if *of != family || slot.ordered.is_some() || slot.drained || is_among(observed, cluster) {
                return true;
            }
            let open = Slot::resumed(GateValue::default());
            if slot.value != open.value
                && let Some(id) = table.intern(cluster, family)
            {
                table.store(id, open.value);
            }
            changed |= !stay || *slot != open;
            *slot = open;
            stay
        });
        changed
    }

    fn any_ordered(&self, family: Family) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|((_, of), slot)| *of == family && (slot.ordered.is_some() || slot.drained))
    }

    /// The same with overrides. Clusters of the plan that nobody observes count as well: they serve, and can be ordered. One that the plan
    /// does not answer with is nobody whom users could go to.
    fn tick_overridden(
        &mut self,
        now: MonoTime,
        family: Family,
        observed: &[(&str, &Cell)],
        overrides: &Overrides,
        table: &GateTable,
    ) -> bool {
        let unobserved = Cell::default();
        let known = table.clusters(family);
        let mut cells = observed.to_vec();
        for cluster in &known {
            if !is_among(observed, cluster) {
                cells.push((cluster, &unobserved));
            }
        }
        cells.sort_by_key(|(cluster, _)| *cluster);
        let in_use = table.in_use(family);
        let served: Vec<(&str, bool)> = cells
            .iter()
            .filter(|(cluster, _)| in_use.contains(*cluster))
            .map(|(cluster, cell)| (*cluster, cell.verdict.serves()))
            .collect();
        let ordered = overrides.ordered(self.overrides_now, &served);
        self.tick_family(now, family, &cells, &ordered, table)
    }

    fn tick_family(
        &mut self,
        now: MonoTime,
        family: Family,
        cells: &[(&str, &Cell)],
        ordered: &BTreeMap<&str, Ordered>,
        table: &GateTable,
    ) -> bool {
        self.adopt(family, cells, table);
        for (_, cell, slot) in in_step(&mut self.slots, family, cells) {
            let down = cell.verdict == Verdict::Down;
            if down && !cell.frozen && !slot.was_down {
                self.episode.note_down(now);
            }
            slot.was_down = down;
        }
        let state = self.families.entry(family).or_default();
        // One that is ordered down is nobody's survivor, and its death is no outage.
        let in_use = |(cluster, _): &&(&str, &Cell)| ordered.get(*cluster) != Some(&Ordered::Down);
        let judged = if ordered.is_empty() {
            state.judge(now, cells)
        } else {
            state.judge(now, &cells.iter().filter(in_use).copied().collect::<Vec<_>>())
        };
        let mut changed = false;
        for (cluster, cell, slot) in in_step(&mut self.slots, family, cells) {
            let before = slot.value;
            let seen = Seen::from(cell);
            let order = ordered.get(cluster).copied();
            match order {
                Some(Ordered::Down) => slot.drain(cell, || self.episode.begin(now)),
                Some(Ordered::Up) => slot.open(),
                Some(Ordered::Weight(_) | Ordered::Lifted) | None => {
                    slot.undrain(cell);
                    if !cell.frozen && cell.verdict != Verdict::Unknown {
                        if judged.wants_out(cell) {
                            if judged.may_withdraw {
                                slot.withdraw(self.episode.begin(now));
                            } else {
                                slot.hold(judged.total.then(|| self.episode.current(now)).flatten());
                            }
                        } else {
                            let ramp = self.ramp;
                            slot.admit(now, cell.verdict, ramp.step_millionths(), || {
                                ramp.per_step(table.ttl_of(cluster, family))
                            });
                        }
                    }
                }
            }
            if !cell.frozen && cell.verdict != Verdict::Unknown {
                slot.value.spare = slot.value.gate == 0 && family::healthy(cell);
            }
            slot.value.factor_permille = match order {
                Some(Ordered::Weight(percent)) => cell.gray.factor_permille * u32::from(percent) / 100,
                Some(Ordered::Up | Ordered::Down | Ordered::Lifted) | None => cell.gray.factor_permille,
            };
            changed |=
                before != slot.value || seen != slot.seen || cell.gray != slot.gray || order != slot.ordered;
            slot.seen = seen;
            slot.ordered = order;
            if cell.gray != slot.gray {
                slot.gray = cell.gray.clone();
            }
            if before != slot.value
                && let Some(id) = table.intern(cluster, family)
            {
                table.store(id, slot.value);
            }
        }
        debug_assert!(
            crate::invariants::s8a_withdrawal_has_survivor(judged.may_withdraw, judged.survivors),
            "a withdrawal was allowed without a positively healthy survivor"
        );
        changed
    }

    /// Makes a slot for each cluster that has none.
    fn adopt(&mut self, family: Family, cells: &[(&str, &Cell)], table: &GateTable) {
        let known = self.slots.keys().filter(|(_, of)| *of == family);
        let mut known = known.map(|(name, _)| name.as_str()).peekable();
        let is_new = |cluster: &&str| {
            while known.next_if(|name| name < cluster).is_some() {}
            known.next_if_eq(cluster).is_none()
        };
        let new: Vec<&str> = cells.iter().map(|(cluster, _)| *cluster).filter(is_new).collect();
        for cluster in new {
            let held = table.gate(cluster, family).unwrap_or_default();
            self.slots
                .insert((cluster.to_owned(), family), Slot::resumed(held));
        }
    }

    /// Every gate as of the last tick, by cluster and family; `wall` tells people when a moment of the consumer's
    /// clock will be.
    #[must_use]
    pub fn view(&self, wall: impl Fn(MonoTime) -> SystemTime) -> Vec<GateView> {
        self.slots
            .iter()
            .map(|((cluster, family), slot)| GateView {
                cluster: cluster.clone(),
                family: *family,
                verdict: slot.seen.verdict,
                gate: share(slot.value),
                gray: slot.gray.clone(),
                held: slot.value.held,
                held_back: slot.seen.suppressed.map(|(downs, release_at)| HeldBack {
                    downs,
                    until: wall(release_at),
                }),
                frozen: slot.seen.frozen,
                ordered: self.told_order(cluster, slot),
            })
            .collect()
    }
}

impl Gates {
    fn told_order(&self, cluster: &str, slot: &Slot) -> Option<OrderView> {
        let ordered = slot.ordered?;
        let mut standing = self.overrides.standing.iter();
        let what = &standing
            .find(|standing| standing.subject.cluster() == Some(cluster))?
            .what;
        Some(OrderView {
            action: what.action,
            until: what.until,
            reason: what.reason.clone(),
            lifted: ordered == Ordered::Lifted,
        })
    }
}

/// Whether a cluster has a cell; cells are in the order of their clusters.
fn is_among(cells: &[(&str, &Cell)], cluster: &str) -> bool {
    cells.binary_search_by_key(&cluster, |(name, _)| name).is_ok()
}

/// The slots of a family's cells. Both are in the order of their clusters, so that no name is looked up: a tick goes
/// through all of them a hundred times a second.
fn in_step<'a>(
    slots: &'a mut Slots,
    family: Family,
    cells: &'a [(&'a str, &'a Cell)],
) -> impl Iterator<Item = (&'a str, &'a Cell, &'a mut Slot)> {
    let mut slots = slots.iter_mut().filter(move |((_, of), _)| *of == family);
    cells.iter().filter_map(move |(cluster, cell)| {
        let (_, slot) = slots.find(|((name, _), _)| name == cluster)?;
        Some((*cluster, *cell, slot))
    })
}

impl Slot {
    /// Takes up what the table holds.
    fn resumed(value: GateValue) -> Self {
        Self {
            value,
            withdrawn: value.gate == 0,
            next_step: None,
            was_down: false,
            drained: false,
            ordered: None,
            seen: Seen::default(),
            gray: GrayState::default(),
        }
    }

    /// Takes the cluster out of the answers and remembers what it had, and in which episode.
    fn withdraw(&mut self, episode: u32) {
        if !self.withdrawn {
            self.value = GateValue {
                gate: 0,
                last_good: self.value.gate,
                episode,
                held: false,
                spare: false,
                ..self.value
            };
            self.withdrawn = true;
            self.next_step = None;
        }
    }

    /// An operator wants the cluster out. If it dies meanwhile, it is health that keeps it out afterwards.
    fn drain(&mut self, cell: &Cell, episode: impl FnOnce() -> u32) {
        if !self.withdrawn {
            self.withdraw(episode());
            self.drained = true;
        } else if cell.verdict == Verdict::Down && !cell.frozen {
            self.drained = false;
        }
    }

    /// No operator wants it out any more. Who is known to be well ramps up; of whom nothing is known gets back what it had.
    fn undrain(&mut self, cell: &Cell) {
        let drained = std::mem::take(&mut self.drained);
        if drained && (cell.frozen || cell.verdict == Verdict::Unknown) {
            self.value.gate = self.value.last_good;
            self.withdrawn = false;
        }
    }

    /// An operator wants the cluster answered in full.
    fn open(&mut self) {
        self.value.gate = FULL;
        self.value.held = false;
        self.withdrawn = false;
        self.drained = false;
        self.next_step = None;
    }

    /// PANIC: the cluster should go, and nobody is known to be better. It keeps what it has; where the whole
    /// family is down, one withdrawn in the present episode gets back what it had.
    fn hold(&mut self, returning_episode: Option<u32>) {
        if !self.withdrawn {
            self.value.held = true;
        } else if returning_episode == Some(self.value.episode) {
            self.value = GateValue {
                gate: self.value.last_good,
                held: true,
                ..self.value
            };
            self.withdrawn = false;
        }
    }

    /// The cluster may serve: ramps up after a withdrawal, a step at once and then one every `per`.
    fn admit(&mut self, now: MonoTime, verdict: Verdict, step: u32, per: impl Fn() -> Duration) {
        self.value.held = false;
        let before = self.value.gate;
        self.step_up(now, verdict, step, per);
        debug_assert_eq!(s14_ramp_within_step(before, self.value.gate, step), Ok(()));
    }

    fn step_up(&mut self, now: MonoTime, verdict: Verdict, step: u32, per: impl Fn() -> Duration) {
        if self.withdrawn {
            if matches!(verdict, Verdict::Recovering | Verdict::Up) {
                self.withdrawn = false;
                self.value.gate = step;
                self.next_step = (step < FULL).then(|| now + per());
            }
            return;
        }
        if self.value.gate >= FULL {
            return;
        }
        // A suspect cluster keeps its share and gets no more. An interrupted ramp goes on from where it was.
        let due = *self.next_step.get_or_insert_with(|| now + per());
        if now >= due && verdict != Verdict::Suspect {
            self.value.gate = self.value.gate.saturating_add(step).min(FULL);
            self.next_step = (self.value.gate < FULL).then(|| now + per());
        }
    }
}

/// The share of its weight that a cluster is let through with.
#[expect(clippy::cast_precision_loss, reason = "shown to people; at most a million")]
pub(crate) fn share(value: GateValue) -> f64 {
    value.through() as f64 / f64::from(FULL)
}

#[cfg(test)]
mod tests;
