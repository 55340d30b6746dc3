//! Who may speak for what: zones by their objects, names by their policies; of two claims the older one counts.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_dns::{SnapshotInput, ZoneInput};

use super::{
    ObjectCondition, Problems, Reason,
    input::{Input, PolicyView},
};

/// Seconds: RFC 2181 §8 leaves 31 bits, a week is more than any steered name should be cached.
const TTL_MAX: u32 = 604_800;

/// A policy and what it may do.
pub(crate) struct Claim<'a> {
    pub(crate) policy: &'a PolicyView,
    /// The name it speaks for, in canonical form; absent where another policy does, or it is no name.
    pub(crate) name: Option<String>,
    /// The name may be compiled; otherwise it stays as it is.
    pub(crate) usable: bool,
    pub(crate) problems: Problems,
}

/// Lower case, without the final dot.
pub(crate) fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The zones of the plan by canonical name. A zone whose object has gone stays while names live in it.
pub(crate) fn zones(
    input: &Input<'_>,
    previous: &SnapshotInput,
) -> (BTreeMap<String, ZoneInput>, Vec<ObjectCondition>) {
    let mut order: Vec<_> = input.zones.iter().collect();
    order.sort_by_key(|view| (view.created, &view.object));
    let mut zones = BTreeMap::new();
    let mut owners = BTreeMap::new();
    let mut conditions = Vec::new();
    for view in order {
        let name = canonical(&view.zone.name);
        let mut problems = Problems::default();
        if let Err(why) = check_name(&name) {
            problems.push(
                Reason::InvalidName,
                format!("metadata.name {:?}: {why}", view.zone.name),
            );
        } else if let Some(owner) = owners.get(&name) {
            let message = format!("metadata.name {name:?} is already declared by {owner}");
            problems.push(Reason::ZoneTaken, message);
        } else {
            owners.insert(name.clone(), &view.object);
            zones.insert(
                name.clone(),
                ZoneInput {
                    name,
                    ..view.zone.clone()
                },
            );
        }
        conditions.push(problems.into_condition(view.object.clone(), "the zone is in the steering plan"));
    }
    let claimed: BTreeSet<String> = input
        .policies
        .iter()
        .map(|policy| canonical(&policy.name))
        .collect();
    for zone in &previous.zones {
        let lives = |name: &&lifeboat_dns::NameInput| name.zone == zone.name && claimed.contains(&name.name);
        if !zones.contains_key(&zone.name) && previous.names.iter().any(|name| lives(&name)) {
            zones.insert(zone.name.clone(), zone.clone());
        }
    }
    (zones, conditions)
}

/// Every policy with the name it may speak for.
pub(crate) fn names<'a>(input: &Input<'a>, zones: &BTreeMap<String, ZoneInput>) -> Vec<Claim<'a>> {
    let mut order: Vec<&PolicyView> = input.policies.iter().collect();
    order.sort_by_key(|policy| (policy.created, &policy.object));
    let declared: BTreeSet<String> = input
        .zones
        .iter()
        .map(|view| canonical(&view.zone.name))
        .collect();
    let mut owners: BTreeMap<String, &PolicyView> = BTreeMap::new();
    let mut claims = Vec::new();
    for policy in order {
        let (name, zone) = (canonical(&policy.name), canonical(&policy.zone));
        let mut claim = Claim {
            policy,
            name: None,
            usable: false,
            problems: Problems::default(),
        };
        if let Err(why) = check_name(&name) {
            let message = format!("spec.name {:?}: {why}", policy.name);
            claim.problems.push(Reason::InvalidName, message);
        } else if let Some(owner) = owners.get(&name) {
            let message = format!("spec.name {name:?} is already declared by {}", owner.object);
            claim.problems.push(Reason::NameTaken, message);
        } else {
            owners.insert(name.clone(), policy);
            check(policy, &name, &zone, zones, &declared, &mut claim.problems);
            // Of a fault that both find one message is enough.
            if let Some(invalid) = policy.invalid.as_ref().filter(|_| claim.problems.is_empty()) {
                claim.problems.push(Reason::Invalid, invalid.clone());
            }
            claim.usable = claim.problems.is_empty();
            claim.name = Some(name);
        }
        claims.push(claim);
    }
    claims
}

fn check(
    policy: &PolicyView,
    name: &str,
    zone: &str,
    zones: &BTreeMap<String, ZoneInput>,
    declared: &BTreeSet<String>,
    problems: &mut Problems,
) {
    if !declared.contains(zone) || !zones.contains_key(zone) {
        let known: Vec<&str> = declared.iter().map(String::as_str).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let message = format!("spec.zone {zone:?}: there is no such Zone; declared zones: {known}");
        problems.push(Reason::ZoneNotFound, message);
    } else if name != zone && !name.ends_with(&format!(".{zone}")) {
        let message = format!(
            "spec.name {name:?} is not in spec.zone {zone:?}: {zone} itself or a name that ends with .{zone} is allowed"
        );
        problems.push(Reason::NameOutsideZone, message);
    }
    if policy.ttl > TTL_MAX {
        let message = format!("spec.ttl {}: 0 to {TTL_MAX} seconds are allowed", policy.ttl);
        problems.push(Reason::InvalidTtl, message);
    }
}

/// RFC 1035 §2.3.4 for the lengths; letters, digits, `-` and `_`, and `*` alone as the first label.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 253 {
        return Err("1 to 253 characters are allowed".to_owned());
    }
    for (index, label) in name.split('.').enumerate() {
        let wildcard = index == 0 && label == "*";
        let plain = !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !wildcard && !plain {
            return Err(format!(
                "label {label:?}: 1 to 63 letters, digits, - and _ are allowed, neither beginning nor ending with -"
            ));
        }
    }
    Ok(())
}
