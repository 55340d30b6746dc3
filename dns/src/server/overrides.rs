//! Takes an operator's overrides: checked against the plan, the clock and the safety rule, and in force from the next tick
//! of the verdict sink.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use lifeboat_health::Family;

use super::shared::Shared;
use crate::gate::overrides::{Overrides, Served, Standing};
use crate::gate::{Override, OverrideRefused};

/// Replaces all overrides, or none.
pub(super) fn set(
    shared: &Shared,
    overrides: Vec<Override>,
    today: SystemTime,
) -> Result<(), OverrideRefused> {
    let now = shared.clock.now();
    let standing = |what: Override| Standing {
        until: now + what.until.duration_since(today).unwrap_or_default(),
        what,
    };
    let next = Overrides {
        standing: overrides.into_iter().map(standing).collect(),
        min_active: shared.overrides.load().min_active,
    };
    let families = [Family::V4, Family::V6].map(|family| (family, served(shared, family)));
    let mut known: Vec<String> = families
        .iter()
        .flat_map(|(_, served)| served.keys().cloned())
        .collect();
    known.sort();
    known.dedup();
    next.check(now, &known)?;
    for (family, served) in &families {
        let in_use = shared.gates.in_use(*family);
        let served: Vec<Served<'_>> = served
            .iter()
            .filter(|(cluster, _)| in_use.contains(*cluster))
            .map(|(cluster, serves)| (cluster.as_str(), *serves))
            .collect();
        next.breach(now, *family, &served)?;
    }
    shared.overrides.store(Arc::new(next));
    Ok(())
}

/// The clusters of a family, of plans before this one too, and whether health lets them serve. One that nobody observes does.
fn served(shared: &Shared, family: Family) -> BTreeMap<String, bool> {
    let views = shared.gate_views.load();
    let observed = views.iter().filter(|view| view.family == family);
    let observed = observed.map(|view| (view.cluster.clone(), view.verdict.serves()));
    let mut served: BTreeMap<String, bool> = shared
        .gates
        .clusters(family)
        .into_iter()
        .map(|cluster| (cluster, true))
        .collect();
    served.extend(observed);
    served
}
