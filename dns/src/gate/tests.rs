//! Episodes, PANIC and ramps over hand-made views.

use proptest::prelude::*;

use super::overrides::{Standing, Subject};
use super::*;
use crate::snapshot::Candidate;
use crate::steer::health;

const CLUSTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

struct Fleet {
    gates: Gates,
    table: GateTable,
    view: FleetView,
    overrides: Overrides,
}

impl Fleet {
    /// Five clusters that are Up, with names of TTL 5 and a ramp of 25 % per TTL.
    fn new() -> Self {
        let table = GateTable::new();
        let slots = CLUSTERS
            .iter()
            .map(|cluster| (table.intern(cluster, Family::V4).unwrap(), 5))
            .collect();
        table.set_ttls(&slots);
        let ramp = Ramp {
            step_permille: 250,
            per: Duration::ZERO,
            at_least_ttl: true,
        };
        let mut fleet = Self {
            gates: Gates::new(ramp, &table),
            table,
            view: FleetView::default(),
            overrides: Overrides::default(),
        };
        for cluster in CLUSTERS {
            fleet.set(cluster, Verdict::Up);
        }
        fleet
    }

    fn set(&mut self, cluster: &str, verdict: Verdict) {
        let healthy = matches!(verdict, Verdict::Up | Verdict::Recovering);
        let cell = Cell {
            verdict,
            positively_healthy: healthy,
            ..Cell::default()
        };
        self.cell(cluster, cell);
    }

    fn cell(&mut self, cluster: &str, cell: Cell) {
        self.view
            .cells
            .insert((cluster.to_owned(), Path::Traffic, Family::V4), cell);
    }

    fn views(&self) -> Vec<GateView> {
        self.gates
            .view(|at| SystemTime::UNIX_EPOCH + at.saturating_since(MonoTime::ZERO))
    }

    /// From now on nobody observes the cluster.
    fn vanish(&mut self, cluster: &str) {
        let key = (cluster.to_owned(), Path::Traffic, Family::V4);
        self.view.cells.remove(&key).unwrap();
    }

    /// Whether the tick changed anything.
    fn changes(&mut self, ms: u64) -> bool {
        let now = MonoTime::from_millis(ms);
        self.gates.set_overrides(Arc::new(self.overrides.clone()), now);
        self.gates.tick(now, &self.view, &self.table)
    }

    fn tick(&mut self, ms: u64) -> Vec<u32> {
        self.changes(ms);
        CLUSTERS
            .iter()
            .map(|cluster| self.table.gate(cluster, Family::V4).unwrap().gate / 1_000)
            .collect()
    }
}

#[test]
fn clusters_come_and_go_and_each_keeps_its_own_gate() {
    let mut fleet = Fleet::new();
    fleet.set("c", Verdict::Down);
    assert_eq!(fleet.tick(0), [1000, 1000, 0, 1000, 1000]);
    fleet.vanish("b");
    fleet.vanish("e");
    for new in ["0", "bb", "f"] {
        fleet.set(new, Verdict::Up);
    }
    fleet.set("d", Verdict::Down);
    assert_eq!(fleet.tick(10), [1000, 1000, 0, 0, 1000]);
    fleet.set("bb", Verdict::Down);
    fleet.set("b", Verdict::Down);
    assert_eq!(fleet.tick(20), [1000, 0, 0, 0, 1000]);
    let views: Vec<(String, f64)> = fleet.views().into_iter().map(|v| (v.cluster, v.gate)).collect();
    let gates = [
        ("0", 1.0),
        ("a", 1.0),
        ("b", 0.0),
        ("bb", 0.0),
        ("c", 0.0),
        ("d", 0.0),
        ("f", 1.0),
    ];
    assert_eq!(views, gates.map(|(cluster, gate)| (cluster.to_owned(), gate)));
    fleet.vanish("c");
    assert_eq!(
        fleet.tick(30),
        [1000, 0, 1000, 0, 1000],
        "whom nobody observes any more, that one serves"
    );
}

