mod properties;

use std::collections::BTreeMap;

use lifeboat_dns::{Filter, NameServerInput, OnAllDown, ServiceInput, SoaInput, ZoneInput};
use lifeboat_health::Verdict;

use super::*;
use crate::{
    api::{SteerStep, TargetCluster},
    failover::{ClusterHealth, Movement, Phase},
    steer::invariants,
};

/// Everything an `Input` borrows from.
#[derive(Clone)]
struct Fixture {
    epoch: u64,
    zones: Vec<ZoneView>,
    policies: Vec<PolicyView>,
    workloads: BTreeMap<WorkloadKey, WorkloadView>,
    clusters: BTreeMap<String, ClusterEdge>,
    health: BTreeMap<String, ClusterHealth>,
    freeze: bool,
    previous: Option<SnapshotInput>,
}

const UP: ClusterHealth = health(Verdict::Up, Verdict::Up);

const fn health(traffic: Verdict, control: Verdict) -> ClusterHealth {
    ClusterHealth {
        traffic,
        control,
        returned_since: None,
    }
}

fn object(kind: &str, name: &str) -> ObjectKey {
    let namespace = (kind == "TrafficPolicy").then(|| "default".to_owned());
    ObjectKey {
        kind: kind.to_owned(),
        namespace,
        name: name.to_owned(),
    }
}

fn zone(name: &str) -> ZoneView {
    let soa = SoaInput {
        mname: format!("ns1.{name}"),
        rname: format!("hostmaster.{name}"),
        refresh: 3600,
        retry: 600,
        expire: 604_800,
        minimum: 30,
    };
    let name_servers = vec![NameServerInput {
        name: format!("ns1.{name}"),
        addresses: vec!["127.0.0.1".parse().unwrap()],
    }];
    let zone = ZoneInput {
        name: name.to_owned(),
        soa,
        ttl: 60,
        name_servers,
        records: Vec::new(),
    };
    ZoneView {
        object: object("Zone", name),
        created: 0,
        zone,
    }
}

fn key(name: &str) -> WorkloadKey {
    WorkloadKey {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn policy(name: &str) -> PolicyView {
    PolicyView {
        object: object("TrafficPolicy", name),
        created: 0,
        name: format!("{name}.demo.example"),
        zone: "demo.example".to_owned(),
        ttl: 5,
        steer: vec![SteerStep::Weighted(BTreeMap::new())],
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        weights: BTreeMap::new(),
        https: None,
        svcb: None,
        workload: key(name),
        service: None,
        invalid: None,
    }
}

fn workload(ready: &[(&str, i32)]) -> WorkloadView {
    WorkloadView {
        clusters: ready.iter().map(|(cluster, _)| (*cluster).to_owned()).collect(),
        present: ready.iter().map(|(cluster, _)| (*cluster).to_owned()).collect(),
        ready: ready
            .iter()
            .map(|(cluster, replicas)| {
                (
                    (*cluster).to_owned(),
                    Ready {
                        replicas: *replicas,
                        fresh: true,
                    },
                )
            })
            .collect(),
        movement: None,
    }
}

/// `shop` with three ready replicas in each of a, b and c.
fn shop() -> Fixture {
    let edge = |octet: usize| ClusterEdge {
        addresses: vec![format!("127.0.{octet}.1").parse().unwrap()],
    };
    let names = ["a", "b", "c", "d"];
    Fixture {
        epoch: 1,
        zones: vec![zone("demo.example")],
        policies: vec![policy("shop")],
        workloads: BTreeMap::from([(key("shop"), workload(&[("a", 3), ("b", 3), ("c", 3)]))]),
        clusters: names
            .iter()
            .enumerate()
            .map(|(i, name)| ((*name).to_owned(), edge(i + 1)))
            .collect(),
        health: names.iter().map(|name| ((*name).to_owned(), UP)).collect(),
        freeze: false,
        previous: None,
    }
}

impl Fixture {
    fn compile(&self) -> Output {
        let input = self.input();
        let output = compile(&input);
        assert_eq!(invariants::all(&input, &output), Vec::new());
        output
    }

    fn input(&self) -> Input<'_> {
        Input {
            fleet_uid: "fleet",
            epoch: self.epoch,
            zones: &self.zones,
            policies: &self.policies,
            workloads: &self.workloads,
            clusters: &self.clusters,
            health: &self.health,
            freeze: self.freeze,
            previous: self.previous.as_ref(),
        }
    }

    /// Compiles and makes the result the previous plan.
    fn publish(&mut self) -> Output {
        let output = self.compile();
        self.previous = Some(output.plan.clone());
        output
    }

    fn shop(&mut self) -> &mut WorkloadView {
        self.workloads.get_mut(&key("shop")).unwrap()
    }

    fn report(&mut self, cluster: &str, replicas: i32, fresh: bool) {
        self.shop()
            .ready
            .insert(cluster.to_owned(), Ready { replicas, fresh });
    }

    fn verdict(&mut self, cluster: &str, traffic: Verdict, control: Verdict) {
        self.health.insert(cluster.to_owned(), health(traffic, control));
    }
}

/// `a3 b3` for the endpoints of a name; `-` where it is not in the plan.
fn weights(output: &Output, name: &str) -> String {
    let name = format!("{name}.demo.example");
    output
        .plan
        .names
        .iter()
        .find(|entry| entry.name == name)
        .map_or_else(
            || "-".to_owned(),
            |entry| {
                entry
                    .endpoints
                    .iter()
                    .map(|e| format!("{}{}", e.cluster, e.weight))
                    .collect::<Vec<_>>()
                    .join(" ")
            },
        )
}

fn condition<'a>(output: &'a Output, name: &str) -> &'a ObjectCondition {
    output
        .conditions
        .iter()
        .find(|condition| condition.object.name == name)
        .unwrap()
}

