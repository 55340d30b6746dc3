//! The address to connect to: given, or looked up and kept for a while.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;

use crate::check::Remote;
use crate::clock::MonoClock;
use crate::target::Family;
use crate::time::MonoTime;

const KEEP: Duration = Duration::from_secs(30);

pub(super) struct Address {
    remote: Remote,
    family: Family,
    found: Mutex<Option<(SocketAddr, MonoTime)>>,
}

impl Address {
    pub(super) fn new(remote: Remote, family: Family) -> Address {
        Address {
            remote,
            family,
            found: Mutex::new(None),
        }
    }

    /// The address now. A name that cannot be resolved keeps its last one: the resolver's fault is not the
    /// target's.
    pub(super) async fn get(&self, clock: MonoClock) -> Option<SocketAddr> {
        let (name, port) = match &self.remote {
            Remote::Address(address) => return Some(*address),
            Remote::Name { name, port } => (name.as_str(), *port),
        };
        let before = *self.found.lock();
        if let Some((address, at)) = before
            && clock.now().saturating_since(at) < KEEP
        {
            return Some(address);
        }
        let found = match tokio::net::lookup_host((name, port)).await {
            Ok(mut all) => all.find(|address| Family::of(address.ip()) == self.family),
            Err(_) => None,
        };
        let address = found.or_else(|| before.map(|(address, _)| address))?;
        *self.found.lock() = Some((address, clock.now()));
        Some(address)
    }
}