#[test]
fn one_dies_and_comes_back_by_the_ramp() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.tick(0), [1000; 5]);
    fleet.set("b", Verdict::Suspect);
    assert_eq!(fleet.tick(10), [1000; 5], "a suspect is not withdrawn");
    fleet.set("b", Verdict::Down);
    assert_eq!(fleet.tick(20), [1000, 0, 1000, 1000, 1000]);
    fleet.set("b", Verdict::Recovering);
    assert_eq!(fleet.tick(5_000)[1], 250, "the first step is taken at once");
    assert_eq!(fleet.tick(9_990)[1], 250);
    assert_eq!(fleet.tick(10_000)[1], 500);
    fleet.set("b", Verdict::Suspect);
    assert_eq!(fleet.tick(16_000)[1], 500, "a suspect gains nothing");
    fleet.set("b", Verdict::Up);
    assert_eq!(fleet.tick(16_010)[1], 750);
    assert_eq!(fleet.tick(21_010)[1], 1000);
}

#[test]
fn five_that_die_at_once_are_never_withdrawn() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    for cluster in CLUSTERS {
        fleet.set(cluster, Verdict::Down);
    }
    assert_eq!(fleet.tick(10), [1000; 5]);
    assert_eq!(fleet.tick(600_000), [1000; 5], "for as long as it lasts");
    assert!(fleet.views().iter().all(|gate| gate.held));
    // They return one after another within the settling time: nobody was withdrawn, nobody ramps.
    for (index, cluster) in CLUSTERS.iter().enumerate() {
        fleet.set(cluster, Verdict::Recovering);
        assert_eq!(fleet.tick(600_010 + 100 * index as u64), [1000; 5]);
    }
    assert_eq!(fleet.tick(602_000), [1000; 5]);
    assert!(fleet.views().iter().all(|gate| !gate.held));
}

#[test]
fn five_that_die_fifty_ms_apart_keep_their_whole_set() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    for (index, cluster) in CLUSTERS.iter().enumerate() {
        fleet.set(cluster, Verdict::Down);
        let gates = fleet.tick(10 + 50 * index as u64);
        assert!(gates.iter().any(|gate| *gate > 0));
    }
    assert_eq!(fleet.tick(220), [1000; 5]);
}

#[test]
fn a_cluster_lost_in_an_earlier_episode_stays_out_of_the_last_good_set() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.set("a", Verdict::Down);
    assert_eq!(fleet.tick(10), [0, 1000, 1000, 1000, 1000]);
    for cluster in &CLUSTERS[1..] {
        fleet.set(cluster, Verdict::Down);
    }
    assert_eq!(fleet.tick(20_000), [0, 1000, 1000, 1000, 1000]);
    let value = fleet.table.gate("a", Family::V4).unwrap();
    assert_eq!((value.last_good, value.episode), (FULL, 1));
}

#[test]
fn after_a_total_outage_the_dead_are_withdrawn_once_a_survivor_has_settled() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    for cluster in CLUSTERS {
        fleet.set(cluster, Verdict::Down);
    }
    fleet.tick(10);
    fleet.set("c", Verdict::Recovering);
    assert_eq!(fleet.tick(5_000), [1000; 5]);
    assert_eq!(fleet.tick(5_900), [1000; 5]);
    assert_eq!(fleet.tick(6_000), [0, 0, 1000, 0, 0]);
}

#[test]
fn no_withdrawal_without_a_positively_healthy_survivor() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    for cluster in CLUSTERS {
        fleet.set(cluster, Verdict::Suspect);
    }
    fleet.set("a", Verdict::Down);
    assert_eq!(fleet.tick(10), [1000; 5]);
    fleet.set("b", Verdict::Up);
    assert_eq!(
        fleet.tick(20),
        [0, 1000, 1000, 1000, 1000],
        "one survivor is enough"
    );
    fleet.set("b", Verdict::Suspect);
    assert_eq!(
        fleet.tick(30),
        [0, 1000, 1000, 1000, 1000],
        "what is committed stays while others are only suspect"
    );
}

