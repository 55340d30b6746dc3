//! The filters over hand-made candidates, and the draw against the weights.

use std::num::NonZeroU16;

use lifeboat_health::Family;
use proptest::prelude::*;

use super::*;
use crate::gate::FULL;
use crate::gate::table::GateValue;
use crate::input::{EndpointInput, Filter};
use crate::nonempty::NonEmpty;
use crate::snapshot::Candidate;

mod geo;

struct Set {
    gates: GateTable,
    steered: Steered,
    geo: GeoTable,
}

/// The name of a candidate's cluster: a, b, c ...
fn cluster(index: usize) -> String {
    char::from(b'a' + u8::try_from(index).unwrap()).to_string()
}

fn client(address: [u8; 4]) -> Client {
    Client::of_address(address.into())
}

impl Set {
    /// Clusters a, b, ... with these weights and two addresses each, steered by filters given as in a plan.
    fn new(filters: &str, weights: &[u32]) -> Self {
        let filters: Vec<Filter> = serde_json::from_str(filters).unwrap();
        let endpoints: Vec<EndpointInput> = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| EndpointInput {
                cluster: cluster(index),
                addresses: Vec::new(),
                weight: *weight,
            })
            .collect();
        compile::check(&filters, &endpoints).unwrap();
        let gates = GateTable::new();
        let ordered = compile::in_order(&filters, &endpoints);
        let candidates = ordered
            .iter()
            .enumerate()
            .map(|(index, endpoint)| Candidate {
                slot: gates.intern(&endpoint.cluster, Family::V4).unwrap(),
                cluster: u32::try_from(index).unwrap(),
                weight: compile::weight(&filters, endpoint),
                count: NonZeroU16::new(2).unwrap(),
                body_start: 0,
            })
            .collect();
        let clusters: Vec<&str> = ordered.iter().map(|endpoint| endpoint.cluster.as_str()).collect();
        let steered = Steered {
            chain: compile::chain(&filters, &clusters).into(),
            candidates: NonEmpty::new(candidates).unwrap(),
            all_down: AllDown::LastGood,
            degraded_ttl_s: 1,
            owner: 0,
            meter: 0,
        };
        Self {
            gates,
            steered,
            geo: GeoTable::default(),
        }
    }

    fn gate(&self, index: usize, gate: u32, episode: u32) {
        let value = GateValue {
            gate,
            last_good: FULL,
            episode,
            ..GateValue::default()
        };
        self.gates.store(self.steered.candidates[index].slot, value);
    }

    fn hold(&self, index: usize) {
        self.gates.store(
            self.steered.candidates[index].slot,
            GateValue {
                held: true,
                ..GateValue::default()
            },
        );
    }

    /// Withdrawn for flapping, and healthy.
    fn hold_back(&self, index: usize, episode: u32) {
        self.gates.store(
            self.steered.candidates[index].slot,
            GateValue {
                gate: 0,
                episode,
                spare: true,
                ..GateValue::default()
            },
        );
    }

    fn choose(&self, draw: u64, client: Client, weights: &mut Vec<u64>) -> Choice {
        let asked = Asked {
            client,
            geo: &self.geo,
            draw,
        };
        choose(&self.steered, &self.gates, &asked, weights)
    }

    fn pick(&self, draw: u64) -> usize {
        self.pick_for(draw, client([192, 0, 2, 1]))
    }

    fn pick_for(&self, draw: u64, client: Client) -> usize {
        self.choose(draw, client, &mut Vec::new())
            .only
            .expect("one candidate is chosen")
    }

    fn shares(&self) -> (Vec<f64>, Health) {
        let mut effective = Vec::new();
        let health = health::apply(&self.steered.candidates, &self.gates, &mut effective);
        (shares(&self.steered, &effective, None), health)
    }

    /// The addresses of one answer, as (candidate, address).
    fn addresses(&self, draw: u64) -> Vec<(usize, usize)> {
        let mut weights = Vec::new();
        let choice = self.choose(draw, client([192, 0, 2, 1]), &mut weights);
        let mut addresses = Vec::new();
        choice.addresses(&self.steered.candidates, &weights, |run| {
            addresses.extend((run.from..run.to).map(|address| (run.candidate, address)));
        });
        addresses
    }

    /// How often each candidate is drawn, of `draws`, from a fixed seed.
    fn drawn(&self, draws: u32) -> Vec<u32> {
        let mut rng = fastrand::Rng::with_seed(SEED);
        let mut seen = vec![0; self.steered.candidates.len()];
        for _ in 0..draws {
            seen[self.pick(rng.u64(..))] += 1;
        }
        seen
    }

    /// Whether the draws are in the shares that the chain is told to give.
    fn check_draws(&self) {
        const DRAWS: u32 = 100_000;
        let (seen, (shares, _)) = (self.drawn(DRAWS), self.shares());
        for (seen, share) in seen.iter().zip(&shares) {
            let expected = f64::from(DRAWS) * share;
            // Five standard deviations of a binomial.
            let far = 5.0 * (expected * (1.0 - share)).sqrt();
            assert!((f64::from(*seen) - expected).abs() <= far, "{seen} of {shares:?}");
        }
    }
}

