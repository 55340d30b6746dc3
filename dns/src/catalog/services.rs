//! Whether a zone and its other names leave room for the HTTPS and SVCB records of a name, and for the names of clusters that
//! these refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::CheckedName;
use super::{Catalog, Problem};
use crate::name::Name;
use crate::wire::rtype;
use crate::zone::Zone;

/// The names of clusters, each with the steered name whose service records refer to it.
pub(super) type Targets = BTreeMap<Name, Name>;

impl Catalog {
    /// Holds a name in place of what was there.
    pub(super) fn hold(&mut self, name: Arc<CheckedName>) {
        let targets: Vec<Name> = targets(&name).cloned().collect();
        let before = Arc::make_mut(&mut self.names).insert(name.name.clone(), Arc::clone(&name));
        if let Some(before) = before {
            self.forget_targets(&before);
        }
        if !targets.is_empty() {
            let held = Arc::make_mut(&mut self.targets);
            held.extend(targets.into_iter().map(|target| (target, name.name.clone())));
        }
    }

    /// Holds these names and no others: faster than one by one.
    pub(super) fn hold_all(&mut self, names: Vec<(Name, Arc<CheckedName>)>) {
        let referring = names.iter().flat_map(|(name, checked)| {
            let of = |target: &Name| (target.clone(), name.clone());
            targets(checked).map(of).collect::<Vec<_>>()
        });
        self.targets = Arc::new(referring.collect());
        self.names = Arc::new(names.into_iter().collect());
    }

    /// Holds a name no more.
    pub(super) fn drop_name(&mut self, name: &Name) -> Option<Arc<CheckedName>> {
        let before = Arc::make_mut(&mut self.names).remove(name)?;
        self.forget_targets(&before);
        Some(before)
    }

    fn forget_targets(&mut self, name: &CheckedName) {
        if name.services.is_some() {
            let held = Arc::make_mut(&mut self.targets);
            for target in targets(name) {
                held.remove(target);
            }
        }
    }

    /// What is in the way of a name's service records, and of it being steered where those of another refer to.
    pub(super) fn room_for_services(&self, name: &CheckedName, zone: &Zone) -> Result<(), Problem> {
        let problem = |field: &str, reason: String| Problem::new("name", &name.name, field, reason);
        if let Some(other) = self.targets.get(&name.name) {
            let reason = format!("is that of a cluster of {other}, which has alternates");
            return Err(problem("name", reason));
        }
        let Some(services) = &name.services else {
            return Ok(());
        };
        for set in &services.sets {
            if zone.has(name.name.wire(), set.kind) {
                let kind = rtype::text(set.kind);
                let reason = format!(
                    "the zone {} has fixed {kind} records for the name; one of the two is allowed",
                    name.zone
                );
                return Err(problem(&kind.to_ascii_lowercase(), reason));
            }
        }
        for target in &services.targets {
            let taken = if self.names.contains_key(&target.name) {
                format!("{} is steered", target.name)
            } else if let Some(closer) = self.zone_of(&target.name).filter(|closest| *closest != name.zone) {
                format!("{} belongs to the zone {closer}", target.name)
            } else if let Some(obstacle) = zone.obstacle(target.name.wire()) {
                format!("the zone {} {obstacle} {}", name.zone, target.name)
            } else {
                continue;
            };
            let cluster = name.input.endpoints.get(target.endpoint);
            let cluster = cluster.map_or("", |endpoint| endpoint.cluster.as_str());
            let reason = format!(
                "{taken}, which would be the name of the cluster {cluster}; 0 alternates need no such names"
            );
            return Err(problem(target.field, reason));
        }
        Ok(())
    }

    /// What a zone that comes has in the way of service records that are held.
    pub(super) fn service_obstacle(&self, zone: &Zone) -> Option<String> {
        let fixed = |name: &&CheckedName| {
            let mut sets = name.services.iter().flat_map(|services| &services.sets);
            sets.any(|set| zone.has(name.name.wire(), set.kind))
        };
        let within = self.names_within(zone.apex()).filter(fixed);
        let mut within = within.map(|name| &name.name);
        if let Some(name) = within.find(|name| self.would_have(zone, name)) {
            return Some(format!(
                "has fixed HTTPS or SVCB records for {name}, which has steered ones"
            ));
        }
        let targets = self.targets.range(zone.apex().clone()..);
        let mut targets = targets.take_while(|(target, _)| target.is_within(zone.apex()));
        targets.find_map(|(target, name)| {
            let obstacle = zone
                .obstacle(target.wire())
                .filter(|_| self.would_have(zone, target))?;
            Some(format!(
                "{obstacle} {target}, which is that of a cluster of {name}, which has alternates"
            ))
        })
    }

    /// Whether a name within a zone that comes would be that zone's.
    pub(super) fn would_have(&self, zone: &Zone, name: &Name) -> bool {
        let closest = self.zone_of(name);
        closest.is_none_or(|closest| zone.apex().is_within(&closest))
    }
}

/// The names of clusters that a name's service records refer to.
fn targets(name: &CheckedName) -> impl Iterator<Item = &Name> {
    let targets = name.services.iter().flat_map(|services| &services.targets);
    targets.map(|target| &target.name)
}
