//! One query in, one response out: a pure function of the packet, the snapshot, the gates, the settings of the protocol, the time
//! and a random draw.
//!
//! ```text
//! packet ──wire::query──> common shape ──respond──> lookup ──> fixed | steered | negative ──wire::writer──> out
//!              └─ unusual ──slow (hickory-proto, our semantics)──┘
//! ```
//! The common path takes no lock and allocates nothing once the scratch space has grown to the widest record set.

mod asked;
mod chain;
mod cut;
mod respond;
mod service;
mod slow;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lifeboat_health::MonoTime;

pub(crate) use chain::MAX_ALIASES;
pub(crate) use cut::cut;
pub(crate) use respond::flattens;

use crate::cookie::CookieSeen;
use crate::gate::table::GateTable;
use crate::meter::Metered;
use crate::protocol::Protocol;
use crate::snapshot::Snapshot;
use crate::wire::query::{self, QName, Query};
use crate::wire::{EDNS_UDP_PAYLOAD, HEADER_LEN, PLAIN_UDP_PAYLOAD, Rcode, flag, u16_at};

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What the socket knows of a query.
#[derive(Clone, Copy, Debug)]
pub struct QueryMeta<'a> {
    pub client: IpAddr,
    /// The address the query was sent to.
    pub local: IpAddr,
    pub transport: Transport,
    pub now: MonoTime,
    /// The time of day in seconds since 1970, modulo 2^32; needed where there are cookies.
    pub unix_s: u32,
    pub protocol: &'a Protocol,
    /// Whether this client's ECS options are believed and answered.
    pub ecs: bool,
    /// A uniform random number; all that is random in an answer.
    pub draw: u64,
}

/// Working space of one thread.
pub struct Scratch {
    pub(crate) qname: QName,
    /// The name that another's addresses are taken from.
    pub(crate) target: QName,
    pub(crate) room: Room,
}

/// Room for the weights of a record set's candidates.
#[derive(Default)]
pub(crate) struct Room {
    weights: Vec<u64>,
    /// By family, those that no record has used yet.
    left: [Vec<u64>; 2],
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    #[must_use]
    pub fn new() -> Self {
        Self {
            qname: QName::new(),
            target: QName::new(),
            room: Room::default(),
        }
    }

    /// Makes room for the widest record set of a snapshot, so that answers from it allocate nothing.
    pub fn fit(&mut self, snapshot: &Snapshot) {
        let Room { weights, left } = &mut self.room;
        for weights in left.iter_mut().chain([weights]) {
            weights.reserve(snapshot.widest().saturating_sub(weights.len()));
        }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first `len` octets of `out` are the response.
    Reply(Reply),
    /// No response: the packet is too short for one, or is a response itself.
    Dropped,
}

/// What a response says, for counters and rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub len: usize,
    pub rcode: Rcode,
    /// The query's type; 0 where it could not be read.
    pub qtype: u16,
    pub truncated: bool,
    /// The health of every candidate was in doubt.
    pub panic: bool,
    pub cookie: CookieSeen,
    pub(crate) metered: Metered,
    /// The idle time that the client was told for its connection, in tenths of a second (RFC 7828).
    pub keepalive_tenths: Option<u16>,
    /// Where the question ends.
    pub question_end: usize,
    /// The octets of OPT, which is last; 0 where there is none.
    pub opt_len: usize,
}

/// Answers one packet. Nothing in a packet can make it panic.
pub fn answer(
    scratch: &mut Scratch,
    packet: &[u8],
    meta: &QueryMeta<'_>,
    snapshot: &Snapshot,
    gates: &GateTable,
    out: &mut [u8],
) -> Outcome {
    // Too short to answer, or an answer itself: replying would invite loops (RFC 5452 §9.1, RFC 1035 §4.1.1).
    match u16_at(packet, 2) {
        Some(flags) if packet.len() >= HEADER_LEN && flags & flag::QR == 0 => {}
        Some(_) | None => return Outcome::Dropped,
    }
    match query::parse(packet, &mut scratch.qname) {
        Ok(query) => respond::respond(scratch, packet, &query, meta, snapshot, gates, out),
        Err(unusual) => {
            // A bug in the slow path costs one answer, not the server.
            let slow =
                AssertUnwindSafe(|| slow::answer(scratch, packet, unusual, meta, snapshot, gates, out));
            catch_unwind(slow).unwrap_or_else(|_| slow::header_only(packet, Rcode::ServFail, out))
        }
    }
}

/// The largest response the client takes (RFC 6891 §6.2.3, RFC 9715 §3.2).
fn size_limit(query: &Query, meta: &QueryMeta<'_>) -> usize {
    match (meta.transport, query.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, Some(edns)) => {
            usize::from(edns.payload.min(EDNS_UDP_PAYLOAD)).max(PLAIN_UDP_PAYLOAD)
        }
        (Transport::Udp, None) => PLAIN_UDP_PAYLOAD,
    }
}

#[cfg(test)]
mod tests;
