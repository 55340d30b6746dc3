//! What happens next: events in order of time, and of their making where the time is the same.
//!
//! ```text
//! later (heap) ──a second before──> wheel (one list a slice of time) ──its slice has come: sorted──> present ──> pop
//! ```
//! Nearly all events are due within the next second: a place on the wheel costs less than one in a heap of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most events that wait at one time. A world that makes more has lost its way; it is stopped.
const MOST: usize = 1 << 20;
/// A slice of time has 2^10 µs, about a millisecond.
const SLICE_BITS: u32 = 10;
/// Slices on the wheel, about a second.
const SLICES: u64 = 1_024;

/// Events by the microsecond they are due at.
#[derive(Debug)]
pub struct Queue<E> {
    /// The slice whose events are next.
    slice: u64,
    /// Its events, the next one last.
    present: Vec<Order>,
    /// The events of the slices after it, in no order; a slice's place is its number modulo their count.
    wheel: Vec<Vec<Order>>,
    on_wheel: usize,
    /// Events beyond.
    later: BinaryHeap<Reverse<Order>>,
    /// Events stay in their places; what is sorted is small.
    places: Vec<Option<E>>,
    free: Vec<usize>,
    made: u64,
    refused: u64,
}

/// When an event is due; its number and, in the low bits, its place. Small, since orders are compared and moved most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    at_us: u64,
    made_and_place: u64,
}

impl Order {
    fn place(self) -> usize {
        usize::try_from(self.made_and_place).unwrap_or(MOST) % MOST
    }

    fn slice(self) -> u64 {
        self.at_us >> SLICE_BITS
    }
}

impl<E> Queue<E> {
    pub fn push(&mut self, at_us: u64, event: E) {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < MOST => {
                self.places.push(None);
                self.places.len() - 1
            }
            None => {
                self.refused += 1;
                return;
            }
        };
        if let Some(free) = self.places.get_mut(place) {
            *free = Some(event);
        }
        self.made += 1;
        let made_and_place = self.made * MOST as u64 + place as u64;
        let order = Order {
            at_us,
            made_and_place,
        };
        let slice = order.slice();
        if slice <= self.slice {
            let at = self.present.partition_point(|other| *other > order);
            self.present.insert(at, order);
        } else if slice - self.slice < SLICES {
            self.put_on_wheel(order);
        } else {
            self.later.push(Reverse(order));
        }
    }

    /// The next event and when it is due.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        while self.present.is_empty() {
            self.turn()?;
        }
        let order = self.present.pop()?;
        self.free.push(order.place());
        let event = self.places.get_mut(order.place())?.take()?;
        Some((order.at_us, event))
    }

    /// Events that found the queue full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// On to the next slice that may have events; `None` where there are no more.
    fn turn(&mut self) -> Option<()> {
        self.slice = if self.on_wheel > 0 {
            self.slice + 1
        } else {
            self.later.peek()?.0.slice()
        };
        while let Some(Reverse(order)) = self.later.peek().copied()
            && order.slice() - self.slice < SLICES
        {
            self.later.pop();
            self.put_on_wheel(order);
        }
        let list = self.wheel.get_mut(usize::try_from(self.slice % SLICES).ok()?)?;
        self.on_wheel -= list.len();
        std::mem::swap(&mut self.present, list);
        if self.present.len() > 1 {
            self.present.sort_unstable_by(|a, b| b.cmp(a));
        }
        Some(())
    }

    fn put_on_wheel(&mut self, order: Order) {
        let list = usize::try_from(order.slice() % SLICES)
            .ok()
            .and_then(|at| self.wheel.get_mut(at));
        if let Some(list) = list {
            list.push(order);
            self.on_wheel += 1;
        }
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue {
            slice: 0,
            present: Vec::new(),
            wheel: (0..SLICES).map(|_| Vec::new()).collect(),
            on_wheel: 0,
            later: BinaryHeap::new(),
            places: Vec::new(),
            free: Vec::new(),
            made: 0,
            refused: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Draws;

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

    /// Against a plain list, with events made while others are popped: due now, soon, within the wheel, beyond it, and never.
    #[test]
    fn as_a_sorted_list_would_have_it() {
        let mut draws = Draws::new(5, 0);
        let (mut queue, mut list) = (Queue::default(), Vec::new());
        let mut now_us = 0;
        for made in 0..20_000_u64 {
            let reach = [1, 5_000, 900_000, 5_000_000, 300_000_000][draws.index(5)];
            let at_us = if made == 17 {
                u64::MAX
            } else {
                now_us + draws.below(reach)
            };
            queue.push(at_us, made);
            list.push((at_us, made));
            if draws.chance(0.4) || made == 19_999 {
                let most = if made == 19_999 {
                    usize::MAX
                } else {
                    draws.index(4)
                };
                list.sort_unstable();
                let due = list.drain(..most.min(list.len()));
                for expected in due {
                    assert_eq!(queue.pop(), Some(expected));
                    now_us = expected.0;
                }
            }
        }
        assert_eq!(queue.pop(), None);
        assert!(queue.places.len() < 20_000, "places are used again");
    }
}
