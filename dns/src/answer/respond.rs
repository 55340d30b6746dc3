//! The answer to a well-formed question in class IN.

use super::asked::{Heard, hear};
use super::chain::{Chain, Redirect, flattened, follow, redirect};
use super::{Outcome, QueryMeta, Reply, Room, Scratch, service, size_limit};
use crate::cookie::CookieSeen;
use crate::gate::table::GateTable;
use crate::invariants;
use crate::snapshot::{AllDown, Lookup, RrData, RrSet, Snapshot, Steered, Zone};
use crate::steer::client::Client;
use crate::steer::{self, Asked, Choice};
use crate::wire::query::Query;
use crate::wire::writer::{End, Section, Writer, Written, ede};
use crate::wire::{Rcode, body, rtype};

/// HINFO "RFC8482" "", TTL 3600: the whole answer to ANY (RFC 8482 §4.2).
const ANY_ANSWER: &[u8] = b"\xc0\x0c\x00\x0d\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482\x00";

pub(super) fn respond(
    scratch: &mut Scratch,
    packet: &[u8],
    query: &Query,
    meta: &QueryMeta<'_>,
    snapshot: &Snapshot,
    gates: &GateTable,
    out: &mut [u8],
) -> Outcome {
    let Heard {
        mut end,
        client,
        cookie,
        refused,
    } = hear(packet, query, meta);
    let Some(mut writer) = Writer::start(out, packet, query, size_limit(query, meta), &end.granted) else {
        return Outcome::Dropped;
    };
    if refused {
        return finish(writer, query, &end, cookie);
    }
    if let Some(rcode) = not_data(query.qtype) {
        end.rcode = rcode;
        return finish(writer, query, &end, cookie);
    }
    let asked = Asked {
        client: client.unwrap_or_else(|| Client::of_address(meta.client)),
        geo: snapshot.geo(),
        draw: meta.draw,
    };
    let Scratch { qname, target, room } = scratch;
    end.authoritative = true;
    let mut chain = Chain::of(qname.wire().len());
    loop {
        let found = snapshot.lookup(qname, query.qtype);
        if chain.aliases == 0 {
            end.metered.zone = found.zone().map_or(0, |zone| zone.meter);
        }
        match found {
            Lookup::NotOurs if chain.aliases == 0 => {
                end.rcode = Rcode::Refused;
                end.authoritative = false;
                end.told = Some(ede::NOT_AUTHORITATIVE);
            }
            Lookup::Broken(_) if chain.aliases == 0 => {
                end.rcode = Rcode::ServFail;
                end.authoritative = false;
                end.told = Some(ede::INVALID_DATA);
            }
            // The resolver goes on from the alias, and is told then.
            Lookup::NotOurs | Lookup::Broken(_) => {}
            Lookup::Absent(zone) => {
                negative(&mut writer, snapshot, zone, &chain);
                end.rcode = Rcode::NxDomain;
            }
            Lookup::Delegated {
                owner_len, servers, ..
            } => {
                referral(&mut writer, snapshot, servers, chain.suffix(owner_len));
                end.authoritative = chain.aliases > 0;
            }
            Lookup::Redirected { owner_len, dname, .. } => {
                match redirect(&mut writer, snapshot, dname, owner_len, &mut chain, qname) {
                    // The CNAME that was made is what was asked for (RFC 1034 §4.3.2 step 3a).
                    Redirect::To if query.qtype != rtype::CNAME => continue,
                    Redirect::To | Redirect::End => {}
                    Redirect::TooLong => end.rcode = Rcode::YxDomain,
                }
            }
            Lookup::Present { zone, sets } => {
                let of = |kind| sets.iter().find(|set| set.kind == kind);
                let own = of(query.qtype).filter(|set| set.kind != rtype::ALIAS);
                let start = writer.position();
                let mut put = |set: (&RrSet, &[RrSet]), writer: &mut Writer<'_>| {
                    let place = (chain.at, &mut end);
                    positive(writer, snapshot, set, (gates, &asked, &mut *room), place);
                };
                if query.qtype == rtype::ANY && !sets.is_empty() {
                    writer.put_owned(Section::Answer, 1, ANY_ANSWER, chain.at);
                } else if let Some(set) = own {
                    put((set, sets), &mut writer);
                } else if let Some(alias) = of(rtype::CNAME) {
                    if follow(&mut writer, snapshot, alias, &mut chain, qname) {
                        continue;
                    }
                } else if let Some((alias, set)) = of(rtype::ALIAS)
                    .filter(|_| flattens(query.qtype))
                    .and_then(|alias| Some((alias, flattened(snapshot, alias, query.qtype, target)?)))
                {
                    put(set, &mut writer);
                    writer.cap_ttl(start, alias.ttl_s);
                } else {
                    negative(&mut writer, snapshot, zone, &chain);
                }
            }
        }
        return finish(writer, query, &end, cookie);
    }
}