#[test]
fn unknown_and_frozen_change_nothing() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.set("a", Verdict::Down);
    fleet.tick(10);
    let frozen = |verdict| Cell {
        verdict,
        frozen: true,
        ..Cell::default()
    };
    fleet.cell("a", frozen(Verdict::Recovering));
    fleet.cell("b", frozen(Verdict::Down));
    fleet.set("c", Verdict::Unknown);
    assert_eq!(fleet.tick(60_000), [0, 1000, 1000, 1000, 1000]);
}

#[test]
fn the_suppressed_are_out_unless_nobody_else_is_left() {
    let mut fleet = Fleet::new();
    let flappy = Cell {
        verdict: Verdict::Up,
        positively_healthy: true,
        suppressed: true,
        downs: 3,
        release_at: MonoTime::from_millis(579_000),
        ..Cell::default()
    };
    fleet.cell("a", flappy.clone());
    assert_eq!(fleet.tick(0), [0, 1000, 1000, 1000, 1000]);
    let spare = |fleet: &Fleet| fleet.table.gate("a", Family::V4).unwrap().spare;
    assert!(spare(&fleet));
    let held_back = HeldBack {
        downs: 3,
        until: SystemTime::UNIX_EPOCH + Duration::from_secs(579),
    };
    assert_eq!(fleet.views()[0].held_back, Some(held_back));
    let frozen = Cell {
        frozen: true,
        positively_healthy: false,
        ..flappy.clone()
    };
    fleet.cell("a", frozen);
    fleet.tick(10);
    assert!(spare(&fleet), "without evidence it stays as it was");
    let dead = Cell {
        verdict: Verdict::Down,
        positively_healthy: false,
        ..flappy.clone()
    };
    fleet.cell("a", dead);
    fleet.tick(20);
    assert!(!spare(&fleet));
    fleet.cell("a", flappy);
    for cluster in &CLUSTERS[1..] {
        fleet.set(cluster, Verdict::Down);
    }
    assert_eq!(fleet.tick(20_000), [250, 0, 0, 0, 0]);
}

/// One order, until ten minutes after the start.
fn ordered(cluster: &str, action: Action) -> Standing {
    Standing {
        subject: Subject::Cluster(cluster.to_owned()),
        what: Override {
            of: cluster.to_owned(),
            action,
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(600),
            reason: "maintenance".to_owned(),
        },
        until: MonoTime::from_millis(600_000),
    }
}

impl Fleet {
    fn order(&mut self, standing: Vec<Standing>, min_active: usize) {
        self.overrides = Overrides { standing, min_active };
    }
}

#[test]
fn an_operator_drains_a_cluster_and_it_returns_by_the_ramp() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.order(vec![ordered("b", Action::Down)], 1);
    assert_eq!(fleet.tick(10), [1000, 0, 1000, 1000, 1000]);
    let view = fleet.views().swap_remove(1).ordered.unwrap();
    assert_eq!((view.action, view.lifted), (Action::Down, false));
    let value = fleet.table.gate("b", Family::V4).unwrap();
    assert!(value.spare, "it serves where nobody else can");
    fleet.set("b", Verdict::Suspect);
    assert_eq!(fleet.tick(20)[1], 0, "whatever its verdict");
    fleet.set("b", Verdict::Up);
    assert_eq!(fleet.tick(600_000)[1], 250, "the order has ended");
    assert_eq!(fleet.tick(605_000)[1], 500);
    assert!(fleet.views()[1].ordered.is_none());
}

