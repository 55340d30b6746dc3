//! An eviction is carried out once for each loss of its cluster, whoever leads.

use super::*;
use crate::failover::{State, intents};

fn lost() -> (Api, Planner) {
    let mut api = Api::new();
    api.shop();
    api.settle();
    let mut planner = Planner::new();
    planner.tick(&mut api);
    planner.see("a", Verdict::Down);
    api.silent = vec!["a"];
    (api, planner)
}

/// The plan that evicts, not carried out.
fn decided(api: &Api, planner: &mut Planner) -> FailoverPlan {
    for _ in 0..50 {
        let plan = planner.plan(api);
        if !plan.evictions.is_empty() {
            return plan;
        }
    }
    panic!("nothing is evicted");
}

/// (cluster, healthEpoch, leader's epoch) of what stands.
fn standing(api: &Api) -> Vec<(String, u64, String)> {
    let intents = api.index.list(&api.kinds.eviction_intent);
    let read = |intent: &Arc<Value>| {
        let spec = &intent["spec"];
        let plan = spec["plan"].as_str().unwrap();
        (
            spec["cluster"].as_str().unwrap().to_owned(),
            spec["healthEpoch"].as_u64().unwrap(),
            plan.split('/').next().unwrap().to_owned(),
        )
    };
    intents.iter().map(read).collect()
}

fn at_a(number: u64, epoch: &str) -> Vec<(String, u64, String)> {
    vec![("a".to_owned(), number, epoch.to_owned())]
}

#[test]
fn an_interrupted_eviction_is_resumed_by_its_leader() {
    let (mut api, mut planner) = lost();
    let plan = decided(&api, &mut planner);
    for step in executor::steps(&plan, &api.index, &api.kinds) {
        for intent in step.intents {
            api.write(intent);
        }
    }
    let again = decided(&api, &mut planner);
    assert_eq!(plan.evictions[0].intents, again.evictions[0].intents);
    let steps = executor::steps(&again, &api.index, &api.kinds);
    assert!(steps[0].intents.is_empty(), "{steps:?}");
    planner.tick(&mut api);
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    assert_eq!(standing(&api), at_a(1, "1"));
}

#[test]
fn the_next_leader_takes_over_what_it_finds_and_a_past_one_stops() {
    let (mut api, mut planner) = lost();
    let plan = decided(&api, &mut planner);
    for step in executor::steps(&plan, &api.index, &api.kinds) {
        for intent in step.intents {
            api.write(intent);
        }
    }
    planner.state = State::resume(intents::health_epochs(&api.index, &api.kinds));
    planner.epoch = 2;
    let theirs = decided(&api, &mut planner);
    assert_eq!(theirs.evictions[0].intents, plan.evictions[0].intents);
    for step in executor::steps(&theirs, &api.index, &api.kinds) {
        for intent in step.intents {
            api.write(intent);
        }
    }
    assert_eq!(standing(&api), at_a(1, "2"));
    let late = executor::steps(&plan, &api.index, &api.kinds);
    assert!(late.is_empty(), "{late:?}");
    planner.tick(&mut api);
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
}

#[test]
fn an_intent_goes_when_its_task_has_ended_and_the_next_loss_is_another() {
    let (mut api, mut planner) = lost();
    planner.run(&mut api, 5);
    assert_eq!(standing(&api), at_a(1, "1"));
    api.silent.clear();
    planner.see("a", Verdict::Up);
    planner.run(&mut api, 20);
    assert_eq!(standing(&api), Vec::new());
    planner.see("a", Verdict::Down);
    api.silent = vec!["a"];
    planner.run(&mut api, 5);
    assert_eq!(standing(&api), at_a(2, "1"));
}
