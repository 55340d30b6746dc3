//! By which zone and which steered name a query is counted. Each gets a number once and keeps it, so that a thread counts in arrays of
//! its own, of a size that is known; what has no number is counted as the rest, and no client can make a label.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::metrics::{Counters, bump};
use crate::name::Name;
use crate::wire::Rcode;

/// Zones, and steered names, with a count of their own: the first of a snapshot in canonical order.
pub(crate) const MOST: usize = 1_000;
/// What the rest is called in labels; no zone or name is.
pub(crate) const REST: &str = "(other)";

/// The numbers of what one query was about; 0 is the rest, and of names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metered {
    pub(crate) zone: u16,
    pub(crate) name: u16,
}

/// Who has which number.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    zones: Mutex<Numbers>,
    names: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers(BTreeMap<Name, u16>);

impl Numbers {
    fn of(&mut self, name: &Name) -> u16 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let next = self.0.len() + 1;
        let number = u16::try_from(next).ok().filter(|_| next <= MOST);
        if let Some(number) = number {
            self.0.insert(name.clone(), number);
        }
        number.unwrap_or(0)
    }
}

impl Meters {
    pub(crate) fn zone(&self, apex: &Name) -> u16 {
        self.zones.lock().of(apex)
    }

    pub(crate) fn name(&self, owner: &Name) -> u16 {
        self.names.lock().of(owner)
    }

    /// Queries of each zone and response code by all threads, where not 0.
    pub(crate) fn zones(&self, counters: &[Arc<Counters>]) -> Vec<(String, &'static str, u64)> {
        let zones = self.zones.lock();
        let rest = (REST.to_owned(), 0);
        let each = zones.0.iter().map(|(name, number)| (name.to_string(), *number));
        let mut counts = Vec::new();
        for (zone, number) in each.chain([rest]) {
            for (index, code) in CODES.into_iter().enumerate() {
                let count = sum(counters, |tally| {
                    tally
                        .zones
                        .get(usize::from(number))
                        .and_then(|codes| codes.get(index))
                });
                if count > 0 {
                    counts.push((zone.clone(), code, count));
                }
            }
        }
        counts
    }

    /// Queries for the addresses or services of each steered name by all threads, where not 0.
    pub(crate) fn names(&self, counters: &[Arc<Counters>]) -> Vec<(String, u64)> {
        let names = self.names.lock();
        let each = names.0.iter().map(|(name, number)| {
            let count = sum(counters, |tally| tally.names.get(usize::from(*number)));
            (name.to_string(), count)
        });
        each.filter(|(_, count)| *count > 0).collect()
    }
}

fn sum<'a>(counters: &'a [Arc<Counters>], of: impl Fn(&'a Tally) -> Option<&'a AtomicU64>) -> u64 {
    let each = counters.iter().filter_map(|thread| of(&thread.tally));
    each.map(|counter| counter.load(Ordering::Relaxed)).sum()
}

/// The response codes that a zone's queries are counted by.
const CODES: [&str; 3] = ["NOERROR", "NXDOMAIN", "other"];

/// One thread's counts. Only that thread writes them.
#[derive(Debug)]
pub(crate) struct Tally {
    zones: Box<[[AtomicU64; CODES.len()]]>,
    names: Box<[AtomicU64]>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            zones: (0..=MOST).map(|_| Default::default()).collect(),
            names: (0..=MOST).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Tally {
    pub(crate) fn count(&self, metered: Metered, rcode: Rcode) {
        let code = match rcode {
            Rcode::NoError => 0,
            Rcode::NxDomain => 1,
            Rcode::FormErr
            | Rcode::ServFail
            | Rcode::NotImp
            | Rcode::Refused
            | Rcode::YxDomain
            | Rcode::BadVers
            | Rcode::BadCookie => 2,
        };
        let zone = self.zones.get(usize::from(metered.zone));
        if let Some(counter) = zone.and_then(|codes| codes.get(code)) {
            bump(counter);
        }
        if let Some(counter) = self.names.get(usize::from(metered.name)) {
            bump(counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_and_bounded() {
        let meters = Meters::default();
        let name = |n: usize| Name::parse(&format!("n{n}.example")).unwrap();
        for n in 0..MOST {
            assert_eq!(usize::from(meters.name(&name(n))), n + 1);
        }
        assert_eq!(meters.name(&name(0)), 1);
        assert_eq!(meters.name(&name(MOST)), 0);
        assert_eq!(meters.zone(&name(MOST)), 1);
    }
}
