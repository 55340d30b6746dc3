//! UDP: one socket a thread, received and sent in batches. A thread waits in the kernel and wakes now and then to see
//! whether it should stop.

mod mmsg;
mod socket;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::Cache;

use crate::answer::{Outcome, QueryMeta, Scratch, Transport, answer};
use crate::metrics::{Counters, bump};
use crate::proxy::{Proxied, ProxyFrom};
use crate::server::shared::Shared;
use mmsg::{Batch, Ready};
pub(crate) use socket::{UdpListener, bind};

/// How long a thread without work sleeps before it looks whether to stop.
pub(crate) const WAKE_EVERY: Duration = Duration::from_millis(200);

/// Answers queries on one socket until the server stops.
pub(crate) fn serve(listener: &UdpListener, shared: &Arc<Shared>, counters: &Counters, seed: u64) {
    if !shared.readiness.wait(|| shared.stopping()) {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut scratch = Scratch::new();
    let mut snapshots = Cache::new(&*shared.snapshot);
    let mut spoken = Cache::new(&shared.spoken);
    let mut served = None;
    let mut batch = Batch::new(listener.pktinfo);
    let local: IpAddr = listener.address.ip();
    while !shared.stopping() {
        match batch.receive(&listener.socket) {
            Ok(Ready::Packets) => {}
            Ok(Ready::Nothing) => {
                // A thread without queries must not keep an old snapshot alive.
                snapshots.load();
                continue;
            }
            Err(_) => {
                // An interface that is gone gives an error at once, again and again.
                counters.receive_failed.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
        }
        let snapshot = snapshots.load();
        if served != Some(Arc::as_ptr(snapshot)) {
            scratch.fit(snapshot);
            served = Some(Arc::as_ptr(snapshot));
        }
        let now = shared.clock.now();
        let spoken = spoken.load();
        let unix_s = spoken.unix_s();
        if batch.len() > 1 {
            snapshot.fetch(batch.packets(), &mut scratch.qname);
        }
        batch.answer_each(|packet, client, out| {
            let (packet, client) = match &listener.proxy {
                None => (packet, client),
                Some(from) => match behind(from, packet, client) {
                    Some(proxied) => proxied,
                    None => {
                        bump(&counters.proxy_refused);
                        return 0;
                    }
                },
            };
            let meta = QueryMeta {
                client,
                local,
                transport: Transport::Udp,
                now,
                unix_s,
                protocol: &spoken.protocol,
                ecs: shared.ecs.covers(client),
                draw: rng.u64(..),
            };
            let mut outcome = answer(&mut scratch, packet, &meta, snapshot, &shared.gates, out);
            if let Outcome::Reply(reply) = outcome {
                spoken.sample(packet, &meta, &reply);
                let Some(sent) = spoken.limited(reply, &meta, out, counters) else {
                    return 0;
                };
                outcome = Outcome::Reply(sent);
            }
            counters.count(&outcome);
            match outcome {
                Outcome::Reply(reply) => reply.len,
                Outcome::Dropped => 0,
            }
        });
        let lost = batch.send(&listener.socket);
        if lost > 0 {
            counters.send_failed.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

/// The query behind a PROXY header, and the client that it names; `None` where the header is not there, not well-formed or not
/// believed.
fn behind<'a>(from: &ProxyFrom, packet: &'a [u8], peer: IpAddr) -> Option<(&'a [u8], IpAddr)> {
    if !from.covers(peer) {
        return None;
    }
    let Proxied { client, len } = Proxied::read(packet)?;
    Some((packet.get(len..)?, client.unwrap_or(peer)))
}

/// Where a socket listens, with the port the kernel gave.
pub(crate) fn local_address(listener: &UdpListener) -> SocketAddr {
    listener.address
}
