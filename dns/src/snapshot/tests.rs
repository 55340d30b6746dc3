//! A snapshot finds what the rules say, spelled out name by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalog::held::{HeldZone, Serial};
use crate::gate::table::GateTable;
use crate::name::wire;
use crate::zone::Zone as ZoneData;
use crate::zone::image::Draft;

/// Zones by apex, each with its names and their types; `None` for one that could not be loaded.
type Zones = BTreeMap<Name, Option<BTreeMap<Name, BTreeSet<u16>>>>;

/// What is found, and where: the zone, the owner's length or the types.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    NotOurs,
    Broken(Name),
    Absent(Name),
    Present(Name, BTreeSet<u16>),
    Delegated(usize),
    Redirected(usize),
}

/// RFC 1034 §4.3.2, RFC 4592 §3.3.1, RFC 6672 §3.2, RFC 8020 §3.1, with no thought of speed.
fn expected(zones: &Zones, name: &Name, qtype: u16) -> Found {
    let closest = |name: &Name| {
        let around = zones.keys().filter(|apex| name.is_within(apex));
        around.max_by_key(|apex| apex.wire().len())
    };
    let has = |sets: &BTreeMap<Name, BTreeSet<u16>>, name: &Name, kind| {
        sets.get(name).is_some_and(|kinds| kinds.contains(&kind))
    };
    let Some(apex) = closest(name) else {
        return Found::NotOurs;
    };
    // The zone around answers for DS at an apex, where nobody else's zone lies between (RFC 4035 §3.1.4.1).
    if qtype == rtype::DS
        && name == apex
        && let Some(around) = wire::parent(name.wire()).map(Name::from_wire)
        && let Some(outer) = closest(&around)
        && let Some(all) = &zones[outer]
    {
        let mut between = wire::upward(around.wire()).take_while(|above| above.len() > outer.wire().len());
        if !between.any(|above| has(all, &Name::from_wire(above), rtype::NS)) {
            let own = all.get(name).into_iter().flatten();
            let signed = own.filter(|kind| **kind == rtype::DS).copied();
            return Found::Present(outer.clone(), signed.collect());
        }
    }
    let Some(all) = &zones[apex] else {
        return Found::Broken(apex.clone());
    };
    let above = |name: &Name| {
        let top = apex.wire().len();
        let names: Vec<Name> = wire::upward(name.wire())
            .take_while(|above| above.len() >= top)
            .map(Name::from_wire)
            .collect();
        names
    };
    let below_dname = |name: &Name| {
        above(name)
            .iter()
            .skip(1)
            .any(|above| has(all, above, rtype::DNAME))
    };
    let own = |name: &&Name| closest(name) == Some(apex);
    let held: BTreeMap<Name, BTreeSet<u16>> = all
        .iter()
        .filter(|(name, _)| own(name) && !below_dname(name))
        .map(|(name, kinds)| (name.clone(), kinds.clone()))
        .collect();
    // Data of an inner zone's names says that the names above its apex exist.
    let existing: BTreeSet<Name> = all
        .keys()
        .filter(|name| held.contains_key(*name) || !own(name))
        .flat_map(&above)
        .filter(|name| own(&name) && !below_dname(name))
        .collect();
    let cut = above(name)
        .into_iter()
        .filter(|above| above != apex && has(&held, above, rtype::NS))
        .min_by_key(|cut| cut.wire().len());
    if let Some(cut) = cut
        && !(cut == *name && qtype == rtype::DS)
    {
        return Found::Delegated(cut.wire().len());
    }
    let present = |source: &Name| Found::Present(apex.clone(), held.get(source).cloned().unwrap_or_default());
    if existing.contains(name) {
        return present(name);
    }
    let encloser = above(name).into_iter().find(|above| existing.contains(above));
    let encloser = encloser.unwrap_or_else(|| apex.clone());
    let wildcard = Name::from_wire(&[b"\x01*", encloser.wire()].concat());
    if has(&held, &encloser, rtype::DNAME) {
        Found::Redirected(encloser.wire().len())
    } else if existing.contains(&wildcard) {
        present(&wildcard)
    } else {
        Found::Absent(apex.clone())
    }
}

