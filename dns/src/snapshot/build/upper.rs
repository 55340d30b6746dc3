//! The upper side of a zone cut between two zones of our own: there DS stands, and the proof that there is none (RFC 4035
//! §3.1.4.1).

use std::collections::BTreeMap;

use crate::name::Name;
use crate::snapshot::{RrSet, Upper, Zone};

/// By the node of the apex of an inner zone. A zone that another server's zone parts from ours has no upper side here.
pub(super) fn sides(
    zones: &[Zone],
    signers: &mut BTreeMap<(u32, Name), RrSet>,
    nodes: &BTreeMap<Name, u32>,
    cuts: &BTreeMap<&Name, u32>,
) -> BTreeMap<u32, Upper> {
    let by_apex: BTreeMap<&Name, u32> = zones.iter().map(|zone| &zone.apex).zip(0..).collect();
    let mut uppers = BTreeMap::new();
    for zone in zones {
        let mut above = zone.apex.parent();
        while let Some(name) = above.take_if(|name| !cuts.contains_key(name)) {
            if let Some(&outer) = by_apex.get(&name) {
                if let Some(&node) = nodes.get(&zone.apex) {
                    let sets = signers.remove(&(outer, zone.apex.clone()));
                    let sets = sets.into_iter().collect();
                    uppers.insert(node, Upper { zone: outer, sets });
                }
                break;
            }
            above = name.parent();
        }
    }
    uppers
}
