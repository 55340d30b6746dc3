//! What comes due in the world.

use std::rc::Rc;

use crate::simulate::detection::observer::Ending;

#[derive(Debug)]
pub(super) enum Event {
    Probe {
        observer: usize,
        at: usize,
        life: u32,
    },
    Ends {
        observer: usize,
        at: usize,
        life: u32,
        due_us: u64,
        ending: Ending,
    },
    Send {
        observer: usize,
        life: u32,
    },
    Deliver {
        observer: usize,
        consumer: usize,
        bytes: Rc<[u8]>,
    },
    Poll {
        consumer: usize,
    },
    /// A flapping cluster changes sides.
    Flap {
        id: u64,
    },
    /// Whoever is dead since then must be Down by now.
    Due {
        target: usize,
        died_us: u64,
    },
    Kill,
    Revive,
    Penalty,
    WholeAgain,
}
