//! A binding that is scaled while it is away from home still comes home.

use super::*;

/// The shop after the loss of `a`.
fn displaced() -> (Api, Planner) {
    let mut api = Api::new();
    api.shop();
    api.settle();
    let mut planner = Planner::new();
    planner.see("a", Verdict::Down);
    api.silent = vec!["a"];
    planner.run(&mut api, 5);
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    (api, planner)
}

fn scale(api: &mut Api, replicas: i64) {
    api.write(Write {
        kind: api.templates[0].clone(),
        key: Key::new("default", "shop"),
        op: Op::Merge(json!({ "spec": { "replicas": replicas } })),
    });
    api.settle();
}

fn home(api: &Api) -> Option<Value> {
    let key = Key::new("default", "shop-deployment");
    let binding = api.index.get(&api.kinds.binding, &key).unwrap();
    store::annotation(&binding, executor::HOME).map(|home| serde_json::from_str(home).unwrap())
}

fn returns(api: &mut Api, planner: &mut Planner) {
    api.silent.clear();
    planner.see("a", Verdict::Up);
    planner.run(api, 20);
}

#[test]
fn scaled_up_and_down_again_it_comes_home() {
    let (mut api, mut planner) = displaced();
    scale(&mut api, 24);
    planner.run(&mut api, 1);
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 12), ("c", 12)]));
    scale(&mut api, 1);
    planner.run(&mut api, 1);
    scale(&mut api, 8);
    planner.run(&mut api, 1);
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    returns(&mut api, &mut planner);
    assert_eq!(
        api.placement("shop-deployment"),
        at(&[("a", 4), ("b", 2), ("c", 2)])
    );
    assert_eq!(home(&api), None);
}

#[test]
fn scaled_it_comes_to_where_it_would_be_had_nothing_been_lost() {
    let (mut api, mut planner) = displaced();
    scale(&mut api, 24);
    returns(&mut api, &mut planner);
    assert_eq!(
        api.placement("shop-deployment"),
        at(&[("a", 12), ("b", 6), ("c", 6)])
    );
    assert_eq!(home(&api), None);
}

#[test]
fn a_home_follows_a_workload_that_is_scaled_on_its_way() {
    let (mut api, mut planner) = displaced();
    api.silent.clear();
    planner.see("a", Verdict::Up);
    while api.placement("shop-deployment").len() < 3 {
        planner.tick(&mut api);
    }
    scale(&mut api, 4);
    planner.run(&mut api, 20);
    assert_eq!(
        api.placement("shop-deployment"),
        at(&[("a", 2), ("b", 1), ("c", 1)])
    );
    assert_eq!(home(&api), None);
    assert!(planner.tick(&mut api).changes_nothing());
}

#[test]
fn another_placement_is_a_new_home() {
    let (mut api, _) = displaced();
    assert!(home(&api).is_some());
    api.write(Write {
        kind: api.kinds.policy.clone(),
        key: Key::new("default", "shop"),
        op: Op::Merge(json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": ["b"] } } } })),
    });
    api.settle();
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 8)]));
    assert_eq!(home(&api), None);
}