/// Whether an ALIAS has what its target has of a type: addresses, and what follows them.
pub(crate) fn flattens(qtype: u16) -> bool {
    matches!(qtype, rtype::A | rtype::AAAA | rtype::HTTPS | rtype::SVCB)
}

/// The records of a set among those of its name.
fn positive(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    (set, sets): (&RrSet, &[RrSet]),
    (gates, asked, room): (&GateTable, &Asked<'_>, &mut Room),
    (owner, end): (usize, &mut End<'_>),
) {
    match &set.data {
        RrData::Fixed { .. } => fixed(writer, snapshot, set, owner),
        RrData::Steered(steered) => {
            let choice = steer::choose(steered, gates, asked, &mut room.weights);
            end.metered.name = steered.meter;
            end.ecs = end.ecs.map(|(subnet, _)| (subnet, choice.scope));
            let chosen = (&choice, room.weights.as_slice());
            chosen_records(writer, snapshot, set, steered, chosen, (owner, end));
        }
        RrData::Service(service) => {
            let set = (set, &**service, sets);
            service::put(writer, snapshot, set, (gates, asked, room), (owner, end));
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

/// The records of a set that is not steered.
fn fixed(writer: &mut Writer<'_>, snapshot: &Snapshot, set: &RrSet, owner: usize) {
    let RrData::Fixed {
        count,
        body,
        addresses,
    } = &set.data
    else {
        return;
    };
    writer.put_owned(Section::Answer, count.get(), snapshot.octets(*body), owner);
    if let Some(addresses) = addresses {
        for (count, octets) in [addresses.needed, addresses.helpful].into_iter().flatten() {
            writer.put_optional(Section::Additional, count.get(), snapshot.octets(octets));
        }
    }
}

/// What a steered set answers: what the chain has chosen, or what the name has for the case that nobody is healthy.
fn chosen_records(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    set: &RrSet,
    steered: &Steered,
    chosen: (&Choice, &[u64]),
    (owner, end): (usize, &mut End<'_>),
) {
    let (choice, _) = chosen;
    if choice.health.is_panic() {
        end.told = Some(told(steered.all_down));
        match steered.all_down {
            AllDown::LastGood | AllDown::All => {}
            AllDown::Fallback { count, body } => {
                writer.put_owned(Section::Answer, count.get(), snapshot.octets(body), owner);
                end.ecs = end.ecs.map(|(subnet, _)| (subnet, 0));
                return;
            }
            AllDown::ServFail => {
                end.rcode = Rcode::ServFail;
                end.authoritative = false;
                return;
            }
        }
    }
    let start = writer.position();
    let put = addresses(writer, snapshot, set.kind, steered, chosen, owner);
    debug_assert!(
        invariants::s1_answer_not_empty(put),
        "a live name was answered with nothing"
    );
    let ttl_s = set.ttl_s(steered, choice.health);
    if ttl_s != set.ttl_s {
        writer.cap_ttl(start, ttl_s);
    }
}

/// The extended error that tells what is done while the health of every candidate is in doubt.
pub(super) fn told(all_down: AllDown) -> &'static [u8] {
    match all_down {
        AllDown::LastGood => ede::LAST_GOOD,
        AllDown::All => ede::ALL,
        AllDown::Fallback { .. } => ede::FALLBACK,
        AllDown::ServFail => ede::NONE,
    }
}

/// The chosen addresses of a steered set; returns how many.
fn addresses(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    kind: u16,
    steered: &Steered,
    (choice, weights): (&Choice, &[u64]),
    owner: usize,
) -> usize {
    let record_len = body::address_len(kind);
    let mut put = 0;
    choice.addresses(&steered.candidates, weights, |run| {
        if let Some(candidate) = steered.candidates.get(run.candidate) {
            let octets = snapshot.addresses(candidate, run.from..run.to, record_len);
            let count = u16::try_from(run.to - run.from).unwrap_or(u16::MAX);
            writer.put_owned(Section::Answer, count, octets, owner);
            put += run.to - run.from;
        }
    });
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

pub(super) fn finish(writer: Writer<'_>, query: &Query, end: &End<'_>, cookie: CookieSeen) -> Outcome {
    let Written {
        len,
        opt_len,
        truncated,
    } = writer.finish(query, end);
    Outcome::Reply(Reply {
        len,
        rcode: end.rcode,
        qtype: query.qtype,
        truncated,
        panic: end
            .told
            .is_some_and(|told| told != ede::INVALID_DATA && told != ede::NOT_AUTHORITATIVE),
        cookie,
        metered: end.metered,
        keepalive_tenths: end.granted.keepalive,
        question_end: query.question_end,
        opt_len,
    })
}
