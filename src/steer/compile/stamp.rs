//! What changed since the previous plan: every record set keeps its stamp until its own content changes.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_dns::{NameInput, SnapshotInput, Stamp, ZoneInput};

use super::input::Input;

/// Entries of `removed` at most. They are repeated in every plan, because a server may miss any one plan.
pub(crate) const REMOVED_MAX: usize = 4096;

/// The stamped plan, and whether it differs from the previous one.
pub(crate) fn stamp(
    input: &Input<'_>,
    previous: &SnapshotInput,
    zones: BTreeMap<String, ZoneInput>,
    names: BTreeMap<String, NameInput>,
    declared: &[String],
) -> (SnapshotInput, bool) {
    if input.previous.is_some() && input.epoch < previous.stamp.epoch {
        return (previous.clone(), false);
    }
    let removed = removed(previous, &zones, &names, declared);
    let seq = previous.stamp.seq + 1;
    let before: BTreeMap<&str, &NameInput> = previous.names.iter().map(|n| (n.name.as_str(), n)).collect();
    let names: Vec<NameInput> = names
        .into_values()
        .map(|name| match before.get(name.name.as_str()) {
            Some(old) if same_content(old, &name) => (*old).clone(),
            Some(_) | None => NameInput {
                epoch: input.epoch,
                seq,
                ..name
            },
        })
        .collect();
    let plan = SnapshotInput {
        stamp: Stamp {
            fleet_uid: input.fleet_uid.to_owned(),
            epoch: input.epoch,
            seq,
        },
        zones: zones.into_values().collect(),
        names,
        removed,
        ..SnapshotInput::default()
    };
    let unchanged = input.previous.is_some()
        && plan.stamp.fleet_uid == previous.stamp.fleet_uid
        && plan.stamp.epoch == previous.stamp.epoch
        && plan.zones == previous.zones
        && plan.names == previous.names
        && plan.removed == previous.removed;
    if unchanged {
        (previous.clone(), false)
    } else {
        (plan, true)
    }
}

pub(crate) fn same_content(a: &NameInput, b: &NameInput) -> bool {
    let NameInput {
        name,
        zone,
        epoch: _,
        seq: _,
        ttl,
        steer,
        on_all_down,
        degraded_ttl,
        https,
        svcb,
        endpoints,
    } = a;
    *name == b.name
        && *zone == b.zone
        && *ttl == b.ttl
        && *steer == b.steer
        && *on_all_down == b.on_all_down
        && *degraded_ttl == b.degraded_ttl
        && *https == b.https
        && *svcb == b.svcb
        && *endpoints == b.endpoints
}

/// What no object declares any more, and what earlier plans took away and nothing has brought back.
fn removed(
    previous: &SnapshotInput,
    zones: &BTreeMap<String, ZoneInput>,
    names: &BTreeMap<String, NameInput>,
    declared: &[String],
) -> Vec<String> {
    let live = |name: &String| names.contains_key(name) || zones.contains_key(name);
    let declared: BTreeSet<&String> = declared.iter().collect();
    let gone_names = previous
        .names
        .iter()
        .map(|n| &n.name)
        .filter(|name| !declared.contains(name));
    let gone_zones = previous.zones.iter().map(|zone| &zone.name);
    let mut removed: BTreeSet<String> = gone_names
        .chain(gone_zones)
        .filter(|n| !live(n))
        .cloned()
        .collect();
    for old in previous.removed.iter().filter(|name| !live(name)) {
        if removed.len() == REMOVED_MAX {
            break;
        }
        removed.insert(old.clone());
    }
    removed.into_iter().collect()
}
