//! The answer to a well-formed question in class IN.

use super::chain::{Chain, Redirect, follow, redirect};
use super::{Outcome, QueryMeta, Reply, Scratch, size_limit};
use crate::gate::table::GateTable;
use crate::invariants;
use crate::snapshot::{Lookup, RrData, RrSet, Snapshot, Steered, Zone};
use crate::steer::{self, Choice, all};
use crate::wire::query::Query;
use crate::wire::writer::{Extended, Section, Writer};
use crate::wire::{Rcode, body, rtype};

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
        return finish(writer, query, Rcode::BadVers, false, None);
    }
    if let Some(rcode) = not_data(query.qtype) {
        return finish(writer, query, rcode, false, None);
    }
    let Scratch { qname, effective } = scratch;
    let mut chain = Chain::of(qname.wire().len());
    loop {
        let (rcode, panic) = match snapshot.lookup(qname, query.qtype) {
            Lookup::NotOurs if chain.aliases == 0 => {
                return finish(
                    writer,
                    query,
                    Rcode::Refused,
                    false,
                    Some(Extended::NotAuthoritative),
                );
            }
            Lookup::Broken(_) if chain.aliases == 0 => {
                return finish(writer, query, Rcode::ServFail, false, Some(Extended::InvalidData));
            }
            // The resolver goes on from the alias, and is told then.
            Lookup::NotOurs | Lookup::Broken(_) => (Rcode::NoError, false),
            Lookup::Absent(zone) => {
                negative(&mut writer, snapshot, zone, &chain);
                (Rcode::NxDomain, false)
            }
            Lookup::Delegated { owner_len, servers } => {
                referral(&mut writer, snapshot, servers, chain.suffix(owner_len));
                return finish(writer, query, Rcode::NoError, chain.aliases > 0, None);
            }
            Lookup::Redirected { owner_len, dname } => {
                match redirect(&mut writer, snapshot, dname, owner_len, &mut chain, qname) {
                    // The CNAME that was made is what was asked for (RFC 1034 §4.3.2 step 3a).
                    Redirect::To if query.qtype != rtype::CNAME => continue,
                    Redirect::To | Redirect::End => (Rcode::NoError, false),
                    Redirect::TooLong => (Rcode::YxDomain, false),
                }
            }
            Lookup::Present { zone, sets } => {
                let of = |kind| sets.iter().find(|set| set.kind == kind);
                if query.qtype == rtype::ANY && !sets.is_empty() {
                    writer.put_owned(Section::Answer, 1, ANY_ANSWER, chain.at);
                    (Rcode::NoError, false)
                } else if let Some(set) = of(query.qtype) {
                    let panic = positive(&mut writer, snapshot, set, gates, meta.draw, effective, chain.at);
                    (Rcode::NoError, panic)
                } else if let Some(alias) = of(rtype::CNAME) {
                    if follow(&mut writer, snapshot, alias, &mut chain, qname) {
                        continue;
                    }
                    (Rcode::NoError, false)
                } else {
                    negative(&mut writer, snapshot, zone, &chain);
                    (Rcode::NoError, false)
                }
            }
        };
        return finish(writer, query, rcode, true, panic.then_some(Extended::LastGood));
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
    owner: usize,
) -> bool {
    match &set.data {
        RrData::Fixed {
            count,
            body,
            addresses,
        } => {
            writer.put_owned(Section::Answer, count.get(), snapshot.octets(*body), owner);
            if let Some(addresses) = addresses {
                for (count, octets) in [addresses.needed, addresses.helpful].into_iter().flatten() {
                    writer.put_optional(Section::Additional, count.get(), snapshot.octets(octets));
                }
            }
            false
        }
        RrData::Steered(steered) => {
            let (choice, health) = steer::choose(steered, gates, draw, effective);
            let put = addresses(writer, snapshot, set.kind, steered, (choice, effective), owner);
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
    (choice, effective): (Choice, &[u64]),
    owner: usize,
) -> usize {
    let record_len = body::address_len(kind);
    let mut put = 0;
    let mut put_some = |index: usize, from: usize, to: usize| {
        if let Some(candidate) = steered.candidates.get(index) {
            let octets = snapshot.addresses(candidate, from..to, record_len);
            let count = u16::try_from(to - from).unwrap_or(u16::MAX);
            writer.put_owned(Section::Answer, count, octets, owner);
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

/// SOA in the authority section; its owner is the tail of the name that was looked up (RFC 2308 §3).
fn negative(writer: &mut Writer<'_>, snapshot: &Snapshot, zone: &Zone, chain: &Chain<'_>) {
    let owner = chain.suffix(zone.apex.wire().len());
    if let Some(negative) = zone.negative {
        writer.put_owned(Section::Authority, 1, snapshot.octets(negative), owner);
    }
}

/// The name servers of a zone cut, and the addresses without which nobody gets there (RFC 9471 §3).
fn referral(writer: &mut Writer<'_>, snapshot: &Snapshot, servers: &RrSet, owner: usize) {
    let RrData::Fixed {
        count,
        body,
        addresses,
    } = &servers.data
    else {
        return;
    };
    writer.put_owned(Section::Authority, count.get(), snapshot.octets(*body), owner);
    let Some(addresses) = addresses else { return };
    if let Some((count, octets)) = addresses.needed {
        writer.put(Section::Additional, count.get(), snapshot.octets(octets));
    }
    if let Some((count, octets)) = addresses.helpful {
        writer.put_optional(Section::Additional, count.get(), snapshot.octets(octets));
    }
}

fn finish(
    writer: Writer<'_>,
    query: &Query,
    rcode: Rcode,
    authoritative: bool,
    extended: Option<Extended>,
) -> Outcome {
    let (len, truncated) = writer.finish(query, rcode, authoritative, extended);
    Outcome::Reply(Reply {
        len,
        rcode,
        qtype: query.qtype,
        truncated,
        panic: extended == Some(Extended::LastGood),
    })
}