const SEED: u64 = 42;
const WEIGHTED: &str = r#"[{"health": {}}, {"weighted": {}}]"#;
const STICKY_PICKS: [usize; 12] = [2, 2, 1, 2, 0, 2, 1, 0, 2, 1, 1, 0];
const FAILOVER: &str = r#"[{"failover": {"tiers": [["a"], ["b"], ["c"]]}}]"#;

fn near(left: &[f64], right: &[f64]) {
    let close = left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-5);
    assert!(close && left.len() == right.len(), "{left:?} is not {right:?}");
}

#[test]
fn health_leaves_the_weights_of_the_living() {
    let set = Set::new(WEIGHTED, &[3, 1, 0]);
    assert_eq!(set.shares(), (vec![0.75, 0.25, 0.0], Health::Normal));
    set.gate(0, 0, 1);
    assert_eq!(set.shares(), (vec![0.0, 1.0, 0.0], Health::Degraded));
    set.gate(0, FULL / 4, 1);
    let (shares, _) = set.shares();
    assert!((shares[0] - 0.75 / 1.75).abs() < 1e-12, "{shares:?}");
    set.hold(0);
    set.hold(1);
    assert_eq!(set.shares().1, Health::Held);
}

#[test]
fn when_all_are_withdrawn_those_of_the_latest_episode_serve() {
    let set = Set::new(WEIGHTED, &[1, 2, 2]);
    set.gate(0, 0, 1);
    set.gate(1, 0, 2);
    set.gate(2, 0, 2);
    assert_eq!(set.shares(), (vec![0.0, 0.5, 0.5], Health::LastGood));
}

#[test]
fn the_held_back_serve_before_the_dead() {
    let set = Set::new(WEIGHTED, &[1, 1, 2, 1]);
    set.hold_back(0, 1);
    set.gate(1, 0, 2);
    set.hold_back(2, 1);
    assert_eq!(
        set.shares(),
        (vec![0.0, 0.0, 0.0, 1.0], Health::Degraded),
        "not while another can serve"
    );
    set.gate(3, 0, 2);
    let (shares, health) = set.shares();
    assert_eq!((shares[1], shares[3], health), (0.0, 0.0, Health::Spare));
    assert!((shares[0] - 1.0 / 3.0).abs() < 1e-12, "{shares:?}");
    let set = Set::new(WEIGHTED, &[0, 0]);
    set.hold_back(0, 1);
    set.gate(1, 0, 2);
    assert_eq!(set.shares(), (vec![1.0, 0.0], Health::Spare));
}

#[test]
fn a_family_without_weight_serves_what_is_healthy() {
    let set = Set::new(WEIGHTED, &[0, 0]);
    set.gate(0, 0, 1);
    assert_eq!(set.shares(), (vec![0.0, 1.0], Health::Degraded));
    set.gate(1, 0, 2);
    assert_eq!(set.shares(), (vec![0.0, 1.0], Health::LastGood));
}