#[test]
fn weights_are_ready_replicas_times_the_policys_factor() {
    let mut fixture = shop();
    fixture.report("b", 1, true);
    fixture.policies[0].weights = BTreeMap::from([("a".to_owned(), 10), ("c".to_owned(), 0)]);
    let output = fixture.compile();
    assert_eq!(weights(&output, "shop"), "a30 b1");
    assert_eq!(condition(&output, "shop").reason, Reason::Published);
}

#[test]
fn what_is_known_of_a_cluster_decides_what_counts() {
    use Verdict::{Down, Recovering, Suspect, Unknown, Up};
    // What is reported from a after it was live with 3: (verdicts, report, fresh) -> weights.
    fn check(traffic: Verdict, control: Verdict, replicas: i32, fresh: bool, expected: &str) {
        let mut fixture = shop();
        fixture.publish();
        fixture.verdict("a", traffic, control);
        fixture.report("a", replicas, fresh);
        let output = fixture.compile();
        assert_eq!(
            weights(&output, "shop"),
            expected,
            "{traffic}/{control} {replicas} fresh: {fresh}"
        );
    }
    check(Up, Up, 2, true, "a2 b3 c3");
    check(Up, Up, 0, true, "b3 c3");
    check(Down, Up, 3, true, "a3 b3 c3");
    check(Up, Down, 3, false, "a3 b3 c3");
    check(Up, Suspect, 3, true, "a3 b3 c3");
    check(Unknown, Unknown, 3, false, "a3 b3 c3");
    check(Down, Unknown, 3, false, "a3 b3 c3");
    check(Down, Down, 3, false, "b3 c3");
    check(Recovering, Recovering, 3, false, "a3 b3 c3");
    check(Recovering, Recovering, 1, true, "a1 b3 c3");
}

#[test]
fn a_dead_cluster_is_out_until_it_is_seen_again() {
    let mut fixture = shop();
    fixture.publish();
    fixture.verdict("a", Verdict::Down, Verdict::Down);
    fixture.report("a", 3, false);
    assert_eq!(weights(&fixture.publish(), "shop"), "b3 c3");
    // Its VIP answers again, and what was there before is still reported: nobody is sent there on the strength of that.
    fixture.verdict("a", Verdict::Recovering, Verdict::Recovering);
    assert_eq!(weights(&fixture.publish(), "shop"), "b3 c3");
    fixture.report("a", 0, true);
    assert_eq!(weights(&fixture.publish(), "shop"), "b3 c3");
    fixture.report("a", 2, true);
    assert_eq!(weights(&fixture.publish(), "shop"), "a2 b3 c3");
}

#[test]
fn nothing_is_lowered_when_everything_looks_dead() {
    for freeze in [false, true] {
        let mut fixture = shop();
        let before = fixture.publish();
        fixture.freeze = freeze;
        for cluster in ["a", "b", "c", "d"] {
            fixture.verdict(cluster, Verdict::Down, Verdict::Down);
        }
        for cluster in ["a", "b", "c"] {
            fixture.report(cluster, 3, false);
        }
        let output = fixture.compile();
        assert!(!output.changed);
        assert_eq!(output.plan, before.plan);
    }
}

