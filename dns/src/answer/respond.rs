//! The answer to a well-formed question in class IN.

use super::{Outcome, QueryMeta, Reply, Scratch, size_limit};
use crate::gate::table::GateTable;
use crate::invariants;
use crate::snapshot::{Lookup, RrData, RrSet, Snapshot, Steered, Zone};
use crate::steer::{self, Choice, all};
use crate::wire::query::Query;
use crate::wire::writer::{Section, Writer};
use crate::wire::{HEADER_LEN, Rcode, body, rtype};

/// HINFO "RFC8482" "", TTL 3600: the whole answer to ANY (RFC 8482 §4.2).
const ANY_ANSWER: &[u8] = b"\xc0\x0c\x00\x0d\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482\x00";

pub(super) fn respond(
    scratch: &mut Scratch,
    packet: &[u8],
    query: &Query,
    meta: &QueryMeta,
    snapshot: &Snapshot,
    gates: &GateTable,
    out: &mut [u8],
) -> Outcome {
    let Some(mut writer) = Writer::start(out, packet, query, size_limit(query, meta)) else {
        return Outcome::Dropped;
    };
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return finish(writer, query, Rcode::BadVers, false, false);
    }
    if let Some(rcode) = not_data(query.qtype) {
        return finish(writer, query, rcode, false, false);
    }
    let Scratch { qname, effective } = scratch;
    match snapshot.lookup(qname) {
        Lookup::NotOurs => finish(writer, query, Rcode::Refused, false, false),
        Lookup::Absent(zone) => {
            negative(&mut writer, snapshot, zone, qname.wire().len());
            finish(writer, query, Rcode::NxDomain, true, false)
        }
        Lookup::Present { zone, sets } => {
            let mut panic = false;
            if query.qtype == rtype::ANY && !sets.is_empty() {
                writer.put(Section::Answer, 1, ANY_ANSWER);
            } else if let Some(set) = sets.iter().find(|set| set.kind == query.qtype) {
                panic = positive(&mut writer, snapshot, set, gates, meta.draw, effective);
            } else {
                negative(&mut writer, snapshot, zone, qname.wire().len());
            }
            finish(writer, query, Rcode::NoError, true, panic)
        }
    }
}

/// Query types that name an operation, not data (RFC 6895 §3.1): transfers and keys are refused, obsolete mailbox
/// types are not implemented, OPT is not a question (RFC 6891 §6.1.1).
fn not_data(qtype: u16) -> Option<Rcode> {
    match qtype {
        rtype::OPT => Some(Rcode::FormErr),
        rtype::TKEY | rtype::TSIG | rtype::IXFR | rtype::AXFR => Some(Rcode::Refused),
        rtype::MAILA | rtype::MAILB => Some(Rcode::NotImp),
        _ => None,
    }
}

/// Puts the records of one set; returns whether PANIC is on for it.
fn positive(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    set: &RrSet,
    gates: &GateTable,
    draw: u64,
    effective: &mut Vec<u64>,
) -> bool {
    match &set.data {
        RrData::Fixed { count, body, glue } => {
            writer.put(Section::Answer, count.get(), snapshot.octets(*body));
            if let Some((count, glue)) = glue {
                writer.put_optional(Section::Additional, count.get(), snapshot.octets(*glue));
            }
            false
        }
        RrData::Steered(steered) => {
            let (choice, health) = steer::choose(steered, gates, draw, effective);
            let put = addresses(writer, snapshot, set.kind, steered, choice, effective);
            debug_assert!(
                invariants::s1_answer_not_empty(put),
                "a live name was answered with nothing"
            );
            health.is_panic()
        }
    }
}

fn addresses(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    kind: u16,
    steered: &Steered,
    choice: Choice,
    effective: &[u64],
) -> usize {
    let record_len = body::address_len(kind);
    let mut put = 0;
    let mut put_some = |index: usize, from: usize, to: usize| {
        if let Some(candidate) = steered.candidates.get(index) {
            let octets = snapshot.addresses(candidate, from..to, record_len);
            writer.put(
                Section::Answer,
                u16::try_from(to - from).unwrap_or(u16::MAX),
                octets,
            );
            put += to - from;
        }
    };
    let count_of = |index: usize| {
        steered
            .candidates
            .get(index)
            .map_or(0, |candidate| candidate.count.get().into())
    };
    match choice {
        Choice::One(index) => put_some(index, 0, count_of(index)),
        Choice::All { rotation, max } => {
            all::runs(count_of, effective, rotation, max, |run| {
                put_some(run.candidate, run.from, run.to)
            });
        }
    }
    put
}

/// SOA in the authority section; its owner is the tail of the question's name (RFC 2308 §3).
fn negative(writer: &mut Writer<'_>, snapshot: &Snapshot, zone: &Zone, qname_len: usize) {
    let at = writer.put(Section::Authority, 1, snapshot.octets(zone.negative));
    let offset = HEADER_LEN + qname_len.saturating_sub(zone.apex.wire().len());
    writer.patch(at, 0xc000 | u16::try_from(offset).unwrap_or(0));
}

fn finish(writer: Writer<'_>, query: &Query, rcode: Rcode, authoritative: bool, panic: bool) -> Outcome {
    let (len, truncated) = writer.finish(query, rcode, authoritative, panic);
    Outcome::Reply(Reply {
        len,
        rcode,
        qtype: query.qtype,
        truncated,
        panic,
    })
}
