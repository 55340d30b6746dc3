//! What holds for every steering plan, whatever goes in. Tests, the simulator and `debug_assert!` call these.

use std::collections::BTreeSet;

use lifeboat_health::Verdict;

use super::compile::{Input, Output, weigh};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub invariant: &'static str,
    pub message: String,
}

/// Every invariant that does not hold for this compilation.
pub fn all(input: &Input<'_>, output: &Output) -> Vec<Broken> {
    [
        s1_never_empty,
        s2_stamps_rise,
        s18_one_condition_each,
        o2_weight_within_ready,
        o6_blindness_lowers_nothing,
    ]
    .into_iter()
    .filter_map(|check| check(input, output).err())
    .collect()
}

/// S1, O4: no name is without an endpoint, and a live name whose policy exists stays in the plan.
pub fn s1_never_empty(input: &Input<'_>, output: &Output) -> Result<(), Broken> {
    let broken = |message| {
        Err(Broken {
            invariant: "S1",
            message,
        })
    };
    for name in &output.plan.names {
        if !name
            .endpoints
            .iter()
            .any(|e| e.weight > 0 && !e.addresses.is_empty())
        {
            return broken(format!("{} has no endpoint that can answer", name.name));
        }
    }
    let declared: BTreeSet<String> = input
        .policies
        .iter()
        .map(|p| p.name.trim_end_matches('.').to_ascii_lowercase())
        .collect();
    let present: BTreeSet<&str> = output.plan.names.iter().map(|name| name.name.as_str()).collect();
    for live in input.previous.into_iter().flat_map(|previous| &previous.names) {
        if declared.contains(&live.name) && !present.contains(live.name.as_str()) {
            return broken(format!(
                "{} was live, is declared, and is not in the plan",
                live.name
            ));
        }
    }
    match output
        .plan
        .removed
        .iter()
        .find(|name| present.contains(name.as_str()))
    {
        Some(name) => broken(format!("{name} is live and taken away")),
        None => Ok(()),
    }
}

/// S2, O5: the plan's stamp rises when anything changes and stays when nothing does; no record set's stamp falls.
pub fn s2_stamps_rise(input: &Input<'_>, output: &Output) -> Result<(), Broken> {
    let broken = |message| {
        Err(Broken {
            invariant: "S2",
            message,
        })
    };
    let Some(previous) = input.previous else {
        return Ok(());
    };
    let (before, after) = (previous.stamp.order(), output.plan.stamp.order());
    if output.changed && after <= before {
        return broken(format!(
            "the stamp went from {before:?} to {after:?} with a change"
        ));
    }
    if !output.changed && output.plan != *previous {
        return broken("the plan differs and is called unchanged".to_owned());
    }
    for name in &output.plan.names {
        let old = previous.names.iter().find(|old| old.name == name.name);
        if let Some(old) = old.filter(|old| (old.epoch, old.seq) > (name.epoch, name.seq)) {
            return broken(format!(
                "{}: its stamp fell below {:?}",
                name.name,
                (old.epoch, old.seq)
            ));
        }
        if (name.epoch, name.seq) > after {
            return broken(format!("{}: its stamp is above the plan's", name.name));
        }
    }
    Ok(())
}

/// S18: every object hears what became of it, once.
pub fn s18_one_condition_each(input: &Input<'_>, output: &Output) -> Result<(), Broken> {
    let mut objects: Vec<_> = input.policies.iter().map(|policy| &policy.object).collect();
    objects.extend(input.zones.iter().map(|zone| &zone.object));
    objects.sort();
    let told: Vec<_> = output
        .conditions
        .iter()
        .map(|condition| &condition.object)
        .collect();
    if objects == told {
        return Ok(());
    }
    let message = format!("{} objects, {} conditions", objects.len(), told.len());
    Err(Broken {
        invariant: "S18",
        message,
    })
}

/// O2, S13: an endpoint that changed weighs at most what is reported ready there, times the policy's factor.
pub fn o2_weight_within_ready(input: &Input<'_>, output: &Output) -> Result<(), Broken> {
    for name in output.plan.names.iter().filter(|name| is_new(input, name)) {
        let policies = input
            .policies
            .iter()
            .filter(|p| p.name.trim_end_matches('.').eq_ignore_ascii_case(&name.name));
        let allowed = |cluster: &str| {
            policies.clone().any(|policy| {
                let factor = policy.weights.get(cluster).copied().unwrap_or(1);
                let ready = input
                    .workloads
                    .get(&policy.workload)
                    .and_then(|w| w.ready.get(cluster));
                let ready = ready.map_or(0, |ready| u32::try_from(ready.replicas).unwrap_or(0));
                weight_of(name, cluster) <= ready.saturating_mul(factor).max(last(input, name, cluster))
            })
        };
        if let Some(endpoint) = name.endpoints.iter().find(|endpoint| !allowed(&endpoint.cluster)) {
            let message = format!("{}: {} weighs {}", name.name, endpoint.cluster, endpoint.weight);
            return Err(Broken {
                invariant: "O2",
                message,
            });
        }
    }
    Ok(())
}

/// O6, S7: a cluster none of whose paths is known to be Down, or that is alone, does not leave a name
/// for want of a report.
pub fn o6_blindness_lowers_nothing(input: &Input<'_>, output: &Output) -> Result<(), Broken> {
    let Some(previous) = input.previous else {
        return Ok(());
    };
    let blind = |cluster: &str| {
        input
            .health
            .get(cluster)
            .is_none_or(|h| h.control == Verdict::Unknown && h.traffic != Verdict::Down)
    };
    for name in &output.plan.names {
        let Some(old) = previous.names.iter().find(|old| old.name == name.name) else {
            continue;
        };
        let policy = input
            .policies
            .iter()
            .find(|p| p.name.trim_end_matches('.').eq_ignore_ascii_case(&name.name));
        let Some(workload) = policy.and_then(|p| Some((p, input.workloads.get(&p.workload)?))) else {
            continue;
        };
        let (policy, workload) = workload;
        let lost = old.endpoints.iter().find(|endpoint| {
            let cluster = endpoint.cluster.as_str();
            blind(cluster)
                && workload.clusters.contains(cluster)
                && workload.movement.is_none()
                && !workload.ready.contains_key(cluster)
                && policy.weights.get(cluster) != Some(&0)
                && weigh::has_service(input, policy, cluster)
                && input
                    .clusters
                    .get(cluster)
                    .is_some_and(|edge| !edge.addresses.is_empty())
                && weight_of(name, cluster) == 0
        });
        if let Some(endpoint) = lost {
            let message = format!(
                "{} lost {}, of which nothing is known",
                name.name, endpoint.cluster
            );
            return Err(Broken {
                invariant: "O6",
                message,
            });
        }
    }
    Ok(())
}

fn is_new(input: &Input<'_>, name: &lifeboat_dns::NameInput) -> bool {
    !input
        .previous
        .into_iter()
        .flat_map(|previous| &previous.names)
        .any(|old| old == name)
}

fn last(input: &Input<'_>, name: &lifeboat_dns::NameInput, cluster: &str) -> u32 {
    let old = input
        .previous
        .into_iter()
        .flat_map(|previous| &previous.names)
        .find(|old| old.name == name.name);
    old.map_or(0, |old| weight_of(old, cluster))
}

fn weight_of(name: &lifeboat_dns::NameInput, cluster: &str) -> u32 {
    name.endpoints
        .iter()
        .filter(|e| e.cluster == cluster)
        .map(|e| e.weight)
        .sum()
}
