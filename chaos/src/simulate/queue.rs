//! What happens next: events in order of time, and of their making where the time is the same.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Most events that wait at one time. A world that makes more has lost its way; it is stopped.
const MOST: usize = 1 << 20;

/// Events by the microsecond they are due at.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Due<E>>,
    made: u64,
    refused: u64,
}

#[derive(Debug)]
struct Due<E> {
    at_us: u64,
    number: u64,
    event: E,
}

impl<E> Queue<E> {
    pub fn push(&mut self, at_us: u64, event: E) {
        if self.heap.len() >= MOST {
            self.refused += 1;
            return;
        }
        self.made += 1;
        self.heap.push(Due {
            at_us,
            number: self.made,
            event,
        });
    }

    /// The next event and when it is due.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        self.heap.pop().map(|due| (due.at_us, due.event))
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
            made: 0,
            refused: 0,
        }
    }
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Due<E>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Due<E> {}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Due<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Due<E> {
    /// The earliest is the greatest: `BinaryHeap` pops the greatest first.
    fn cmp(&self, other: &Due<E>) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
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
