//! Who may begin a connection. A handshake takes memory and a signature before anybody has shown a certificate, and its first packet
//! can be forged or replayed by whoever likes. So the first few are taken as they come, and while these are under way the others
//! have to show that they are where they say (QUIC Retry, RFC 9000 §8.1.2), which costs us nothing and them a round trip. Connections that
//! stand have places of their own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that stand.
const CONNECTIONS: usize = 256;
/// Handshakes under way.
const HANDSHAKES: usize = 128;
/// Of these, begun by who has not shown an address.
const UNPROVEN: usize = 16;
/// Of these, from one address: several observers may stand behind it.
const OF_ONE_ADDRESS: usize = HANDSHAKES / 4;

pub(super) struct Door {
    handshakes: Arc<Mutex<Handshakes>>,
    connections: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Handshakes {
    under_way: usize,
    unproven: usize,
    /// None is 0.
    by_address: BTreeMap<IpAddr, usize>,
}

/// What becomes of a first packet.
#[derive(Debug)]
pub(super) enum Knock {
    /// The handshake goes on, until this is dropped.
    In(Handshake),
    /// The sender has to show its address first.
    Prove,
    Full,
}

/// The place of one handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    of: Arc<Mutex<Handshakes>>,
    from: IpAddr,
    proven: bool,
}

impl Door {
    pub(super) fn new() -> Self {
        Self {
            handshakes: Arc::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// `proven`: the sender has shown that it is at `from`.
    pub(super) fn knock(&self, from: IpAddr, proven: bool) -> Knock {
        let mut handshakes = self.handshakes.lock();
        if !proven && handshakes.unproven >= UNPROVEN {
            return Knock::Prove;
        }
        let own = handshakes.by_address.get(&from).copied().unwrap_or(0);
        if handshakes.under_way >= HANDSHAKES || proven && own >= OF_ONE_ADDRESS {
            return Knock::Full;
        }
        handshakes.under_way += 1;
        handshakes.unproven += usize::from(!proven);
        if proven {
            handshakes.by_address.insert(from, own + 1);
        }
        Knock::In(Handshake {
            of: Arc::clone(&self.handshakes),
            from,
            proven,
        })
    }

    /// A place for a connection whose handshake is over, if there is one.
    pub(super) fn stay(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut handshakes = self.of.lock();
        handshakes.under_way -= 1;
        handshakes.unproven -= usize::from(!self.proven);
        if self.proven {
            let own = handshakes.by_address.remove(&self.from).unwrap_or(0);
            if own > 1 {
                handshakes.by_address.insert(self.from, own - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn enter(door: &Door, count: usize, from: IpAddr, proven: bool) -> Vec<Handshake> {
        let knocks = (0..count).filter_map(|_| match door.knock(from, proven) {
            Knock::In(handshake) => Some(handshake),
            Knock::Prove | Knock::Full => None,
        });
        knocks.collect()
    }

    #[test]
    fn forged_packets_leave_room_for_who_is_really_there() {
        let door = Door::new();
        let forged = enter(&door, 10_000, address(1), false);
        assert_eq!(forged.len(), UNPROVEN);
        assert!(matches!(door.knock(address(2), false), Knock::Prove));
        assert_eq!(enter(&door, 5, address(2), true).len(), 5);
        drop(forged);
        assert!(matches!(door.knock(address(2), false), Knock::In(_)));
    }

    #[test]
    fn one_address_takes_no_more_than_its_part_and_places_come_back() {
        let door = Door::new();
        let mut held = enter(&door, 1_000, address(1), true);
        assert_eq!(held.len(), OF_ONE_ADDRESS);
        assert!(matches!(door.knock(address(1), true), Knock::Full));
        for last in 2..=4 {
            held.extend(enter(&door, 1_000, address(last), true));
        }
        assert_eq!(held.len(), HANDSHAKES);
        assert!(matches!(door.knock(address(9), true), Knock::Full));
        held.clear();
        assert_eq!(door.handshakes.lock().by_address, BTreeMap::new());
        assert_eq!(enter(&door, 1, address(9), true).len(), 1);
    }

    #[test]
    fn connections_that_stand_have_places_of_their_own() {
        let door = Door::new();
        let _forged = enter(&door, 10_000, address(1), false);
        let stand: Vec<_> = (0..1_000).filter_map(|_| door.stay()).collect();
        assert_eq!(stand.len(), CONNECTIONS);
    }
}