#[test]
fn failover_takes_the_first_usable_and_ramps() {
    let set = Set::new(FAILOVER, &[1, 1, 1]);
    assert_eq!(set.shares().0, [1.0, 0.0, 0.0]);
    set.gate(0, 0, 1);
    assert_eq!(set.shares().0, [0.0, 1.0, 0.0]);
    assert_eq!(set.pick(u64::MAX), 1);
    set.gate(0, FULL / 4, 1);
    assert_eq!(set.shares().0, [0.25, 0.75, 0.0]);
    assert_eq!(
        (
            set.pick(0),
            set.pick(u64::MAX / 4 - 1),
            set.pick(u64::MAX / 4 + 1)
        ),
        (0, 0, 1)
    );
    set.gate(1, 0, 2);
    set.gate(2, 0, 2);
    assert_eq!(
        set.shares().0,
        [1.0, 0.0, 0.0],
        "what nobody takes goes to the first that is left"
    );
    assert_eq!(set.pick(u64::MAX), 0);
}

#[test]
fn tiers_hold_several_clusters_and_end_with_those_not_listed() {
    let set = Set::new(
        r#"[{"failover": {"tiers": [["c", "b"], ["z"]]}}, {"weighted": {}}]"#,
        &[1, 1, 3, 1],
    );
    // Candidates stand in the order of their tiers: b, c, then a and d, each a tier.
    near(&set.shares().0, &[0.25, 0.75, 0.0, 0.0]);
    set.gate(1, FULL / 2, 1);
    near(&set.shares().0, &[0.4, 0.6, 0.0, 0.0]);
    set.check_draws();
    set.gate(0, 0, 1);
    near(&set.shares().0, &[0.0, 0.5, 0.5, 0.0]);
    set.check_draws();
    set.gate(1, 0, 1);
    near(&set.shares().0, &[0.0, 0.0, 1.0, 0.0]);
    set.gate(2, 0, 1);
    near(&set.shares().0, &[0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn a_trickle_keeps_the_next_tier_warm() {
    let set = Set::new(
        r#"[{"failover": {"tiers": [["a"], ["b", "c"], ["d"]], "trickle": 20}}]"#,
        &[1, 1, 1, 1],
    );
    near(&set.shares().0, &[0.98, 0.01, 0.01, 0.0]);
    set.check_draws();
    set.gate(0, 0, 1);
    near(&set.shares().0, &[0.0, 0.49, 0.49, 0.02]);
    set.check_draws();
    set.gate(1, 0, 1);
    set.gate(2, 0, 1);
    near(&set.shares().0, &[0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn listed_weights_replace_those_of_the_endpoints() {
    let set = Set::new(r#"[{"weighted": {"a": 70, "c": 30, "d": 5}}]"#, &[1, 9, 1, 0]);
    near(&set.shares().0, &[0.7, 0.0, 0.3, 0.0]);
    set.check_draws();
}

#[test]
fn what_exceeds_a_capacity_spills_over() {
    let set = |demand: &str| {
        let filters = format!(
            r#"[{{"capacity": {{"clusters": {{"a": {{"ready": 4, "headroom": 500}}, "b": {{"ready": 6}}, "c": {{"ready": 2}}}} {demand}}}}}]"#
        );
        Set::new(&filters, &[2, 1, 1])
    };
    // Limits of 2, 6 and 2 replicas. Plenty of room: the weights stand.
    near(&set(r#", "demand": 4"#).shares().0, &[0.5, 0.25, 0.25]);
    // a takes 2 of 5, and the rest goes to b and c alike.
    near(&set(r#", "demand": 5"#).shares().0, &[0.4, 0.3, 0.3]);
    // a and then c are full: b takes what is left.
    near(&set(r#", "demand": 8"#).shares().0, &[0.25, 0.5, 0.25]);
    // All are full.
    near(&set(r#", "demand": 100"#).shares().0, &[0.2, 0.6, 0.2]);
    near(&set("").shares().0, &[0.2, 0.6, 0.2]);
    let one_dead = set(r#", "demand": 8"#);
    one_dead.gate(1, 0, 1);
    near(&one_dead.shares().0, &[0.5, 0.0, 0.5]);
    one_dead.check_draws();
    set(r#", "demand": 8"#).check_draws();
}

#[test]
fn a_full_tier_passes_on_what_exceeds() {
    let set = Set::new(
        r#"[{"capacity": {"clusters": {"a": {"ready": 3}, "b": {"ready": 3}}, "demand": 10}},
            {"failover": {"tiers": [["a", "b"], ["c"]]}}]"#,
        &[1, 1, 1],
    );
    near(&set.shares().0, &[0.3, 0.3, 0.4]);
    set.check_draws();
    set.gate(0, 0, 1);
    near(&set.shares().0, &[0.0, 0.3, 0.7]);
    set.check_draws();
}

#[test]
fn no_room_anywhere_is_no_reason_for_silence() {
    let set = Set::new(
        r#"[{"capacity": {"clusters": {"a": {"ready": 0}, "b": {"ready": 0}}, "demand": 1}}]"#,
        &[1, 3],
    );
    near(&set.shares().0, &[0.25, 0.75]);
    let set = Set::new(r#"[{"capacity": {"clusters": {"a": {"ready": 0}}}}]"#, &[1, 3]);
    near(&set.shares().0, &[0.0, 1.0]);
}

/// What every server must compute alike: a change here moves clients of all fleets.
#[test]
fn the_sticky_choice_is_the_same_everywhere() {
    let set = Set::new(r#"[{"sticky": {}}]"#, &[1, 1, 1]);
    let picks: Vec<usize> = (0..12)
        .map(|net| set.pick_for(0, client([198, 51, net, 7])))
        .collect();
    assert_eq!(picks, STICKY_PICKS);
}

#[test]
fn sticky_looks_at_the_clients_network_alone() {
    let set = Set::new(r#"[{"sticky": {"v4Prefix": 20, "v6Prefix": 48}}]"#, &[1, 1, 1, 1]);
    let first = set.pick_for(1, client([198, 51, 16, 0]));
    for third in 16..32 {
        assert_eq!(
            set.pick_for(u64::from(third), client([198, 51, third, third])),
            first
        );
    }
    let mut weights = Vec::new();
    assert_eq!(set.choose(0, client([198, 51, 16, 0]), &mut weights).scope, 20);
    let six = Client::of_address("2001:db8:1::1".parse().unwrap());
    assert_eq!(set.choose(0, six, &mut weights).scope, 48);
    let mapped = Client::of_address("::ffff:198.51.16.0".parse().unwrap());
    assert_eq!(set.pick_for(0, mapped), first);
}

#[test]
fn sticky_shares_networks_by_weight() {
    let set = Set::new(
        r#"[{"weighted": {"a": 50, "b": 30, "c": 15, "d": 5}}, {"sticky": {}}]"#,
        &[1; 4],
    );
    let mut seen = [0_u32; 4];
    for net in 0..=u16::MAX {
        let [high, low] = net.to_be_bytes();
        seen[set.pick_for(0, client([10, high, low, 1]))] += 1;
    }
    for (seen, percent) in seen.iter().zip([50.0, 30.0, 15.0, 5.0]) {
        let share = f64::from(*seen) / 655.36;
        assert!((share - percent).abs() < 1.0, "{share} of {percent} %");
    }
}

#[test]
fn all_goes_round_once() {
    let set = Set::new(r#"[{"all": {}}, {"rotation": {}}]"#, &[1, 0, 1]);
    assert_eq!(set.addresses(0), [(0, 0), (0, 1), (2, 0), (2, 1)]);
    assert_eq!(set.addresses(u64::MAX), [(2, 1), (0, 0), (0, 1), (2, 0)]);
    assert_eq!(set.shares().0, [1.0, 0.0, 1.0]);
    let set = Set::new(r#"[{"all": {}}, {"rotation": {}}, {"max": 3}]"#, &[1, 1, 1]);
    assert_eq!(set.addresses(u64::MAX), [(2, 1), (0, 0), (0, 1)]);
    let two = Set::new(r#"[{"all": {}}, {"rotation": {}}, {"max": 2}]"#, &[1, 0, 1]);
    assert_eq!(two.shares().0, [0.75, 0.0, 0.75]);
}

#[test]
fn without_rotation_addresses_keep_their_order() {
    let set = Set::new(r#"[{"all": {}}, {"max": 3}]"#, &[1, 1, 1]);
    for draw in [0, u64::MAX] {
        assert_eq!(set.addresses(draw), [(0, 0), (0, 1), (1, 0)]);
    }
    assert_eq!(set.shares().0, [1.0, 1.0, 0.0]);
}

#[test]
fn one_clusters_addresses_can_be_limited_and_rotated() {
    let set = Set::new(r#"[{"weighted": {}}, {"max": 1}]"#, &[0, 1]);
    assert_eq!(set.addresses(0), [(1, 0)]);
    assert_eq!(set.addresses(u64::MAX), [(1, 0)]);
    let set = Set::new(r#"[{"weighted": {}}, {"rotation": {}}, {"max": 1}]"#, &[0, 1]);
    let mut rng = fastrand::Rng::with_seed(SEED);
    let first = (0..1_000)
        .filter(|_| set.addresses(rng.u64(..)) == [(1, 0)])
        .count();
    assert!(
        (420..580).contains(&first),
        "{first} of 1000 begin at the first address"
    );
    let cluster: Vec<usize> = (0..4).map(|draw| set.pick(draw << 62)).collect();
    assert_eq!(cluster, [1; 4]);
}

/// Pearson's statistic of 100,000 draws; for 3 degrees of freedom 16.27 is passed by chance once in 1,000. The seed
/// is fixed, so the test always sees the same draws.
#[test]
fn weighted_draws_are_in_proportion() {
    const DRAWS: u32 = 100_000;
    let weights = [50, 30, 15, 5];
    let seen = Set::new(WEIGHTED, &weights).drawn(DRAWS);
    let statistic: f64 = seen
        .iter()
        .zip(weights)
        .map(|(seen, weight)| {
            let expected = f64::from(DRAWS) * f64::from(weight) / 100.0;
            (f64::from(*seen) - expected).powi(2) / expected
        })
        .sum();
    assert!(
        statistic < 16.27,
        "seed {SEED}: {seen:?} has chi-square {statistic}"
    );
}

const CHAINS: [&str; 10] = [
    WEIGHTED,
    FAILOVER,
    r#"[{"failover": {"tiers": [["b", "c"], ["a", "d"]], "trickle": 100}}, {"weighted": {}}, {"rotation": {}}, {"max": 1}]"#,
    r#"[{"capacity": {"clusters": {"a": {"ready": 1}, "b": {"ready": 0}, "c": {"ready": 3}}, "demand": 3}}, {"sticky": {}}]"#,
    r#"[{"capacity": {"clusters": {"a": {"ready": 1}, "c": {"ready": 1}}, "demand": 4}}, {"failover": {"tiers": [["a", "b"]]}}]"#,
    r#"[{"failover": {"tiers": [["e", "a", "b"]]}}, {"capacity": {"clusters": {"a": {"ready": 1}}, "demand": 9}}, {"all": {}}]"#,
    r#"[{"all": {}}, {"rotation": {}}, {"max": 1}]"#,
    r#"[{"geo": {"continents": {"a": ["EU"], "b": ["EU", "NA"]}, "locations": {"c": {"latitude": 1, "longitude": 2}}}}, {"weighted": {}}]"#,
    r#"[{"latency": {"rows": [{"prefix": "0.0.0.0/1", "rttMs": {"a": 10, "b": 11, "c": 30}}], "within": 20}}, {"failover": {"tiers": [["c"]]}}]"#,
    r#"[{"all": {}}]"#,
];

proptest! {
    /// S1: whatever the weights, the gates, the filters and the draw, something is chosen, and it has a share.
    #[test]
    fn never_empty(
        weights in prop::collection::vec(0_u32..4, 1..6),
        gates in prop::collection::vec((0_u32..=2, 0_u32..4), 6),
        filters in prop::sample::select(CHAINS.to_vec()),
        draw: u64,
        address: [u8; 4],
    ) {
        let set = Set::new(filters, &weights);
        for (index, (gate, episode)) in gates.iter().take(weights.len()).enumerate() {
            set.gate(index, gate * FULL / 2, *episode);
        }
        let mut left = Vec::new();
        let choice = set.choose(draw, client(address), &mut left);
        let mut effective = Vec::new();
        health::apply(&set.steered.candidates, &set.gates, &mut effective);
        for asked in [None, Some(Asked { client: client(address), geo: &set.geo, draw })] {
            let shares = shares(&set.steered, &effective, asked.as_ref());
            prop_assert!(shares.iter().any(|share| *share > 0.0));
            if let Some(index) = choice.only {
                prop_assert!(asked.is_none() || shares[index] > 0.0, "{choice:?} of {shares:?}");
                prop_assert!(crate::invariants::s13_shares_sum_to_one(&shares));
            }
            // What health has taken away no filter brings back.
            prop_assert!(shares.iter().zip(&effective).all(|(share, weight)| *share == 0.0 || *weight > 0));
        }
        let mut addresses = 0;
        choice.addresses(&set.steered.candidates, &left, |run| addresses += run.to - run.from);
        prop_assert!(crate::invariants::s1_answer_not_empty(addresses));
        prop_assert!(addresses <= choice.max);
    }

    /// Rendezvous hashing: of the networks, only those move that were the cluster's that lost weight, or that go to the one that gained.
    #[test]
    fn sticky_moves_no_more_than_it_must(
        weights in prop::collection::vec(1_u32..100, 2..8),
        changed in 0_usize..8,
        weight in 0_u32..200,
        networks in prop::collection::vec(any::<[u8; 4]>(), 1..50),
    ) {
        let changed = changed % weights.len();
        let mut other = weights.clone();
        other[changed] = weight;
        let (before, after) = (Set::new(r#"[{"sticky": {}}]"#, &weights), Set::new(r#"[{"sticky": {}}]"#, &other));
        for network in networks {
            let (from, to) = (before.pick_for(0, client(network)), after.pick_for(0, client(network)));
            if weight >= weights[changed] {
                prop_assert!(to == from || to == changed);
            } else {
                prop_assert!(to == from || from == changed);
            }
        }
    }

    /// No part of the answers is lost or made, and nobody is above its limit while another has room.
    #[test]
    fn capacities_are_kept(
        weights in prop::collection::vec(1_u32..1000, 1..6),
        ready in prop::collection::vec(0_u32..20, 6),
        demand in 1_u32..60,
    ) {
        let clusters: Vec<String> = (0..weights.len())
            .map(|index| format!(r#""{}": {{"ready": {}}}"#, cluster(index), ready[index]))
            .collect();
        let filters = format!(r#"[{{"capacity": {{"clusters": {{{}}}, "demand": {demand}}}}}]"#, clusters.join(","));
        let (shares, _) = Set::new(&filters, &weights).shares();
        prop_assert!(crate::invariants::s13_shares_sum_to_one(&shares));
        let limits: Vec<f64> = ready.iter().map(|ready| f64::from(*ready) / f64::from(demand)).collect();
        let room = shares.iter().zip(&limits).any(|(share, limit)| share + 1e-5 < *limit);
        let over = shares.iter().zip(&limits).any(|(share, limit)| *share > limit + 1e-5);
        prop_assert!(!(room && over), "{shares:?} within {limits:?}");
    }
}