#[test]
fn a_live_name_is_never_emptied() {
    type Change = fn(&mut Fixture);
    let changes: [(Change, Reason); 6] = [
        (
            |f| ["a", "b", "c"].iter().for_each(|c| f.report(c, 0, true)),
            Reason::KeepsLastEndpoints,
        ),
        (|f| f.workloads.clear(), Reason::WorkloadNotFound),
        (|f| f.zones.clear(), Reason::ZoneNotFound),
        (
            |f| f.clusters.values_mut().for_each(|edge| edge.addresses.clear()),
            Reason::NoAddress,
        ),
        (
            |f| f.policies[0].zone = "elsewhere.example".to_owned(),
            Reason::ZoneNotFound,
        ),
        (|f| f.shop().clusters.clear(), Reason::KeepsLastEndpoints),
    ];
    for (change, reason) in changes {
        let mut fixture = shop();
        fixture.publish();
        change(&mut fixture);
        let output = fixture.compile();
        assert_eq!(weights(&output, "shop"), "a3 b3 c3", "{reason:?}");
        assert_eq!(
            output.plan.zones.len(),
            1,
            "{reason:?}: the zone of a live name stays"
        );
        let condition = condition(&output, "shop");
        assert!(!condition.status && condition.reason == reason, "{condition:?}");
    }
}

#[test]
fn a_name_is_left_out_until_it_is_ready() {
    let mut fixture = shop();
    for cluster in ["a", "b", "c"] {
        fixture.report(cluster, 0, true);
    }
    let output = fixture.publish();
    assert_eq!(
        (
            weights(&output, "shop").as_str(),
            condition(&output, "shop").reason
        ),
        ("-", Reason::NotReady)
    );
    assert!(output.plan.removed.is_empty());
    fixture.report("b", 1, true);
    assert_eq!(weights(&fixture.publish(), "shop"), "b1");
}

#[test]
fn a_planned_move_shifts_before_it_lowers() {
    fn check(phase: Phase, expected: &str) {
        let mut fixture = shop();
        *fixture.shop() = workload(&[("a", 3), ("b", 5), ("c", 4), ("d", 1)]);
        let target = ["a", "b", "c"].map(|name| TargetCluster::new(name, 3)).to_vec();
        fixture.shop().movement = Some(Movement { phase, target });
        assert_eq!(weights(&fixture.compile(), "shop"), expected, "{phase:?}");
    }
    check(Phase::Raise, "a3 b5 c4 d1");
    check(Phase::Shift, "a3 b3 c3");
    check(Phase::Lower, "a3 b3 c3");
}

