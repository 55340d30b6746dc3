//! Gates over a restart. One that was shut stays shut until evidence says better: without observers that can be heard, users would
//! else be sent back to what is known to be dead.

use lifeboat_health::Family;
use serde::{Deserialize, Serialize};

use super::table::{GateTable, GateValue};
use super::{Gates, Slot};

/// A gate that health has not fully open, as it stands in the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeptGate {
    cluster: String,
    family: Family,
    gate: u32,
    last_good: u32,
    episode: u32,
    spare: bool,
}

impl KeptGate {
    /// Puts it in force, unless the table is full.
    pub(crate) fn restore(&self, table: &GateTable) {
        if let Some(id) = table.intern(&self.cluster, self.family) {
            let value = GateValue {
                gate: self.gate,
                last_good: self.last_good,
                episode: self.episode,
                spare: self.spare,
                ..GateValue::default()
            };
            table.store(id, value);
        }
    }
}

impl Gates {
    /// What a restart is to find. What an operator has ordered is kept by whoever keeps the orders; gray failure is seen anew.
    pub(crate) fn kept(&self) -> Vec<KeptGate> {
        let gates = self.slots.iter().map(|((cluster, family), slot)| KeptGate {
            cluster: cluster.clone(),
            family: *family,
            gate: slot.without_order(),
            last_good: slot.value.last_good,
            episode: slot.value.episode,
            spare: slot.value.spare,
        });
        gates.filter(|kept| kept.gate < super::FULL).collect()
    }

    /// Takes up what the table holds.
    pub(super) fn resume(&mut self, table: &GateTable) {
        for family in [Family::V4, Family::V6] {
            for cluster in table.clusters(family) {
                let held = table.gate(&cluster, family).unwrap_or_default();
                if held != GateValue::default() {
                    self.episode.resume(held.episode);
                    self.slots.insert((cluster, family), Slot::resumed(held));
                }
            }
        }
    }
}

impl Slot {
    fn without_order(&self) -> u32 {
        if self.drained {
            self.value.last_good
        } else {
            self.value.gate
        }
    }
}
