//! What happens next: events in order of time, and of their making where the time is the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most events that wait at one time. A world that makes more has lost its way; it is stopped.
const MOST: usize = 1 << 20;

/// Events by the microsecond they are due at.
#[derive(Debug)]
pub struct Queue<E> {
    /// (due, number, slot). Events stay in their slots; what the heap moves is small.
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    made: u64,
    refused: u64,
}

impl<E> Queue<E> {
    pub fn push(&mut self, at_us: u64, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < MOST => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
            None => {
                self.refused += 1;
                return;
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(event);
        }
        self.made += 1;
        self.heap.push(Reverse((at_us, self.made, slot)));
    }

    /// The next event and when it is due.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse((at_us, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let event = self.slots.get_mut(slot as usize)?.take()?;
        Some((at_us, event))
    }

    /// Events that found the queue full.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            made: 0,
            refused: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_and_then_by_making() {
        let mut queue = Queue::default();
        for (at, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            queue.push(at, event);
        }
        let order: String = std::iter::from_fn(|| queue.pop())
            .map(|(_, event)| event)
            .collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.refused(), 0);
    }
}
