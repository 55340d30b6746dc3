//! Any history of verdicts, reports, placements and policies.

use std::collections::BTreeMap;

use lifeboat_health::Verdict;
use proptest::prelude::*;

use super::{Fixture, key, shop};
use crate::{
    api::TargetCluster,
    failover::{Movement, Phase},
    steer::compile::{Ready, WorkloadKey, WorkloadView},
};

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Unknown),
        Just(Verdict::Up),
        Just(Verdict::Suspect),
        Just(Verdict::Down),
        Just(Verdict::Recovering),
    ]
}

#[derive(Clone, Debug)]
struct Change {
    verdicts: Vec<(Verdict, Verdict)>,
    ready: Vec<Option<(i32, bool)>>,
    placed: Vec<bool>,
    has_zone: bool,
    serviced: Option<Vec<bool>>,
    has_policy: bool,
    phase: Option<Phase>,
    factor: u32,
    freeze: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let phase = prop_oneof![
        Just(None),
        Just(Some(Phase::Raise)),
        Just(Some(Phase::Shift)),
        Just(Some(Phase::Lower))
    ];
    (
        proptest::collection::vec((any_verdict(), any_verdict()), 4),
        proptest::collection::vec(proptest::option::of((0..5_i32, any::<bool>())), 4),
        proptest::collection::vec(any::<bool>(), 4),
        (
            proptest::bool::weighted(0.9),
            proptest::option::of(proptest::collection::vec(any::<bool>(), 4)),
        ),
        proptest::bool::weighted(0.9),
        phase,
        0..3_u32,
        any::<bool>(),
    )
        .prop_map(
            |(verdicts, ready, placed, (has_zone, serviced), has_policy, phase, factor, freeze)| Change {
                verdicts,
                ready,
                placed,
                has_zone,
                serviced,
                has_policy,
                phase,
                factor,
                freeze,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_for_any_history(changes in proptest::collection::vec(change(), 1..20)) {
        let mut fixture = shop();
        for change in changes {
            let mut next = Fixture { previous: fixture.previous.clone(), ..shop() };
            for (i, cluster) in ["a", "b", "c", "d"].into_iter().enumerate() {
                next.verdict(cluster, change.verdicts[i].0, change.verdicts[i].1);
                let workload = next.shop();
                workload.ready.remove(cluster);
                workload.clusters.remove(cluster);
                if let Some((replicas, fresh)) = change.ready[i] {
                    workload.ready.insert(cluster.to_owned(), Ready { replicas, fresh });
                }
                if change.placed[i] {
                    workload.clusters.insert(cluster.to_owned());
                }
            }
            let target = vec![TargetCluster::new("a", 2), TargetCluster::new("b", 1)];
            next.shop().movement = change.phase.map(|phase| Movement { phase, target });
            next.policies[0].weights = BTreeMap::from([("b".to_owned(), change.factor)]);
            next.freeze = change.freeze;
            if let Some(serviced) = &change.serviced {
                let service = WorkloadKey { kind: "Service".to_owned(), ..key("shop") };
                let present = ["a", "b", "c", "d"].into_iter().zip(serviced).filter(|(_, there)| **there);
                let present = present.map(|(cluster, _)| cluster.to_owned()).collect();
                next.workloads.insert(service.clone(), WorkloadView { present, ..WorkloadView::default() });
                next.policies[0].service = Some(service);
            }
            if !change.has_zone {
                next.zones.clear();
            }
            if !change.has_policy {
                next.policies.clear();
            }
            next.publish();
            prop_assert!(!next.compile().changed, "a plan compiled from itself does not change");
            fixture = next;
        }
    }
}