#[test]
fn an_operators_word_beats_health() {
    let mut fleet = Fleet::new();
    fleet.set("b", Verdict::Down);
    assert_eq!(fleet.tick(0)[1], 0);
    fleet.order(
        vec![ordered("b", Action::Up), ordered("c", Action::Weight(20))],
        1,
    );
    assert_eq!(fleet.tick(10), [1000; 5]);
    let through = |fleet: &Fleet| fleet.table.gate("c", Family::V4).unwrap().through();
    assert_eq!(through(&fleet), 200_000);
    fleet.set("c", Verdict::Down);
    assert_eq!(fleet.tick(20)[2], 0, "a weight is as far as health lets it");
    fleet.set("c", Verdict::Up);
    fleet.order(Vec::new(), 1);
    fleet.tick(30);
    assert_eq!(fleet.tick(30_000), [1000, 0, 500, 1000, 1000]);
    assert_eq!(through(&fleet), 500_000);
}

#[test]
fn a_drain_is_lifted_while_too_few_are_left() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.order(vec![ordered("a", Action::Down), ordered("b", Action::Down)], 3);
    assert_eq!(fleet.tick(10), [0, 0, 1000, 1000, 1000]);
    fleet.set("c", Verdict::Down);
    assert_eq!(
        fleet.tick(20),
        [0, 250, 0, 1000, 1000],
        "the newest is lifted, and ramps up"
    );
    assert!(fleet.views()[1].ordered.clone().unwrap().lifted);
    fleet.set("c", Verdict::Up);
    fleet.tick(30);
    assert_eq!(fleet.tick(10_000)[1], 0, "and obeyed again");
}

#[test]
fn clusters_that_nobody_observes_can_be_ordered() {
    let mut fleet = Fleet::new();
    fleet.view = FleetView::default();
    fleet.order(vec![ordered("a", Action::Down)], 1);
    assert_eq!(fleet.tick(0), [0, 1000, 1000, 1000, 1000]);
    assert_eq!(fleet.tick(599_999)[0], 0);
    assert_eq!(fleet.tick(600_000)[0], 1000, "what it had");
}

#[test]
fn who_has_left_the_plan_is_not_active() {
    let mut fleet = Fleet::new();
    let named = |cluster: &str| (fleet.table.intern(cluster, Family::V4).unwrap(), 5);
    let slots = ["a", "b"].map(named).into_iter().collect();
    fleet.table.set_ttls(&slots);
    assert_eq!(
        fleet.table.in_use(Family::V4).into_iter().collect::<Vec<_>>(),
        ["a", "b"]
    );
    fleet.order(vec![ordered("a", Action::Down)], 1);
    assert_eq!(fleet.tick(10)[0], 0);
    // c, d and e are well, and nobody is sent there.
    fleet.set("b", Verdict::Down);
    assert_ne!(fleet.tick(20)[0], 0, "the order is lifted");
}

#[test]
fn an_override_beside_clusters_that_nobody_observes_changes_nothing_twice() {
    let mut fleet = Fleet::new();
    fleet.set("c", Verdict::Down);
    fleet.tick(0);
    fleet.vanish("e");
    fleet.order(vec![ordered("a", Action::Down)], 1);
    assert!(fleet.changes(10));
    assert!(!fleet.changes(20), "nothing is new");
    // The dead are answered again once nobody observes them, an order of another or not.
    fleet.vanish("c");
    assert_eq!(fleet.tick(30), [0, 1000, 1000, 1000, 1000]);
    assert!(!fleet.changes(40));
    // The order ends, and with it what it needed of those whom nobody observes.
    assert_eq!(fleet.tick(600_000)[0], 250);
    assert!(fleet.changes(600_010));
    assert!(!fleet.changes(600_020));
    let told: Vec<String> = fleet.views().into_iter().map(|view| view.cluster).collect();
    assert_eq!(told, ["a", "b", "d"]);
}

#[test]
fn who_dies_while_drained_stays_out() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.order(vec![ordered("a", Action::Down)], 1);
    fleet.tick(10);
    fleet.set("a", Verdict::Down);
    fleet.tick(20);
    fleet.cell(
        "a",
        Cell {
            verdict: Verdict::Down,
            frozen: true,
            ..Cell::default()
        },
    );
    assert_eq!(fleet.tick(600_000)[0], 0, "without evidence nothing changes");
}

