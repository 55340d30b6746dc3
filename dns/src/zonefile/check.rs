//! The rules that a zone as a whole must keep. What is an error and what a warning stands in [`Reason::severity`].

mod host;
mod lookup;

use domain::base::iana::Rtype;

use self::lookup::{Found, Lookup};
use super::names;
use super::problem::{At, Problems, Reason, Spot};
use super::rdata::kind_text;
use super::sets::PlacedSet;
use crate::name::Name;

const A: u16 = Rtype::A.to_int();
const AAAA: u16 = Rtype::AAAA.to_int();
const CNAME: u16 = Rtype::CNAME.to_int();
const DNAME: u16 = Rtype::DNAME.to_int();
const DS: u16 = Rtype::DS.to_int();
const KEY: u16 = Rtype::KEY.to_int();
const MX: u16 = Rtype::MX.to_int();
const NS: u16 = Rtype::NS.to_int();
const NSEC: u16 = Rtype::NSEC.to_int();
const RRSIG: u16 = Rtype::RRSIG.to_int();
const SOA: u16 = Rtype::SOA.to_int();
const SRV: u16 = Rtype::SRV.to_int();

/// `sets` are in canonical order and inside the zone.
pub(crate) fn check(apex: &Name, sets: &[PlacedSet], problems: &mut Problems) {
    check_apex(apex, sets, problems);
    let lookup = Lookup::new(apex, sets);
    let mut cut: Option<&Name> = None;
    let mut dname: Option<&Name> = None;
    for node in sets.chunk_by(|a, b| a.set.owner() == b.set.owner()) {
        let Some(first) = node.first() else { continue };
        let owner = first.set.owner();
        check_node(apex, node, problems);
        dname = dname.filter(|above| owner.is_within(above));
        cut = cut.filter(|above| owner.is_within(above));
        if let Some(above) = dname {
            let reason = Reason::BelowDname {
                name: owner.to_string(),
                dname: above.to_string(),
            };
            problems.push(first.first, reason);
        }
        if cut.is_none() && owner != apex && find(node, NS).is_some() {
            cut = Some(owner);
        }
        if let Some(above) = cut
            && let Some(occluded) = node
                .iter()
                .find(|placed| !may_stand_at_cut(placed, above, &lookup))
        {
            let reason = Reason::Occluded {
                kind: kind_text(occluded.set.kind()),
                name: owner.to_string(),
                cut: above.to_string(),
            };
            problems.push(occluded.first, reason);
        }
        if find(node, DNAME).is_some() {
            dname = dname.or(Some(owner));
        }
        for placed in node {
            host::check(placed, problems);
            check_targets(apex, placed, &lookup, problems);
        }
    }
}

fn find(node: &[PlacedSet], kind: u16) -> Option<&PlacedSet> {
    node.iter().find(|placed| placed.set.kind() == kind)
}

fn check_apex(apex: &Name, sets: &[PlacedSet], problems: &mut Problems) {
    let top = Spot { line: 1, column: 1 };
    let start = At { file: 0, spot: top };
    let at_apex = |kind| {
        sets.iter()
            .take_while(|placed| placed.set.owner() == apex)
            .find(|placed| placed.set.kind() == kind)
    };
    let Some(soa) = at_apex(SOA) else {
        problems.push(start, Reason::NoSoa(apex.to_string()));
        return;
    };
    if soa.set.rdata().len() > 1 {
        problems.push(soa.last, Reason::SecondSoa(apex.to_string()));
    } else if let Some(again) = soa.again {
        problems.push(again, Reason::SameSoa(apex.to_string()));
    }
    if at_apex(NS).is_none() {
        problems.push(soa.first, Reason::NoNameServer(apex.to_string()));
    }
    if let Some(ds) = at_apex(DS) {
        problems.push(ds.first, Reason::DsAtApex(apex.to_string()));
    }
}

/// What may stand together at one name.
fn check_node(apex: &Name, node: &[PlacedSet], problems: &mut Problems) {
    if let Some(cname) = find(node, CNAME) {
        let owner = cname.set.owner();
        if cname.set.rdata().len() > 1 {
            problems.push(cname.last, Reason::SecondCname(owner.to_string()));
        }
        let other = |placed: &&PlacedSet| !matches!(placed.set.kind(), CNAME | KEY | NSEC | RRSIG);
        if let Some(other) = node.iter().find(other) {
            let at = later(cname.first, other.first);
            problems.push(at, Reason::CnameAndOther(owner.to_string()));
        } else if let Some(key) = find(node, KEY) {
            let at = later(cname.first, key.first);
            problems.push(at, Reason::CnameAndKey(owner.to_string()));
        }
    }
    if let Some(dname) = find(node, DNAME)
        && dname.set.rdata().len() > 1
    {
        problems.push(dname.last, Reason::SecondDname(dname.set.owner().to_string()));
    }
    if let Some(ns) = find(node, NS)
        && ns.set.owner().is_wildcard()
        && ns.set.owner() != apex
    {
        problems.push(ns.first, Reason::WildcardDelegation(ns.set.owner().to_string()));
    }
}

fn later(a: At, b: At) -> At {
    let position = |at: &At| (at.file, at.spot.line, at.spot.column);
    if position(&a) < position(&b) { b } else { a }
}

/// At a delegation only NS, DS and their proofs, and at it and below it the addresses of name servers (RFC 1034
/// §4.2.1, RFC 2181 §6.1).
fn may_stand_at_cut(placed: &PlacedSet, cut: &Name, lookup: &Lookup<'_>) -> bool {
    let owner = placed.set.owner();
    match placed.set.kind() {
        A | AAAA => lookup.is_name_server(owner),
        NS | DS | NSEC | RRSIG => owner == cut,
        _ => false,
    }
}

fn check_targets(apex: &Name, placed: &PlacedSet, lookup: &Lookup<'_>, problems: &mut Problems) {
    let kind = placed.set.kind();
    if !matches!(kind, NS | MX | SRV) {
        return;
    }
    let owner = placed.set.owner();
    for rdata in placed.set.rdata() {
        let Some(target) = names::in_data(kind, rdata).next() else {
            continue;
        };
        let target = Name::from_wire(&target.to_ascii_lowercase());
        if !target.is_within(apex) {
            continue;
        }
        let reason = match lookup.find(&target) {
            Found::Address => continue,
            Found::Cname => Reason::TargetIsCname {
                kind: kind_text(kind),
                owner: owner.to_string(),
                target: target.to_string(),
            },
            Found::BelowDname(dname) if kind == NS && owner == apex && lookup.has_below(dname) => {
                Reason::ServerBelowDname {
                    name: target.to_string(),
                    dname: dname.to_string(),
                }
            }
            Found::BelowDname(_) | Found::Nothing if kind == NS => Reason::ServerWithoutAddress {
                owner: owner.to_string(),
                server: target.to_string(),
            },
            Found::BelowDname(_) | Found::Nothing => continue,
        };
        problems.push(placed.first, reason);
    }
}
