//! What HTTPS and SVCB records come from: the decisions about A and AAAA, then those about who comes after.

use super::{Explanation, Step, asker, candidates, steer_steps, told};
use crate::gate::GateView;
use crate::gate::table::GateTable;
use crate::snapshot::{AllDown, RrData, RrSet, Service, Snapshot, Steered};
use crate::steer::{self, Asked};
use crate::wire::{Rcode, rtype};

pub(super) fn steps(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    gates: &GateTable,
    views: &[GateView],
    service: &Service,
    sets: &[RrSet],
) {
    let mut families = Vec::new();
    let mut answers = Vec::new();
    let (mut scope, mut ttl, mut panic) = (0, explanation.ttl, false);
    for (kind, hint) in [(rtype::A, "ipv4hint"), (rtype::AAAA, "ipv6hint")] {
        let Some(set) = sets.iter().find(|set| set.kind == kind) else {
            continue;
        };
        let RrData::Steered(steered) = &set.data else {
            continue;
        };
        let kind_text = rtype::text(kind);
        explanation.say(hint, format!("the addresses that {kind_text} is answered"));
        explanation.rcode = Rcode::NoError;
        steer_steps(explanation, snapshot, gates, views, set, steered);
        let mute = explanation.rcode == Rcode::ServFail;
        if !mute {
            answers.push(format!("{hint} {}", explanation.answer));
            ttl = ttl.min(explanation.ttl);
        }
        scope = scope.max(explanation.scope);
        panic |= explanation.panic;
        families.push((explanation.panic, kind, &**steered));
    }
    explanation.panic = panic;
    // Who has no addresses to give says what its own type would be answered.
    if answers.is_empty() {
        return;
    }
    explanation.rcode = Rcode::NoError;
    (explanation.scope, explanation.ttl) = (scope, ttl);
    // A family in doubt has no say beside one that is well, and none where something stands in for its clusters.
    let well = families.iter().any(|(panic, ..)| !panic);
    let after = families
        .into_iter()
        .filter(|(panic, _, steered)| {
            let own = matches!(steered.all_down, AllDown::LastGood | AllDown::All);
            *panic != well && (own || !panic)
        })
        .find_map(|(_, kind, steered)| {
            let asked = Asked {
                client: asker(explanation),
                geo: snapshot.geo(),
                draw: 0,
            };
            Some((kind, steered, next(steered, gates, &asked)?))
        });
    let more = match after.filter(|_| service.alternates > 0) {
        None => "nobody".to_owned(),
        Some((kind, steered, shares)) => {
            let step = Step {
                filter: "alternates".to_owned(),
                detail: format!(
                    "the next of at most {}, as if those before were gone, each by a name of its own",
                    service.alternates
                ),
                candidates: candidates(snapshot, gates, views, (kind, steered), &shares),
            };
            let told = told(&step.candidates);
            explanation.steps.push(step);
            told
        }
    };
    explanation.answer = format!("first {}; then {more}", answers.join(" and "));
}

/// By candidate, how often it comes right after those in the answer; of answers that may hold several clusters, how often it might.
/// `None` where nobody is left.
fn next(steered: &Steered, gates: &GateTable, asked: &Asked<'_>) -> Option<Vec<f64>> {
    let mut effective = Vec::new();
    steer::effective(steered, gates, &mut effective);
    let first = steer::shares(steered, &effective, Some(asked));
    let shares = first.iter().copied().enumerate();
    let chosen: Vec<(f64, Vec<usize>)> = if steered.chain.chooses_one() {
        let one = shares.filter(|(_, share)| *share > 0.0);
        one.map(|(index, share)| (share, vec![index])).collect()
    } else {
        let always = shares.filter(|(_, share)| *share >= 1.0);
        vec![(1.0, always.map(|(index, _)| index).collect())]
    };
    let mut after = vec![0.0; first.len()];
    for (share, chosen) in chosen {
        let gone = |(index, weight): (usize, &u64)| if chosen.contains(&index) { 0 } else { *weight };
        let left: Vec<u64> = effective.iter().enumerate().map(gone).collect();
        if left.iter().any(|weight| *weight > 0) {
            let next = steer::shares(steered, &left, Some(asked));
            for (into, next) in after.iter_mut().zip(next) {
                *into += share * next;
            }
        }
    }
    after.iter().any(|share| *share > 0.0).then_some(after)
}