#[test]
fn families_are_judged_apart() {
    let mut fleet = Fleet::new();
    fleet.view.cells.insert(
        ("a".to_owned(), Path::Traffic, Family::V6),
        Cell {
            verdict: Verdict::Down,
            ..Cell::default()
        },
    );
    fleet.table.intern("a", Family::V6).unwrap();
    fleet.tick(0);
    let six = fleet.table.gate("a", Family::V6).unwrap();
    assert!(six.held && six.gate == FULL, "the only IPv6 cluster is kept");
    assert_eq!(fleet.table.gate("a", Family::V4).unwrap(), GateValue::default());
}

#[test]
fn a_new_consumer_takes_up_what_the_table_holds() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.set("a", Verdict::Down);
    fleet.tick(10);
    let ramp = Ramp {
        step_permille: 250,
        per: Duration::ZERO,
        at_least_ttl: true,
    };
    fleet.gates = Gates::new(ramp, &fleet.table);
    fleet.set("a", Verdict::Unknown);
    assert_eq!(fleet.tick(20)[0], 0);
    fleet.set("a", Verdict::Up);
    assert_eq!(fleet.tick(30)[0], 250);
    fleet.set("b", Verdict::Down);
    fleet.tick(40);
    assert_eq!(
        fleet.table.gate("b", Family::V4).unwrap().episode,
        2,
        "episodes go on counting"
    );
}

impl Fleet {
    /// The same fleet after a restart, before any evidence is heard.
    fn restarted(&self) -> Self {
        let mut fleet = Self::new();
        self.gates
            .kept()
            .iter()
            .for_each(|kept| kept.restore(&fleet.table));
        fleet.gates = Gates::new(fleet.gates.ramp, &fleet.table);
        for cluster in CLUSTERS {
            let frozen = true;
            fleet.cell(
                cluster,
                Cell {
                    frozen,
                    ..Cell::default()
                },
            );
        }
        fleet
    }
}

#[test]
fn what_is_withdrawn_stays_so_over_a_restart_until_evidence_says_better() {
    let mut fleet = Fleet::new();
    fleet.tick(0);
    fleet.set("a", Verdict::Down);
    fleet.set("b", Verdict::Down);
    fleet.tick(10);
    fleet.set("b", Verdict::Up);
    assert_eq!(fleet.tick(20), [0, 250, 1000, 1000, 1000]);

    let mut fleet = fleet.restarted();
    assert_eq!(
        fleet.table.gate("a", Family::V4).unwrap().gate,
        0,
        "before any tick"
    );
    assert_eq!(fleet.tick(3_600_000), [0, 250, 1000, 1000, 1000], "frozen");
    fleet.set("a", Verdict::Up);
    fleet.set("b", Verdict::Up);
    assert_eq!(fleet.tick(3_600_010), [250, 250, 1000, 1000, 1000]);
    assert_eq!(fleet.tick(3_605_010), [500, 500, 1000, 1000, 1000]);
    fleet.set("c", Verdict::Down);
    fleet.tick(3_605_020);
    let episode = fleet.table.gate("c", Family::V4).unwrap().episode;
    assert_eq!(episode, 2, "episodes go on counting");
}

#[test]
fn a_restart_keeps_neither_orders_nor_who_is_not_observed_any_more() {
    let mut fleet = Fleet::new();
    fleet.set("a", Verdict::Down);
    fleet.order(vec![ordered("b", Action::Down)], 1);
    assert_eq!(fleet.tick(0), [0, 0, 1000, 1000, 1000]);

    let mut fleet = fleet.restarted();
    fleet.vanish("a");
    assert_eq!(fleet.tick(10), [1000; 5], "orders are kept with the orders");
    assert_eq!(fleet.gates.kept(), []);
}

