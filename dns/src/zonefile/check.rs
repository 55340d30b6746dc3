//! The rules that a zone as a whole must keep. What is an error and what a warning stands in [`Reason::severity`].

mod host;
mod lookup;

use domain::base::iana::Rtype;

use self::lookup::{Found, Lookup};
use super::names;
use super::problem::{At, Problems, Reason, Spot};
use super::rdata::kind_text;
use super::sets::Place;
use crate::name::{Name, wire};
use crate::wire::rtype;
use crate::zone::RecordSet;
use crate::zone::image::{Image, Owner};

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

/// An owner with the places of its sets.
#[derive(Clone, Copy)]
struct Node<'a> {
    owner: Owner<'a>,
    places: &'a [Place],
}

impl<'a> Node<'a> {
    fn sets(self) -> impl Iterator<Item = (RecordSet<'a>, &'a Place)> {
        self.owner.sets().zip(self.places)
    }

    fn find(self, kind: u16) -> Option<(RecordSet<'a>, &'a Place)> {
        self.sets().find(|(set, _)| set.kind() == kind)
    }

    fn text(self) -> String {
        text(self.owner.name())
    }
}

fn text(name: &[u8]) -> String {
    Name::from_wire(name).to_string()
}

/// The sets are inside the zone; `places` has one place for each.
pub(crate) fn check(apex: &Name, image: &Image, places: &[Place], problems: &mut Problems) {
    let apex = apex.wire();
    let lookup = Lookup::new(apex, image);
    let mut rest = places;
    let mut cut: Option<&[u8]> = None;
    let mut dname: Option<&[u8]> = None;
    let mut nodes = image.owners().map(|owner| {
        let (places, after) = rest.split_at(owner.sets().count().min(rest.len()));
        rest = after;
        Node { owner, places }
    });
    let mut first = nodes.next();
    check_apex(apex, first, problems);
    while let Some(node) = first.take().or_else(|| nodes.next()) {
        let owner = node.owner.name();
        check_node(apex, node, problems);
        dname = dname.filter(|above| wire::is_within(owner, above));
        cut = cut.filter(|above| wire::is_within(owner, above));
        if let (Some(above), Some(place)) = (dname, node.places.first()) {
            let reason = Reason::BelowDname {
                name: node.text(),
                dname: text(above),
            };
            problems.push(place.first, reason);
        }
        if cut.is_none() && owner != apex && node.find(NS).is_some() {
            cut = Some(owner);
        }
        if let Some(above) = cut
            && let Some((occluded, place)) = node
                .sets()
                .find(|(set, _)| !may_stand_at_cut(*set, above, &lookup))
        {
            let reason = Reason::Occluded {
                kind: kind_text(occluded.kind()),
                name: node.text(),
                cut: text(above),
            };
            problems.push(place.first, reason);
        }
        if node.find(DNAME).is_some() {
            dname = dname.or(Some(owner));
        }
        for (set, place) in node.sets() {
            host::check(set, place, problems);
            check_targets(apex, set, place, &lookup, problems);
        }
    }
}

fn check_apex(apex: &[u8], first: Option<Node<'_>>, problems: &mut Problems) {
    let top = Spot { line: 1, column: 1 };
    let start = At { file: 0, spot: top };
    let node = first.filter(|node| node.owner.name() == apex);
    let Some((soa, place, node)) =
        node.and_then(|node| node.find(SOA).map(|(soa, place)| (soa, place, node)))
    else {
        problems.push(start, Reason::NoSoa(text(apex)));
        return;
    };
    if soa.len() > 1 {
        problems.push(place.last, Reason::SecondSoa(text(apex)));
    } else if place.again {
        problems.push(place.last, Reason::SameSoa(text(apex)));
    }
    if node.find(NS).is_none() {
        problems.push(place.first, Reason::NoNameServer(text(apex)));
    }
    if let Some((_, ds)) = node.find(DS) {
        problems.push(ds.first, Reason::DsAtApex(text(apex)));
    }
}

/// What may stand together at one name.
fn check_node(apex: &[u8], node: Node<'_>, problems: &mut Problems) {
    if let Some((cname, place)) = node.find(CNAME) {
        if cname.len() > 1 {
            problems.push(place.last, Reason::SecondCname(node.text()));
        }
        let other = |(set, _): &(RecordSet<'_>, _)| !matches!(set.kind(), CNAME | KEY | NSEC | RRSIG);
        if let Some((_, other)) = node.sets().find(other) {
            let at = place.first.max(other.first);
            problems.push(at, Reason::CnameAndOther(node.text()));
        } else if let Some((_, key)) = node.find(KEY) {
            let at = place.first.max(key.first);
            problems.push(at, Reason::CnameAndKey(node.text()));
        }
    }
    if let Some((dname, place)) = node.find(DNAME)
        && dname.len() > 1
    {
        problems.push(place.last, Reason::SecondDname(node.text()));
    }
    if let Some((alias, place)) = node.find(rtype::ALIAS) {
        if alias.len() > 1 {
            problems.push(place.last, Reason::SecondAlias(node.text()));
        }
        if [A, AAAA].into_iter().any(|kind| node.find(kind).is_some()) {
            problems.push(place.first, Reason::AliasAndAddress(node.text()));
        }
    }
    let owner = node.owner.name();
    if let Some((_, ns)) = node.find(NS)
        && wire::is_wildcard(owner)
        && owner != apex
    {
        problems.push(ns.first, Reason::WildcardDelegation(node.text()));
    }
}

/// At a delegation only NS, DS and their proofs, and at it and below it the addresses of name servers (RFC 1034
/// §4.2.1, RFC 2181 §6.1).
fn may_stand_at_cut(set: RecordSet<'_>, cut: &[u8], lookup: &Lookup<'_>) -> bool {
    match set.kind() {
        A | AAAA => lookup.is_name_server(set.owner()),
        NS | DS | NSEC | RRSIG => set.owner() == cut,
        _ => false,
    }
}

fn check_targets(
    apex: &[u8],
    set: RecordSet<'_>,
    place: &Place,
    lookup: &Lookup<'_>,
    problems: &mut Problems,
) {
    let kind = set.kind();
    if !matches!(kind, NS | MX | SRV) {
        return;
    }
    for rdata in set.rdata() {
        let Some(target) = names::in_data(kind, rdata).next() else {
            continue;
        };
        let target = target.to_ascii_lowercase();
        if !wire::is_within(&target, apex) {
            continue;
        }
        let owner = set.owner();
        let reason = match lookup.find(&target) {
            Found::Address => continue,
            Found::Cname => Reason::TargetIsCname {
                kind: kind_text(kind),
                owner: text(owner),
                target: text(&target),
            },
            Found::BelowDname(dname) if kind == NS && owner == apex && lookup.has_below(dname) => {
                Reason::ServerBelowDname {
                    name: text(&target),
                    dname: text(dname),
                }
            }
            Found::BelowDname(_) | Found::Nothing if kind == NS => Reason::ServerWithoutAddress {
                owner: text(owner),
                server: text(&target),
            },
            Found::BelowDname(_) | Found::Nothing => continue,
        };
        problems.push(place.first, reason);
    }
}
