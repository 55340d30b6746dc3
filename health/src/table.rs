//! Verdicts as atomics: the consumer's thread stores, any number of threads read without a lock.
//!
//! A slot stands for one (cluster, family). It is handed out once and never reused in a process, so a reader with an old
//! plan cannot see another cluster's verdict in its place.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::target::{Family, Path};
use crate::verdict::Verdict;
use crate::view::{Cell, FleetView};

const CHUNK: usize = 256;
const CHUNKS: usize = 256;

/// Index of one (cluster, family).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

/// What a reader on the hot path needs of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub verdict: Verdict,
    pub positively_healthy: bool,
    pub suppressed: bool,
    pub frozen: bool,
}

/// All slots are taken: more distinct (cluster, family) pairs in one process than any fleet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the verdict table is full: it holds {} slots", CHUNK * CHUNKS)]
pub struct TableFull;

/// Verdicts of the traffic path by slot.
pub struct VerdictTable {
    chunks: Box<[OnceLock<Box<[AtomicU8]>>]>,
    slots: Mutex<BTreeMap<(String, Family), Slot>>,
}

impl VerdictTable {
    pub fn new() -> VerdictTable {
        VerdictTable {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            slots: Mutex::new(BTreeMap::new()),
        }
    }

    /// The slot of a cluster and family; the same one each time.
    ///
    /// # Errors
    /// No slot is left.
    pub fn intern(&self, cluster: &str, family: Family) -> Result<Slot, TableFull> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(&(cluster.to_owned(), family)) {
            return Ok(*slot);
        }
        let next = slots.len();
        let chunk = self.chunks.get(next / CHUNK).ok_or(TableFull)?;
        chunk.get_or_init(|| (0..CHUNK).map(|_| AtomicU8::new(0)).collect());
        let slot = Slot(u32::try_from(next).map_err(|_| TableFull)?);
        slots.insert((cluster.to_owned(), family), slot);
        Ok(slot)
    }

    /// What stands in a slot. A slot that was never stored to is Unknown.
    pub fn load(&self, slot: Slot) -> Mark {
        self.atom(slot)
            .map_or_else(Mark::default, |atom| Mark::unpack(atom.load(Ordering::Acquire)))
    }

    pub fn store(&self, slot: Slot, mark: Mark) {
        if let Some(atom) = self.atom(slot) {
            atom.store(mark.pack(), Ordering::Release);
        }
    }

    /// Store the traffic path of every cell of a view.
    ///
    /// # Errors
    /// No slot is left for a new cluster; those before it in order are stored.
    pub fn publish(&self, view: &FleetView) -> Result<(), TableFull> {
        for ((cluster, path, family), cell) in &view.cells {
            if *path == Path::Traffic {
                self.store(self.intern(cluster, *family)?, Mark::from(cell));
            }
        }
        Ok(())
    }

    fn atom(&self, slot: Slot) -> Option<&AtomicU8> {
        let index = usize::try_from(slot.0).ok()?;
        self.chunks.get(index / CHUNK)?.get()?.get(index % CHUNK)
    }
}

impl Default for VerdictTable {
    fn default() -> VerdictTable {
        VerdictTable::new()
    }
}

impl From<&Cell> for Mark {
    fn from(cell: &Cell) -> Mark {
        Mark {
            verdict: cell.verdict,
            positively_healthy: cell.positively_healthy,
            suppressed: cell.suppressed,
            frozen: cell.frozen,
        }
    }
}

impl Mark {
    fn pack(self) -> u8 {
        let verdict = match self.verdict {
            Verdict::Unknown => 0,
            Verdict::Up => 1,
            Verdict::Suspect => 2,
            Verdict::Down => 3,
            Verdict::Recovering => 4,
        };
        verdict
            | u8::from(self.positively_healthy) << 3
            | u8::from(self.suppressed) << 4
            | u8::from(self.frozen) << 5
    }

    fn unpack(bits: u8) -> Mark {
        let verdict = match bits & 7 {
            1 => Verdict::Up,
            2 => Verdict::Suspect,
            3 => Verdict::Down,
            4 => Verdict::Recovering,
            _ => Verdict::Unknown,
        };
        Mark {
            verdict,
            positively_healthy: bits & 8 != 0,
            suppressed: bits & 16 != 0,
            frozen: bits & 32 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_survives_the_table() {
        let table = VerdictTable::new();
        let slot = table.intern("a", Family::V4).unwrap();
        assert_eq!(table.load(slot), Mark::default());
        for verdict in [
            Verdict::Unknown,
            Verdict::Up,
            Verdict::Suspect,
            Verdict::Down,
            Verdict::Recovering,
        ] {
            for bits in 0..8 {
                let mark = Mark {
                    verdict,
                    positively_healthy: bits & 1 != 0,
                    suppressed: bits & 2 != 0,
                    frozen: bits & 4 != 0,
                };
                table.store(slot, mark);
                assert_eq!(table.load(slot), mark);
            }
        }
    }

    #[test]
    fn slots_are_interned_once_and_end_somewhere() {
        let table = VerdictTable::new();
        let first = table.intern("a", Family::V4).unwrap();
        assert_eq!(table.intern("a", Family::V4), Ok(first));
        assert_ne!(table.intern("a", Family::V6), Ok(first));
        for n in 2..CHUNK * CHUNKS {
            table.intern(&format!("c{n}"), Family::V4).unwrap();
        }
        assert_eq!(table.intern("one more", Family::V4), Err(TableFull));
        assert_eq!(table.intern("a", Family::V4), Ok(first));
        assert_eq!(table.load(Slot(u32::MAX)), Mark::default());
    }
}