#[test]
fn what_is_wrong_with_one_object_touches_no_other() {
    let mut fixture = shop();
    let wrong = |name: &str, change: fn(&mut PolicyView)| {
        let mut wrong = PolicyView {
            workload: key("shop"),
            created: 9,
            ..policy(name)
        };
        change(&mut wrong);
        wrong
    };
    fixture.policies.extend([
        wrong("no-zone", |p| p.zone = "nowhere.example".to_owned()),
        wrong("outside", |p| p.name = "shop.other.example".to_owned()),
        wrong("taken", |p| p.name = "SHOP.demo.example.".to_owned()),
        wrong("bad-name", |p| p.name = "a..demo.example".to_owned()),
        wrong("bad-ttl", |p| p.ttl = u32::MAX),
        wrong("no-workload", |p| p.workload = key("nothing")),
        wrong("bad-weight", |p| {
            p.weights = BTreeMap::from([("nowhere".to_owned(), 2)])
        }),
    ]);
    fixture.zones.push(ZoneView {
        object: object("Zone", "second"),
        created: 9,
        ..zone("demo.example")
    });
    let output = fixture.compile();
    assert_eq!(weights(&output, "shop"), "a3 b3 c3");
    assert!(condition(&output, "shop").status);
    // A factor for a cluster that does not exist is ignored, the rest of the policy works.
    assert_eq!(weights(&output, "bad-weight"), "a3 b3 c3");
    assert!(condition(&output, "bad-weight").status);
    let told: Vec<String> = output
        .conditions
        .iter()
        .filter(|condition| condition.reason != Reason::Published)
        .map(|condition| format!("{}: {}", condition.reason.as_str(), condition.message))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_cluster_without_the_service_is_not_answered() {
    // Clusters that have the Service, before and after the name went live -> weights and reason.
    fn check(before: &[&str], after: &[&str], expected: &str, reason: Reason) {
        let mut fixture = shop();
        let service = WorkloadKey {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            ..key("shop")
        };
        fixture.policies[0].service = Some(service.clone());
        let placed = |clusters: &[&str]| WorkloadView {
            present: clusters.iter().map(|cluster| (*cluster).to_owned()).collect(),
            ..WorkloadView::default()
        };
        fixture.workloads.insert(service.clone(), placed(before));
        fixture.publish();
        fixture.workloads.remove(&service);
        if !after.is_empty() {
            fixture.workloads.insert(service, placed(after));
        }
        let output = fixture.compile();
        assert_eq!(weights(&output, "shop"), expected, "{before:?} {after:?}");
        let condition = condition(&output, "shop");
        assert_eq!(condition.reason, reason, "{}", condition.message);
        assert_eq!(condition.status, reason == Reason::Published);
        assert!(
            reason == Reason::Published || condition.message.contains("v1 Service default/shop"),
            "{}",
            condition.message
        );
    }
    let all = ["a", "b", "c", "d"];
    check(&all, &all, "a3 b3 c3", Reason::Published);
    check(&all, &["a", "c"], "a3 c3", Reason::ServiceNotFound);
    check(&all, &[], "a3 b3 c3", Reason::ServiceNotFound);
    check(&[], &[], "-", Reason::ServiceNotFound);
    check(&[], &["b"], "b3", Reason::ServiceNotFound);
}

#[test]
fn the_older_claim_counts_whatever_the_order() {
    let mut fixture = shop();
    let younger = PolicyView {
        object: object("TrafficPolicy", "a-younger"),
        created: 5,
        ttl: 60,
        ..policy("shop")
    };
    fixture.policies.insert(0, younger);
    let output = fixture.compile();
    assert_eq!(output.plan.names[0].ttl, 5);
    assert_eq!(condition(&output, "a-younger").reason, Reason::NameTaken);
    assert!(
        condition(&output, "a-younger")
            .message
            .contains("TrafficPolicy default/shop")
    );
}

#[test]
fn the_stamp_rises_only_with_a_change_and_only_where_it_changed() {
    let mut fixture = shop();
    fixture.policies.push(policy("blog"));
    fixture.workloads.insert(key("blog"), workload(&[("a", 1)]));
    let first = fixture.publish();
    assert!(first.changed && first.plan.stamp.order() == (1, 1));
    let second = fixture.publish();
    assert!(!second.changed && second.plan == first.plan);
    fixture.report("a", 2, true);
    let third = fixture.publish();
    assert!(third.changed && third.plan.stamp.order() == (1, 2));
    let stamps: Vec<_> = third
        .plan
        .names
        .iter()
        .map(|n| (n.name.as_str(), n.epoch, n.seq))
        .collect();
    assert_eq!(stamps, [("blog.demo.example", 1, 1), ("shop.demo.example", 1, 2)]);
    // A new leader says so once; the record sets keep their stamps.
    fixture.epoch = 2;
    let fourth = fixture.publish();
    assert!(fourth.changed && fourth.plan.stamp.order() == (2, 3) && fourth.plan.names == third.plan.names);
    assert!(!fixture.publish().changed);
    // The old one has nothing to say any more.
    fixture.epoch = 1;
    fixture.report("a", 1, true);
    let stale = fixture.compile();
    assert!(!stale.changed && stale.plan == fourth.plan);
}

#[test]
fn a_name_is_removed_with_its_policy_and_not_before() {
    let mut fixture = shop();
    fixture.policies.push(policy("blog"));
    fixture.workloads.insert(key("blog"), workload(&[("a", 1)]));
    fixture.publish();
    let blog = fixture.policies.pop().unwrap();
    let output = fixture.publish();
    assert_eq!(
        (weights(&output, "blog").as_str(), output.plan.removed.as_slice()),
        ("-", &["blog.demo.example".to_owned()][..])
    );
    // It stays in every later plan: a server may have missed the one before.
    assert!(!fixture.publish().changed);
    fixture.policies.push(blog);
    let output = fixture.publish();
    assert!(output.plan.removed.is_empty());
    assert_eq!(weights(&output, "blog"), "a1");
    fixture.policies.clear();
    fixture.zones.clear();
    let removed = fixture.publish().plan.removed;
    assert_eq!(
        removed,
        ["blog.demo.example", "demo.example", "shop.demo.example"]
    );
}

#[test]
fn addresses_are_read_from_the_annotation() {
    let edge = ClusterEdge::parse(" 127.0.2.1, 2001:db8::1 ,").unwrap();
    assert_eq!(edge.addresses.len(), 2);
    assert_eq!(ClusterEdge::parse("").unwrap().addresses.len(), 0);
    let error = ClusterEdge::parse("127.0.2.1,vip.example").unwrap_err();
    assert!(
        error.contains("vip.example") && error.contains("lifeboat.dev/ingress-addresses"),
        "{error}"
    );
}

#[test]
fn a_cluster_of_the_order_where_nothing_is_ready_is_passed_over() {
    let mut fixture = shop();
    fixture.policies[0].steer = steps(r#"[{"failover": {"order": ["d", "b"]}}]"#);
    fixture.clusters.insert("d".to_owned(), ClusterEdge::default());
    let output = fixture.publish();
    let condition = condition(&output, "shop");
    assert_eq!((condition.status, condition.reason), (true, Reason::Published));
    // The DNS servers take it as it is.
    let (_, applied) = Catalog::default().applied(&output.plan).unwrap();
    assert_eq!((applied.names, applied.rejected), (1, Vec::new()));
}

fn steps(text: &str) -> Vec<SteerStep> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn capacity_is_what_is_ready_whatever_a_replica_weighs() {
    let mut fixture = shop();
    fixture.policies[0].steer =
        steps(r#"[{"capacity": {"headroom": 100}}, {"failover": {"order": ["a", "b"]}}]"#);
    fixture.policies[0].weights.insert("a".to_owned(), 7);
    let ready = fixture.workloads[&key("shop")].ready.clone();
    let output = fixture.publish();
    let Filter::Capacity(capacity) = &output.plan.names[0].steer[0] else {
        panic!("{:?}", output.plan.names[0].steer);
    };
    assert!(!capacity.clusters.is_empty());
    for (cluster, capacity) in &capacity.clusters {
        let replicas = i64::from(ready[cluster].replicas);
        assert_eq!(
            (i64::from(capacity.ready), capacity.headroom),
            (replicas, 100),
            "{cluster}"
        );
    }
    let (_, applied) = Catalog::default().applied(&output.plan).unwrap();
    assert_eq!((applied.names, applied.rejected), (1, Vec::new()));
}

#[test]
fn weights_of_which_none_is_left_are_passed_over_and_told() {
    let mut fixture = shop();
    fixture.policies[0].steer = steps(r#"[{"weighted": {"d": 70}}]"#);
    fixture.clusters.insert("d".to_owned(), ClusterEdge::default());
    let output = fixture.publish();
    assert_eq!(output.plan.names[0].steer, [Filter::Weighted(BTreeMap::new())]);
    let told = condition(&output, "shop");
    assert_eq!((told.status, told.reason), (true, Reason::WeightsPassedOver));
    fixture.policies[0].steer = steps(r#"[{"weighted": {"d": 70, "a": 30}}]"#);
    let output = fixture.publish();
    assert_eq!(condition(&output, "shop").reason, Reason::Published);
    let Filter::Weighted(weights) = &output.plan.names[0].steer[0] else {
        panic!("{:?}", output.plan.names[0].steer);
    };
    assert_eq!(weights["a"], 30);
}

#[test]
fn what_a_policy_says_beside_its_filters_reaches_the_plan() {
    let mut fixture = shop();
    fixture.policies[0].on_all_down = OnAllDown::Servfail;
    fixture.policies[0].degraded_ttl = Some(2);
    let name = &fixture.publish().plan.names[0];
    assert_eq!(
        (&name.on_all_down, name.degraded_ttl),
        (&OnAllDown::Servfail, Some(2))
    );
}

#[test]
fn what_the_dns_servers_refuse_is_told_of_the_policy() {
    let mut fixture = shop();
    let same = ClusterEdge {
        addresses: vec!["192.0.2.77".parse().unwrap()],
    };
    for cluster in ["a", "b"] {
        fixture.clusters.insert(cluster.to_owned(), same.clone());
    }
    let output = fixture.publish();
    let condition = condition(&output, "shop");
    assert_eq!((condition.status, condition.reason), (false, Reason::Refused));
    assert!(condition.message.contains("192.0.2.77"), "{}", condition.message);
}

#[test]
fn service_records_are_in_the_plan_and_mistakes_in_them_are_told_of_the_policy() {
    let mut fixture = shop();
    fixture.policies[0].https = Some(Box::new(ServiceInput {
        alpn: vec!["h2".to_owned()],
        ..ServiceInput::default()
    }));
    let output = fixture.publish();
    assert!(condition(&output, "shop").status);
    assert_eq!(output.plan.names[0].https, fixture.policies[0].https);
    // A change of theirs is one of the name.
    let before = output.plan.names[0].seq;
    fixture.policies[0].svcb = Some(Box::new(ServiceInput {
        port: Some(0),
        ..ServiceInput::default()
    }));
    let output = fixture.publish();
    assert!(output.plan.names[0].seq > before);
    let condition = condition(&output, "shop");
    assert_eq!((condition.status, condition.reason), (false, Reason::Refused));
    assert!(condition.message.contains("svcb.port"), "{}", condition.message);
}
