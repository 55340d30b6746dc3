//! The bounded memory of changes that watches, exact lists and continue tokens are served from.

use std::collections::VecDeque;

use super::stored::Event;

/// The latest events of all tables in the order of their resource version.
#[derive(Debug)]
pub(crate) struct History {
    events: VecDeque<Event>,
    max_events: usize,
    bytes: usize,
}

/// However many events are allowed, their objects hold no more than this.
const MAX_BYTES: usize = 8 << 20;

impl History {
    pub(crate) fn new(max_events: usize) -> History {
        History {
            events: VecDeque::new(),
            max_events: max_events.max(1),
            bytes: 0,
        }
    }

    /// Remembers an event and returns those forgotten for it.
    pub(crate) fn push(&mut self, event: Event) -> Vec<Event> {
        self.bytes += event.object.weight();
        self.events.push_back(event);
        let mut forgotten = Vec::new();
        while self.events.len() > self.max_events || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.object.weight();
            forgotten.push(oldest);
        }
        forgotten
    }

    /// Events of a table after `rv`, oldest first.
    pub(crate) fn since<'a>(&'a self, table: &'a str, rv: u64) -> impl DoubleEndedIterator<Item = &'a Event> {
        let start = self.events.partition_point(|event| event.rv <= rv);
        self.events
            .range(start..)
            .filter(move |event| &*event.table == table)
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
