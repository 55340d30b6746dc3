//! Takes an operator's overrides: checked against the plan, the clock and the safety rule, and in force from the next tick
//! of the verdict sink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use lifeboat_health::{Family, MonoTime};

use super::shared::Shared;
use crate::gate::overrides::{Overrides, Served, Standing, Subject, family_name};
use crate::gate::{Action, Override, OverrideRefused};
use crate::name::Name;
use crate::snapshot::{AllDown, RrData, Snapshot, Steered};
use crate::wire::rtype;

/// By cluster, whether health lets it serve.
type Health = BTreeMap<String, bool>;

/// Replaces all overrides, or none.
pub(super) fn set(
    shared: &Shared,
    overrides: Vec<Override>,
    today: SystemTime,
) -> Result<(), OverrideRefused> {
    let now = shared.clock.now();
    let before = shared.overrides.load();
    let families = [Family::V4, Family::V6].map(|family| (family, health(shared, family)));
    let snapshot = shared.snapshot.load();
    let mut standing = Vec::new();
    for what in overrides {
        // One that stands goes on standing, also where the plan has lost what it is about.
        let held = before.standing.iter().find(|held| held.what == what);
        let subject = match held {
            Some(held) => held.subject.clone(),
            None => subject(&snapshot, &families, &what)?,
        };
        standing.push(Standing {
            until: now + what.until.duration_since(today).unwrap_or_default(),
            what,
            subject,
        });
    }
    let next = Overrides {
        standing,
        min_active: before.min_active,
    };
    next.check(now)?;
    for (family, health) in &families {
        let in_use = shared.gates.in_use(*family);
        let served: Vec<Served<'_>> = health
            .iter()
            .filter(|(cluster, _)| in_use.contains(*cluster))
            .map(|(cluster, serves)| (cluster.as_str(), *serves))
            .collect();
        next.breach(now, *family, &served)?;
        parts_breach(&snapshot, &next, now, (*family, health))?;
    }
    shared.overrides.store(Arc::new(next));
    Ok(())
}

/// What an operator means, if the plan has it.
fn subject(
    snapshot: &Snapshot,
    families: &[(Family, Health)],
    what: &Override,
) -> Result<Subject, OverrideRefused> {
    let of = what.of.clone();
    let known = || {
        let all: BTreeSet<&str> = families
            .iter()
            .flat_map(|(_, of)| of.keys().map(String::as_str))
            .collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    if families.iter().any(|(_, health)| health.contains_key(&of)) {
        return Ok(Subject::Cluster(of));
    }
    let steered = |text: &str| {
        let name = Name::parse(text).ok()?;
        let sets = steered(snapshot, &name);
        (!sets.is_empty()).then_some((name, sets))
    };
    if let Some((name, cluster)) = of.split_once('/') {
        let Some((found, sets)) = steered(name) else {
            let name = name.to_owned();
            return Err(OverrideRefused::NoName { of, name });
        };
        let clusters: BTreeSet<&str> = sets.iter().flat_map(|(_, set)| clusters(snapshot, set)).collect();
        if !clusters.contains(cluster) {
            return Err(OverrideRefused::NoPart {
                name: name.to_owned(),
                cluster: cluster.to_owned(),
                known: clusters.into_iter().collect::<Vec<_>>().join(", "),
                of,
            });
        }
        let cluster = cluster.to_owned();
        return Ok(Subject::Part { name: found, cluster });
    }
    let Some((name, sets)) = steered(&of) else {
        return Err(OverrideRefused::Nobody { of, known: known() });
    };
    let idle = sets.iter().find_map(|(_, set)| match set.all_down {
        AllDown::LastGood => Some("lastGood"),
        AllDown::All => Some("all"),
        AllDown::Fallback { .. } | AllDown::ServFail => None,
    });
    match idle {
        Some(on_all_down) if what.action == Action::Down => {
            Err(OverrideRefused::NameDown { of, on_all_down })
        }
        Some(_) | None => Ok(Subject::Name(name)),
    }
}

/// The safety rule for what is ordered of clusters in single names: with those that are ordered away, so many of a name's clusters stay
/// active.
fn parts_breach(
    snapshot: &Snapshot,
    overrides: &Overrides,
    now: MonoTime,
    (family, health): (Family, &Health),
) -> Result<(), OverrideRefused> {
    let clusters_down: Vec<&str> = overrides
        .standing
        .iter()
        .filter(|standing| now < standing.until && standing.what.action == Action::Down)
        .filter_map(|standing| standing.subject.cluster())
        .collect();
    for standing in &overrides.standing {
        let (Some((name, Some(_))), Action::Down) = (standing.subject.name(), standing.what.action) else {
            continue;
        };
        let sets = steered(snapshot, name);
        let Some((_, set)) = sets.iter().find(|(of, _)| *of == family) else {
            continue;
        };
        let ordered = |cluster: &str| {
            let mut orders = overrides.standing.iter();
            let order = orders.find(|order| order.subject.name() == Some((name, Some(cluster))))?;
            Some(order.what.action)
        };
        let all: Vec<&str> = clusters(snapshot, set).collect();
        let active = all.iter().filter(|cluster| match ordered(cluster) {
            Some(Action::Up) => true,
            Some(Action::Down) => false,
            Some(Action::Weight(_)) | None => {
                !clusters_down.contains(cluster) && health.get(**cluster).copied().unwrap_or(true)
            }
        });
        let (active, least) = (active.count(), overrides.min_active.min(all.len()));
        if active < least {
            return Err(OverrideRefused::TooFewActive {
                of: standing.what.of.clone(),
                family: family_name(family),
                active,
                clusters: all.len(),
                least,
            });
        }
    }
    Ok(())
}

/// The steered addresses of a name.
fn steered<'a>(snapshot: &'a Snapshot, name: &Name) -> Vec<(Family, &'a Steered)> {
    let of = |kind, family| {
        let set = snapshot.sets_at(name).iter().find(|set| set.kind == kind)?;
        match &set.data {
            RrData::Steered(steered) => Some((family, &**steered)),
            RrData::Fixed { .. } | RrData::Service(_) => None,
        }
    };
    let both = [of(rtype::A, Family::V4), of(rtype::AAAA, Family::V6)];
    both.into_iter().flatten().collect()
}

fn clusters<'a>(snapshot: &'a Snapshot, steered: &'a Steered) -> impl Iterator<Item = &'a str> {
    steered
        .candidates
        .iter()
        .map(|candidate| snapshot.cluster(candidate))
}

/// The clusters of a family, of plans before this one too. One that nobody observes serves.
fn health(shared: &Shared, family: Family) -> Health {
    let views = shared.gate_views.load();
    let observed = views.iter().filter(|view| view.family == family);
    let observed = observed.map(|view| (view.cluster.clone(), view.verdict.serves()));
    let mut served: Health = shared
        .gates
        .clusters(family)
        .into_iter()
        .map(|cluster| (cluster, true))
        .collect();
    served.extend(observed);
    served
}
