//! Any fleet, any faults: the invariants hold in every step (`debug_assert!` in the planner), the model never
//! sees a needed copy deleted, and when the faults stop everything is home again.

use proptest::prelude::*;

use super::fleet::{FIVE, Fleet, divided, duplicated, service};
use crate::failover::{BindingId, BindingView};

#[derive(Clone, Debug)]
enum Event {
    PowerOff(usize),
    PowerOn(usize),
    BlackHole(usize),
    ApiDown(usize),
    VipDown(usize),
    Restore(usize),
    NewLeader,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let cluster = 0..FIVE.len();
    prop_oneof![
        cluster.clone().prop_map(Event::PowerOff),
        cluster.clone().prop_map(Event::PowerOn),
        cluster.clone().prop_map(Event::BlackHole),
        cluster.clone().prop_map(Event::ApiDown),
        cluster.clone().prop_map(Event::VipDown),
        cluster.prop_map(Event::Restore),
        Just(Event::NewLeader),
        (1..40_u64).prop_map(Event::Wait),
        (1..40_u64).prop_map(Event::Wait),
        (1..40_u64).prop_map(Event::Wait),
    ]
}

/// Divided or duplicated, replicas by cluster, priority.
type App = (bool, Vec<(usize, i32)>, i32);

fn app() -> impl Strategy<Value = App> {
    let placed = proptest::collection::btree_map(0..FIVE.len(), 1..6_i32, 1..4);
    (
        any::<bool>(),
        placed.prop_map(|map| map.into_iter().collect()),
        0..3_i32,
    )
}

fn build(apps: &[App]) -> Fleet {
    let mut fleet = Fleet::new(&FIVE);
    for (index, (divide, placed, priority)) in apps.iter().enumerate() {
        let name = format!("app-{index}");
        let clusters: Vec<(&str, i32)> = placed.iter().map(|(cluster, n)| (FIVE[*cluster], *n)).collect();
        let names: Vec<&str> = clusters.iter().map(|(name, _)| *name).collect();
        let app = if *divide {
            divided(&name, &clusters)
        } else {
            duplicated(&name, &names, placed[0].1)
        };
        let group = Some(name);
        let app = BindingView {
            priority: *priority,
            group: group.clone(),
            ..app
        };
        let follower = BindingView {
            group,
            ..service(&app)
        };
        // Of two apps one has an object besides that belongs to no workload.
        if index % 2 == 0 {
            let id = BindingId {
                name: format!("{}-alone", app.id.name),
                ..app.id.clone()
            };
            let uid = id.to_string();
            fleet = fleet.with(BindingView {
                id,
                uid,
                ..service(&app)
            });
        }
        fleet = fleet.with(app).with(follower);
    }
    fleet
}

fn apply(fleet: &mut Fleet, event: &Event) {
    let lit = |fleet: &mut Fleet, i: usize| fleet.cluster(FIVE[i]).powered;
    match event {
        Event::PowerOff(i) => fleet.power_off(&[FIVE[*i]]),
        Event::PowerOn(i) if !lit(fleet, *i) => {
            fleet.cluster(FIVE[*i]).api = true;
            fleet.power_on(&[FIVE[*i]]);
        }
        Event::BlackHole(i) if lit(fleet, *i) => fleet.black_hole(&[FIVE[*i]]),
        Event::ApiDown(i) if lit(fleet, *i) => fleet.api_down(&[FIVE[*i]]),
        Event::VipDown(i) if lit(fleet, *i) => fleet.vip_down(FIVE[*i]),
        Event::Restore(i) if lit(fleet, *i) => fleet.see_again(&[FIVE[*i]]),
        Event::NewLeader => fleet.new_leader(),
        Event::Wait(seconds) => fleet.run(*seconds),
        Event::PowerOn(_)
        | Event::BlackHole(_)
        | Event::ApiDown(_)
        | Event::VipDown(_)
        | Event::Restore(_) => {}
    }
    fleet.step();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_faults(
        apps in proptest::collection::vec(app(), 1..6),
        events in proptest::collection::vec(event(), 1..40),
        cores in 4..20_i64,
        failback in any::<bool>(),
    ) {
        let mut fleet = build(&apps);
        fleet.settings.failback.enabled = failback;
        // Repeated losses settle longer; the end of the test does not wait for ever.
        fleet.settings.failback.settle_max = std::time::Duration::from_secs(30);
        for name in FIVE {
            let free = &mut fleet.cluster(name).view.free.cpu_millis;
            *free = (cores * 1000).max(*free);
        }
        let before: Vec<_> = fleet.bindings.iter().map(|binding| binding.clusters.clone()).collect();
        for event in &events {
            apply(&mut fleet, event);
        }
        for name in FIVE {
            let cluster = fleet.cluster(name);
            cluster.api = true;
            if cluster.powered { fleet.see_again(&[name]) } else { fleet.power_on(&[name]) }
        }
        fleet.run(240);
        for (binding, before) in fleet.bindings.iter().zip(&before) {
            prop_assert!(binding.movement.is_none(), "{}: {:?}\n{}", binding.id, binding.movement, fleet.story());
            prop_assert!(binding.tasks.is_empty(), "{}: {:?}\n{}", binding.id, binding.tasks, fleet.story());
            if failback {
                let at_home = super::fleet::placed(&binding.clusters) == super::fleet::placed(before);
                prop_assert!(at_home, "{} is {:?}, was {before:?}\n{}", binding.id, binding.clusters, fleet.story());
            }
            if binding.workload {
                let wanted: i32 = binding.clusters.iter().map(|target| target.replicas).sum();
                let ready = fleet.really_ready(&binding.id.name);
                prop_assert_eq!(ready, usize::try_from(wanted).unwrap());
            }
        }
    }
}