fn found(snapshot: &Snapshot, name: &Name, qtype: u16) -> Found {
    let mut qname = QName::new();
    qname.read(name.wire(), 0).unwrap();
    match snapshot.lookup(&qname, qtype) {
        Lookup::NotOurs => Found::NotOurs,
        Lookup::Broken(zone) => Found::Broken(zone.apex.clone()),
        Lookup::Absent(zone) => Found::Absent(zone.apex.clone()),
        Lookup::Present { zone, sets } => {
            Found::Present(zone.apex.clone(), sets.iter().map(|set| set.kind).collect())
        }
        Lookup::Delegated { owner_len, .. } => Found::Delegated(owner_len),
        Lookup::Redirected { owner_len, .. } => Found::Redirected(owner_len),
    }
}

fn snapshot(zones: &Zones) -> Snapshot {
    let mut held = Vec::new();
    for (apex, sets) in zones
        .iter()
        .filter_map(|(apex, sets)| Some((apex, sets.as_ref()?)))
    {
        let mut draft = Draft::default();
        for (owner, kinds) in sets {
            for kind in kinds {
                let soa = [0; 22];
                let data: &[u8] = match *kind {
                    rtype::SOA => &soa,
                    rtype::A => &[192, 0, 2, 1],
                    _ => b"\x01n\x00",
                };
                draft.push(owner.wire(), *kind, 5, [data].into_iter()).unwrap();
            }
        }
        held.push(HeldZone {
            data: Arc::new(ZoneData::new(apex.clone(), draft.finish()).unwrap()),
            serial: Serial::Plan,
        });
    }
    let broken = zones
        .iter()
        .filter(|(_, sets)| sets.is_none())
        .map(|(apex, _)| apex);
    let stamp = Stamp::default();
    build::snapshot(&stamp, held.iter(), broken, std::iter::empty(), &GateTable::new()).unwrap()
}

/// Names of up to five labels below `z`, which often lie above and below each other.
fn name(labels: &'static [&'static str], most: usize) -> impl Strategy<Value = Name> {
    prop::collection::vec(prop::sample::select(labels), 0..=most)
        .prop_map(|labels| Name::from_wire(&[labels.concat().as_bytes(), b"\x01z\x00"].concat()))
}

const LABELS: &[&str] = &["\u{1}a", "\u{1}b", "\u{1}*"];

fn zones() -> impl Strategy<Value = Zones> {
    let kind = prop::sample::select(
        &[
            rtype::A,
            rtype::TXT,
            rtype::NS,
            rtype::DNAME,
            rtype::TXT,
            rtype::DS,
        ][..],
    );
    let sets = prop::collection::vec((name(LABELS, 5), kind), 0..12);
    let apexes = prop::collection::btree_map(name(&LABELS[..2], 3), prop::option::weighted(0.8, sets), 1..5);
    apexes.prop_map(|zones| {
        let zone = |(apex, sets): (Name, Option<Vec<(Name, u16)>>)| {
            let sets = sets.map(|sets| {
                let mut held: BTreeMap<Name, BTreeSet<u16>> = BTreeMap::new();
                held.insert(apex.clone(), BTreeSet::from([rtype::SOA, rtype::NS]));
                for (owner, kind) in sets.into_iter().filter(|(owner, _)| owner.is_within(&apex)) {
                    held.entry(owner).or_default().insert(kind);
                }
                held
            });
            (apex, sets)
        };
        zones.into_iter().map(zone).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lookups_are_what_the_rules_say(zones in zones(), names in prop::collection::vec(name(LABELS, 6), 20)) {
        let snapshot = snapshot(&zones);
        for name in names {
            for qtype in [rtype::A, rtype::DS] {
                prop_assert_eq!(found(&snapshot, &name, qtype), expected(&zones, &name, qtype), "{} {}", name, qtype);
            }
        }
    }
}
