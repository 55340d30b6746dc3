//! From a name in wire form to its node: open addressing over 32-bit node numbers with a tag of the hash, so that a
//! miss rarely touches a name. A slot says where the name stands too: the processor fetches name and node at once, where
//! the one after the other would take twice the time.

/// The node of a slot without one.
const VACANT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    node: u32,
    /// Where the name starts in the snapshot's octets.
    name: u32,
}

const VACANT_SLOT: Slot = Slot {
    tag: 0,
    node: VACANT,
    name: 0,
};

#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[Slot]>,
    max_labels: usize,
}

impl Table {
    /// A table for `names` names, at most half full.
    pub(crate) fn with_capacity(names: usize) -> Self {
        let slots = (names.max(1) * 2).next_power_of_two();
        Self {
            slots: vec![VACANT_SLOT; slots].into_boxed_slice(),
            max_labels: 0,
        }
    }

    /// Enters the name of a node, which is not in the table yet and stands at `name`.
    pub(crate) fn insert(&mut self, wire: &[u8], labels: usize, node: u32, name: u32) {
        let hash = hash(wire);
        let mask = self.slots.len() - 1;
        let mut at = start(hash, mask);
        for _ in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(at)
                && slot.node == VACANT
            {
                let tag = tag(hash);
                *slot = Slot { tag, node, name };
                break;
            }
            at = (at + 1) & mask;
        }
        self.max_labels = self.max_labels.max(labels);
    }

    /// The node of a name, where names stand in `octets`.
    pub(crate) fn find(&self, wire: &[u8], octets: &[u8]) -> Option<u32> {
        let hash = hash(wire);
        let mask = self.slots.len() - 1;
        let mut at = start(hash, mask);
        loop {
            let slot = self.slots.get(at)?;
            if slot.node == VACANT {
                return None;
            }
            // A name ends itself, so what begins with all of one is that one.
            let is = || {
                let start = slot.name as usize;
                octets.get(start..start + wire.len()) == Some(wire)
            };
            if slot.tag == tag(hash) && is() {
                return Some(slot.node);
            }
            at = (at + 1) & mask;
        }
    }

    /// The node of the first slot that a name would be looked for in, and where its name starts.
    pub(super) fn first(&self, hash: u64) -> Option<(usize, usize)> {
        let slot = self.slots.get(start(hash, self.slots.len() - 1))?;
        (slot.tag == tag(hash)).then_some((slot.node as usize, slot.name as usize))
    }

    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Labels of the longest name: a suffix of a query with more need not be looked up.
    pub(crate) fn max_labels(&self) -> usize {
        self.max_labels
    }
}

fn start(hash: u64, mask: usize) -> usize {
    usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & mask
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

/// Multiply-and-fold over eight octets at a time. The keys are the operator's own names, so no keyed hash is needed:
/// a query can collide with an entry but cannot add one.
pub(crate) fn hash(wire: &[u8]) -> u64 {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    const MULTIPLIER: u64 = 0xa076_1d64_78bd_642f;
    let mut state = SEED ^ (wire.len() as u64);
    let mut chunks = wire.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold(state ^ chunk.try_into().map_or(0, u64::from_le_bytes), MULTIPLIER);
    }
    let mut last = [0; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    fold(fold(state ^ u64::from_le_bytes(last), MULTIPLIER), SEED)
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(product >> 64).unwrap_or(0);
    low ^ high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_entered_and_nothing_else() {
        let names: Vec<Vec<u8>> = (0..2_000)
            .map(|n| {
                let name = format!("name{n}");
                [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[0]].concat()
            })
            .collect();
        let octets = names.concat();
        let mut table = Table::with_capacity(names.len());
        let mut at = 0;
        for (index, name) in names.iter().enumerate() {
            table.insert(name, 1, u32::try_from(index).unwrap(), u32::try_from(at).unwrap());
            at += name.len();
        }
        for (index, name) in names.iter().enumerate() {
            assert_eq!(table.find(name, &octets), Some(u32::try_from(index).unwrap()));
            let guess = table.first(hash(name));
            assert!(guess.is_none_or(|(node, at)| node == index && octets[at..].starts_with(name)));
        }
        assert_eq!(table.find(b"\x06absent\0", &octets), None);
        assert_eq!(Table::with_capacity(0).find(b"\0", b"\0"), None);
    }
}