proptest! {
    /// S8a and S14 over any history: nothing is newly withdrawn unless another cluster is positively healthy, a
    /// family that is down together is served together, and no gate rises by more than a step except back to its
    /// last good value in PANIC.
    #[test]
    fn any_history_keeps_the_brakes(
        steps in prop::collection::vec((0_usize..5, 0_u8..6, 1_u64..8_000), 1..120),
    ) {
        let mut fleet = Fleet::new();
        let mut now = 0;
        let mut before = fleet.tick(now);
        for (index, kind, wait) in steps {
            let verdict = match kind {
                0 | 1 => Verdict::Down,
                2 => Verdict::Suspect,
                3 => Verdict::Recovering,
                4 => Verdict::Unknown,
                _ => Verdict::Up,
            };
            fleet.set(CLUSTERS[index], verdict);
            now += wait;
            let after = fleet.tick(now);
            let healthy = |but: usize| {
                CLUSTERS.iter().enumerate().any(|(other, cluster)| {
                    other != but && fleet.view.cell(cluster, Path::Traffic, Family::V4).unwrap().positively_healthy
                })
            };
            let down = CLUSTERS
                .iter()
                .all(|cluster| fleet.view.cell(cluster, Path::Traffic, Family::V4).unwrap().verdict == Verdict::Down);
            for index in 0..CLUSTERS.len() {
                if before[index] > 0 && after[index] == 0 {
                    prop_assert!(healthy(index), "{} was withdrawn with no survivor", CLUSTERS[index]);
                }
                prop_assert!(down || after[index] <= before[index] + 250);
            }
            if down {
                prop_assert!(after.iter().any(|gate| *gate > 0), "everything is withdrawn");
            }
            before = after;
        }
    }
    /// S14, "last usable": whatever the history, no answer of any name holds a cluster that is Down while a candidate
    /// with weight is positively healthy, flapping or not.
    #[test]
    fn the_last_usable_cluster_serves(
        weights in prop::collection::vec(0_u32..3, 5),
        steps in prop::collection::vec(
            (0_usize..5, 0_u8..5, any::<(bool, bool)>(), prop::bool::weighted(0.1), 1_u64..8_000), 1..80),
    ) {
        let mut fleet = Fleet::new();
        let candidates: Vec<Candidate> = CLUSTERS
            .iter()
            .zip(&weights)
            .map(|(cluster, weight)| Candidate {
                slot: fleet.table.intern(cluster, Family::V4).unwrap(),
                cluster: 0,
                weight: *weight,
                count: std::num::NonZeroU16::MIN,
                body_start: 0,
            })
            .collect();
        // A set without any weight treats its candidates alike.
        let counts = |index: usize| weights[index] > 0 || weights.iter().all(|weight| *weight == 0);
        let mut now = 0;
        let mut effective = Vec::new();
        for (index, kind, (healthy, suppressed), frozen, wait) in steps {
            let verdict = match kind {
                0 | 1 => Verdict::Down,
                2 => Verdict::Suspect,
                3 => Verdict::Recovering,
                _ => Verdict::Up,
            };
            let cell = Cell {
                verdict,
                positively_healthy: healthy && !frozen && verdict != Verdict::Down,
                suppressed,
                frozen,
                ..Cell::default()
            };
            fleet.cell(CLUSTERS[index], cell);
            now += wait;
            fleet.tick(now);
            if fleet.gates.families[&Family::V4].total {
                continue;
            }
            health::apply(&candidates, &fleet.table, &mut effective);
            let cell = |index: usize| fleet.view.cell(CLUSTERS[index], Path::Traffic, Family::V4).unwrap();
            let holds_down = (0..5).any(|at| effective[at] > 0 && cell(at).current() == Verdict::Down);
            let healthy = (0..5).any(|at| counts(at) && cell(at).positively_healthy);
            prop_assert!(
                crate::invariants::s14_last_usable_serves(holds_down, healthy),
                "{effective:?} of {:?}", fleet.view.cells
            );
        }
    }
}
