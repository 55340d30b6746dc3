//! One consumer of evidence: a real quorum and the real gates of a DNS server behind it.

use std::rc::Rc;
use std::time::Duration;

use lifeboat_dns::{GateTable, GateView, Gates};
use lifeboat_health::{
    FleetView, Gray, Ingested, MonoTime, Profile, Quorum, Rejected, Transition, Vote, decode, vote,
};

use super::fleet::Fleet;

/// A view is renewed at least this often, as the real consumer does.
const VIEW_WITHIN: Duration = Duration::from_millis(100);

pub(super) struct Consumer {
    pub(super) quorum: Quorum,
    pub(super) view: FleetView,
    pub(super) gate_views: Vec<GateView>,
    gates: Gates,
    table: GateTable,
    revision: Option<u64>,
    profile: Profile,
    observers: Vec<String>,
    /// By target and observer: when a row last arrived that says Dead by itself.
    said_dead: Vec<Vec<Option<MonoTime>>>,
}

/// What one poll changed.
pub(super) struct Polled {
    pub(super) transitions: Vec<Transition>,
    /// The view before, if this poll made a new one.
    pub(super) before: Option<FleetView>,
    pub(super) gates_changed: bool,
}

/// How long what is still gray may take to have its whole weight: windows run empty, and then the degree falls by one
/// each hold.
pub(super) fn gray_lasts(consumers: &[Consumer], profile: &Profile) -> Duration {
    let gray = |consumer: &Consumer| {
        let cells = consumer.view.cells.values();
        cells.map(|cell| cell.gray.degree).max().unwrap_or_default()
    };
    if consumers.iter().all(|consumer| gray(consumer) == Gray::None) {
        return Duration::ZERO;
    }
    profile
        .gray_window()
        .max(profile.slowest_interval() * 100)
        .saturating_add(profile.gray_after())
        .saturating_add(3 * profile.gray_hold())
}

impl Consumer {
    pub(super) fn new(fleet: &Fleet, observers: Vec<String>) -> Consumer {
        let targets = fleet.targets();
        let table = GateTable::new();
        Consumer {
            said_dead: vec![vec![None; observers.len()]; targets.len()],
            quorum: Quorum::new(targets, fleet.profile.clone()),
            view: FleetView::default(),
            gate_views: Vec::new(),
            gates: Gates::new(fleet.ramp, &table),
            table,
            revision: None,
            profile: fleet.profile.clone(),
            observers,
        }
    }

    /// A datagram has arrived.
    pub(super) fn hear(
        &mut self,
        observer: usize,
        bytes: &Rc<[u8]>,
        now: MonoTime,
    ) -> Result<Ingested, Rejected> {
        let Ok(datagram) = decode(bytes) else {
            return Ok(Ingested::default());
        };
        let ingested = self.quorum.ingest(&datagram, now)?;
        // One table is one datagram here: rows come in the order of the targets.
        for (row, heard) in datagram.rows.iter().zip(&mut self.said_dead) {
            let dead = !datagram.header.abstain && vote(row, &self.profile) == Vote::Dead;
            heard[observer] = dead.then_some(now);
        }
        Ok(ingested)
    }

    pub(super) fn poll(&mut self, now: MonoTime) -> Polled {
        let transitions = self.quorum.poll(now);
        let revision = Some(self.quorum.revision());
        let renew = revision != self.revision || now.saturating_since(self.view.at) >= VIEW_WITHIN;
        self.revision = revision;
        let before = renew.then(|| std::mem::replace(&mut self.view, self.quorum.view(now)));
        // The real sink ticks at each poll. A tick on the same view changes nothing but the time, so ten of them are one.
        let gates_changed = renew && self.gates.tick(now, &self.view, &self.table);
        if gates_changed {
            self.gate_views = self.gates.view(|_| std::time::SystemTime::UNIX_EPOCH);
        }
        Polled {
            transitions,
            before,
            gates_changed,
        }
    }

    /// How many observers' last rows, heard within `within`, say Dead of a target for certain.
    pub(super) fn certainly_dead(&self, target: usize, within: Duration, now: MonoTime) -> u32 {
        let said = self.said_dead[target]
            .iter()
            .zip(&self.observers)
            .filter(|(heard, name)| {
                let abstains = self
                    .view
                    .observers
                    .iter()
                    .any(|observer| observer.name == **name && observer.abstaining);
                !abstains && heard.is_some_and(|at| now.saturating_since(at) <= within)
            });
        u32::try_from(said.count()).unwrap_or(u32::MAX)
    }

    /// Whether every cluster serves in full, on every path.
    pub(super) fn is_whole(&self) -> bool {
        self.view
            .cells
            .values()
            .all(|cell| cell.verdict == lifeboat_health::Verdict::Up && !cell.frozen && !cell.suppressed)
            && self.gate_views.iter().all(|gate| gate.gate >= 1.0 && !gate.held)
    }
}
