//! `lifeboat dns` in Kubernetes mode: a control plane's API, objects in it, and a server that is fed from them as long as it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use hickory_proto::rr::RecordType;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Service, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule},
};
use lifeboat::{
    controller::Kinds,
    failover::ClusterHealth,
    observe::targets::TRAFFIC_CHECK,
    steer::{
        assembler,
        compile::{Input, compile, input::INGRESS_ADDRESSES},
        publisher::publication,
        read::picture,
    },
    store::{Index, Key, Kind},
};
use lifeboat_chaos::{apiserver::Store, fault::Gate};
use lifeboat_health::Verdict;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    plane::{ControlPlane, serve},
    process::{Cluster, Folder, Nameserver, free_both, free_tcp},
};

const SHOP: &str = "shop.example.org.";
const EU: &str = "192.0.2.1";
const US: &str = "192.0.2.2";
const MODE: &str = "kubernetes: {kubeconfig: kubeconfig}\n";

/// Nobody listens there.
pub(crate) const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, current-context: c, \
    contexts: [{name: c, context: {cluster: c, user: u}}], \
    clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}]}";

/// A control plane whose controller works by hand: [`Plane::publishes`] is one round of it.
struct Plane {
    runtime: Runtime,
    plane: ControlPlane,
    epoch: u64,
}

impl Plane {
    /// Two clusters, a zone, a workload that is ready in both and a policy that wants eu first; nothing is published.
    fn with(folder: &Folder, eu: &Cluster, us: &Cluster) -> Plane {
        let runtime = Runtime::new().unwrap();
        let plane = runtime.block_on(ControlPlane::start());
        folder.write("kubeconfig", &plane.server.kubeconfig());
        let plane = Plane {
            runtime,
            plane,
            epoch: 1,
        };
        let kinds = plane.plane.kinds.clone();
        plane.cluster("eu", "europe", EU, &eu.url());
        plane.cluster("us", "america", US, &us.url());
        plane.apply(
            &kinds.zone,
            json!({
                "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Zone", "metadata": { "name": "example.org" },
                "spec": {
                    "soa": { "mname": "ns.example.net", "rname": "hostmaster.example.net" },
                    "nameServers": [{ "name": "ns.example.net" }],
                },
            }),
        );
        plane.apply(
            &kinds.binding,
            json!({
                "apiVersion": "work.karmada.io/v1alpha2", "kind": "ResourceBinding",
                "metadata": { "namespace": "default", "name": "shop-deployment" },
                "spec": {
                    "resource": { "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "shop" },
                    "clusters": [{ "name": "eu", "replicas": 2 }, { "name": "us", "replicas": 2 }],
                },
            }),
        );
        plane.wants(&["eu", "us"]);
        plane
    }

    fn apply(&self, kind: &Kind, object: Value) {
        self.runtime.block_on(self.plane.apply(kind, object));
    }

    fn cluster(&self, name: &str, region: &str, address: &str, check: &str) {
        self.apply(
            &self.plane.kinds.cluster,
            json!({
                "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
                "metadata": { "name": name, "annotations": {
                    INGRESS_ADDRESSES: address,
                    TRAFFIC_CHECK: json!({ "kind": "http", "url": check }).to_string(),
                } },
                "spec": { "syncMode": "Push", "region": region },
            }),
        );
    }

    /// The policy asks for the clusters in this order.
    fn wants(&self, order: &[&str]) {
        self.apply(
            &self.plane.kinds.traffic_policy,
            json!({
                "apiVersion": "lifeboat.dev/v1alpha1", "kind": "TrafficPolicy",
                "metadata": { "namespace": "default", "name": "shop" },
                "spec": {
                    "name": "shop.example.org", "zone": "example.org", "ttl": 5, "https": { "alpn": ["h2"] },
                    "workload": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" },
                    "steer": [{ "health": {} }, { "failover": { "order": order } }],
                },
            }),
        );
    }

    /// Compiles what is in the API and publishes the plan, whose `seq` it returns.
    fn publishes(&self) -> u64 {
        let kinds = &self.plane.kinds;
        let index = Index::default();
        let read = |kind: &Kind, namespace: &str, name: &str| {
            let key = Key::new(namespace, name);
            self.runtime.block_on(self.plane.writer.read(kind, &key)).unwrap()
        };
        for cluster in ["eu", "us"] {
            index.apply(&kinds.cluster, read(&kinds.cluster, "", cluster).unwrap());
        }
        index.apply(&kinds.zone, read(&kinds.zone, "", "example.org").unwrap());
        index.apply(
            &kinds.traffic_policy,
            read(&kinds.traffic_policy, "default", "shop").unwrap(),
        );
        // What the members would have told.
        let mut binding = read(&kinds.binding, "default", "shop-deployment").unwrap();
        let ready = |cluster| json!({ "clusterName": cluster, "status": { "readyReplicas": 2 } });
        binding["status"] = json!({ "aggregatedStatus": [ready("eu"), ready("us")] });
        index.apply(&kinds.binding, binding);
        if let Some(head) = read(&kinds.steering_plan, "", "lifeboat") {
            for shard in head["spec"]["shards"].as_array().unwrap() {
                let name = shard["name"].as_str().unwrap();
                index.apply(
                    &kinds.steering_plan_shard,
                    read(&kinds.steering_plan_shard, "", name).unwrap(),
                );
            }
            index.apply(&kinds.steering_plan, head);
        }
        let picture = picture(&index, kinds, &BTreeSet::from(["eu".to_owned(), "us".to_owned()]));
        let up = ClusterHealth {
            traffic: Verdict::Up,
            control: Verdict::Up,
            ..ClusterHealth::UNKNOWN
        };
        let output = compile(&Input {
            fleet_uid: "a-fleet",
            epoch: self.epoch,
            zones: &picture.zones,
            policies: &picture.policies,
            workloads: &picture.workloads,
            clusters: &picture.clusters,
            health: &BTreeMap::from([("eu".to_owned(), up), ("us".to_owned(), up)]),
            freeze: false,
            previous: assembler::published(&index, kinds).unwrap().as_ref(),
        });
        let fine = output.conditions.iter().all(|condition| condition.status);
        assert!(output.changed && fine, "{:?}", output.conditions);
        let writes = publication(&output.plan, &index, kinds).unwrap();
        for write in writes.shards.iter().chain([&writes.head]) {
            self.runtime.block_on(self.plane.write(write));
        }
        output.plan.stamp.seq
    }

    /// Its API ends, and nothing listens there any more.
    fn ends(self) -> Ended {
        let Plane {
            runtime,
            plane,
            epoch,
        } = self;
        let (address, gate, store) = (plane.server.addr(), plane.gate.clone(), plane.server.store());
        let ControlPlane { server, .. } = plane;
        runtime.block_on(server.stop());
        Ended {
            runtime,
            address,
            gate,
            store,
            epoch,
        }
    }
}

/// What is left of a control plane without its API server: what it holds.
struct Ended {
    runtime: Runtime,
    address: SocketAddr,
    gate: Gate,
    store: Store,
    epoch: u64,
}

impl Ended {
    fn returns(self) -> Plane {
        let Ended {
            runtime,
            address,
            gate,
            store,
            epoch,
        } = self;
        let server = runtime.block_on(serve(address, gate.clone(), Some(store)));
        let plane = runtime.block_on(async { ControlPlane::of(server, gate) });
        Plane {
            runtime,
            plane,
            epoch,
        }
    }
}

fn problems(status: &Value) -> String {
    status["controlPlane"]["problems"].to_string()
}

#[test]
fn a_control_plane_feeds_the_server_and_is_not_needed_for_answers() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[]);
    let plane = Plane::with(&folder, &eu, &us);
    plane.publishes();
    let server = Nameserver::start(&folder, MODE);
    server.until_answered(SHOP, &[EU]);
    assert_eq!(server.ask("example.org.", RecordType::SOA).answers.len(), 1);
    // Itself, and the other cluster as an alternate.
    assert_eq!(server.ask(SHOP, RecordType::HTTPS).answers.len(), 2);
    assert_eq!(server.addresses("us.shop.example.org."), [US]);
    server.until("all to be in force", |status| {
        status["controlPlane"]["reached"] == true
            && status["controlPlane"]["problems"] == json!([])
            && status["clusters"][0]["families"][0]["verdict"] == "Up"
    });
    let status = server.status();
    assert_eq!(status["zones"][0]["serving"], "plan");
    assert_eq!(
        [
            &status["clusters"][0]["name"],
            &status["clusters"][0]["region"],
            &status["clusters"][1]["name"]
        ],
        ["eu", "europe", "us"]
    );
    let metrics = server.get("/metrics").1;
    assert!(
        metrics.contains("lifeboat_dns_control_plane_reached 1"),
        "{metrics}"
    );

    // Its own observer decides, by what Cluster objects say.
    eu.dies();
    server.until_answered(SHOP, &[US]);
    let told = server.explain(&["cluster", "eu"]);
    assert!(told.contains("Down") && told.contains("builtin"), "{told}");
    eu.returns();
    server.until_answered(SHOP, &[EU]);

    // Orders are as without a control plane.
    let order = |words: &[&str]| {
        let (code, told) = folder.output(&[&["dns", "override"], words, &["--config", "dns.yaml"]].concat());
        assert_eq!(code, 0, "{told}");
    };
    order(&["eu", "down", "--for", "1h", "--reason", "a test"]);
    server.until_answered(SHOP, &[US]);
    order(&["clear", "eu"]);
    server.until_answered(SHOP, &[EU]);

    // The policy changes, and so does the answer.
    plane.wants(&["us", "eu"]);
    let seq = plane.publishes();
    server.until_answered(SHOP, &[US]);
    let saved = |status: &Value| status["server"]["lastKnownGood"]["saved"]["seq"] == seq;
    server.until("the plan to be kept", saved);

    // Without the API all goes on, and it is said.
    let ended = plane.ends();
    let unreachable = |status: &Value| problems(status).contains("control plane unreachable since");
    server.until("it to be said", unreachable);
    assert_eq!(server.addresses(SHOP), [US]);
    let metrics = server.get("/metrics").1;
    assert!(
        metrics.contains("lifeboat_dns_control_plane_reached 0"),
        "{metrics}"
    );
    let (code, told) = folder.output(&["dns", "status", "--config", "dns.yaml"]);
    assert!(
        code == 0 && told.contains("control plane: UNREACHABLE since") && told.contains("the steering plan"),
        "{told}"
    );
    us.dies();
    server.until_answered(SHOP, &[EU]);
    let log = folder.read("dns.log");
    assert_eq!(
        log.matches("the control plane is not reached").count(),
        1,
        "{log}"
    );

    // A server that starts meanwhile answers as it did, and observes what it did.
    server.terminate();
    let server = Nameserver::start(&folder, MODE);
    assert_eq!(server.addresses(SHOP), [EU]);
    server.until("it to be said", unreachable);
    assert_eq!(server.status()["zones"][0]["serving"], "lastKnownGood");
    us.returns();
    server.until_answered(SHOP, &[US]);

    // The API is back, with the very plan that is served, and then with another.
    let plane = ended.returns();
    server.until("all to be in force", |status| {
        status["controlPlane"]["reached"] == true && status["controlPlane"]["problems"] == json!([])
    });
    assert_eq!(server.status()["zones"][0]["serving"], "plan");
    plane.wants(&["eu", "us"]);
    plane.publishes();
    server.until_answered(SHOP, &[EU]);
}

/// No fleet that it could begin with, no kubeconfig even: what was withdrawn stays so, and nobody is.
#[test]
fn a_server_that_does_not_know_what_to_probe_moves_nobody() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[]);
    let plane = Plane::with(&folder, &eu, &us);
    let seq = plane.publishes();
    let server = Nameserver::start(&folder, MODE);
    server.until_answered(SHOP, &[EU]);
    server.until("the plan to be kept", |status| {
        status["server"]["lastKnownGood"]["saved"]["seq"] == seq
    });
    eu.dies();
    server.until_answered(SHOP, &[US]);
    let ended = plane.ends();
    server.terminate();
    folder.write("state/fleet.json", "{");
    let kubeconfig = folder.read("kubeconfig");
    std::fs::remove_file(folder.path("kubeconfig")).unwrap();
    let server = Nameserver::start(&folder, MODE);
    server.until("it to be said", |status| {
        problems(status).contains("kubernetes.kubeconfig")
    });
    looked(&server, MODE);
    assert_eq!(server.addresses(SHOP), [US]);
    assert!(
        folder
            .read("dns.log")
            .contains("the fleet of the last run cannot be read")
    );
    let _plane = ended.returns();
    folder.write("kubeconfig", &kubeconfig);
    server.until("what is seen", |status| {
        status["clusters"][0]["families"][0]["verdict"] == "Down" && problems(status) == "[]"
    });
    eu.returns();
    server.until_answered(SHOP, &[EU]);
}

/// The server has taken changes of its file, and with that gone through everything.
fn looked(server: &Nameserver<'_>, text: &str) {
    for times in 1..=2 {
        server.configure(&format!("{text}identity: {{nsid: '{times}'}}\n"));
        let taken = format!("lifeboat_dns_config_reloads_total{{result=\"taken\"}} {times}");
        server.until("a look at all", |_| server.get("/metrics").1.contains(&taken));
    }
}

#[test]
fn a_refused_plan_is_told_until_a_good_one_comes() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[]);
    let mut plane = Plane::with(&folder, &eu, &us);
    let server = {
        plane.publishes();
        Nameserver::start(&folder, MODE)
    };
    server.until_answered(SHOP, &[EU]);
    // The objects are those of another fleet, or older: here their stamp says so.
    let stamped = |plane: &Plane, fleet: &str, epoch: u64| {
        let kind = &plane.plane.kinds.steering_plan;
        let head = plane
            .runtime
            .block_on(plane.plane.writer.read(kind, &Key::new("", "lifeboat")));
        let mut spec = head.unwrap().unwrap()["spec"].clone();
        (spec["fleetUid"], spec["epoch"]) = (json!(fleet), json!(epoch));
        plane.apply(
            kind,
            json!({
                "apiVersion": "lifeboat.dev/v1alpha1", "kind": "SteeringPlan",
                "metadata": { "name": "lifeboat" }, "spec": spec,
            }),
        );
    };
    stamped(&plane, "another-fleet", 9);
    server.until("the refusal", |status| {
        problems(status).contains("the plan is of fleet another-fleet")
            && status["zones"][0]["serving"] == "lastKnownGood"
    });
    assert_eq!(server.addresses(SHOP), [EU]);
    let (_, told) = folder.output(&["dns", "status", "--config", "dns.yaml"]);
    assert!(told.contains("another-fleet"), "{told}");
    // Its clusters are not those that are served: they are read, and nothing is made of them.
    plane.cluster("eu", "elsewhere", EU, &eu.url());
    plane.cluster("us", "america", US, "no URL");
    server.until("the clusters to be read", |status| {
        problems(status).contains("no URL")
    });
    looked(&server, MODE);
    assert_eq!(server.status()["clusters"][0]["region"], "europe");
    plane.cluster("us", "america", US, &us.url());
    stamped(&plane, "a-fleet", 1);
    plane.epoch = 2;
    plane.wants(&["us", "eu"]);
    plane.publishes();
    server.until_answered(SHOP, &[US]);
    server.until("no problem", |status| {
        problems(status) == "[]" && status["clusters"][0]["region"] == "elsewhere"
    });

    // An API that falls silent, its connections with it, is found out.
    plane.plane.gate.silence();
    server.until("the silence", |status| {
        problems(status).contains("no answer within")
    });
    assert_eq!(server.addresses(SHOP), [US]);
    plane.plane.gate.restore();
    server.until("no problem", |status| problems(status) == "[]");

    // It moves, and the kubeconfig says where to, after a mistake.
    let mut ended = plane.ends();
    ended.address.set_port(0);
    let plane = ended.returns();
    folder.write("kubeconfig", "clusters: 7\n");
    folder.until_told("dns.log", "a change cannot be used");
    folder.write("kubeconfig", &plane.plane.server.kubeconfig());
    server.until("no problem", |status| problems(status) == "[]");
    plane.wants(&["eu", "us"]);
    plane.publishes();
    server.until_answered(SHOP, &[EU]);
}

#[test]
fn observer_objects_say_whose_evidence_counts() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[]);
    folder.certificates(&["--observers", "a", "--consumers", "dns", "--out", "fleet"]);
    let plane = Plane::with(&folder, &eu, &us);
    plane.publishes();
    let observer = |name: &str| {
        let object = json!({
            "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Observer",
            "metadata": { "name": name }, "spec": { "region": "r" },
        });
        plane.apply(&plane.plane.kinds.observer, object);
    };
    ["a", "b", "c"].into_iter().for_each(observer);
    let text = |names: &str| {
        let tls = "{certificate: fleet/dns.pem, key: fleet/dns.key, roots: fleet/authority.pem}";
        format!("{MODE}observers: {{listen: '127.0.0.1:0', tls: {tls}{names}}}\n")
    };
    let server = Nameserver::start(&folder, &text(""));
    let listed = |status: &Value| -> Vec<String> {
        let observers = status["observers"].as_array().unwrap().iter();
        observers
            .map(|observer| observer["name"].as_str().unwrap().to_owned())
            .collect()
    };
    server.until("the objects to be read", |status| {
        listed(status) == ["a", "b", "c"]
    });
    observer("d");
    server.until("another", |status| listed(status) == ["a", "b", "c", "d"]);
    // What the configuration says counts alone.
    server.configure(&text(", names: [{name: a}, {name: y}, {name: z}]"));
    server.until("the names of the file", |status| {
        listed(status) == ["a", "y", "z"]
    });
}

/// The server does not start, or is found fault with by `--check` as well, in these words.
fn complains(folder: &Folder, text: &str, checked: bool, words: &[&str]) {
    folder.write(
        "dns.yaml",
        &format!("listen: [{{address: '{}'}}]\nstate: state\n{text}", free_both()),
    );
    let runs: &[&[&str]] = match checked {
        true => &[
            &["dns", "--config", "dns.yaml"],
            &["dns", "--check", "--config", "dns.yaml"],
        ],
        false => &[&["dns", "--config", "dns.yaml"]],
    };
    for run in runs {
        let (code, told) = folder.output(run);
        assert!(
            code == 1 && words.iter().all(|word| told.contains(word)),
            "{run:?}: {words:?}: {told}"
        );
    }
}

#[test]
fn what_cannot_be_is_told_with_its_field() {
    let folder = Folder::with(&[("broken", "clusters: 7\n"), ("example.org.zone", super::ZONE)]);
    for (field, entry) in [
        ("zones", "{name: example.org, file: a.zone}"),
        ("clusters", "{name: eu}"),
        ("names", "{name: a.example.org}"),
    ] {
        complains(
            &folder,
            &format!("kubernetes: {{}}\n{field}: [{entry}]\n"),
            true,
            &[
                "dns.yaml",
                &format!("{field}: is given beside kubernetes"),
                "objects",
            ],
        );
    }
    for (file, words) in [
        ("missing", ["kubernetes.kubeconfig", "missing"]),
        ("broken", ["kubernetes.kubeconfig", "broken"]),
    ] {
        complains(
            &folder,
            &format!("kubernetes: {{kubeconfig: {file}}}\n"),
            true,
            &words,
        );
    }
    let (code, told) = folder.output(&["dns", "targets", "--config", "dns.yaml"]);
    assert!(
        code == 1 && told.contains("kubernetes: what is probed comes from Cluster objects"),
        "{told}"
    );

    // A state folder serves one mode.
    let standalone = "zones: [{name: example.org, file: example.org.zone}]\n";
    let server = Nameserver::start_on(&folder, standalone, free_tcp());
    server.until("a plan that is kept", |status| {
        status["server"]["lastKnownGood"]["saved"] != Value::Null
    });
    // Another mode takes a restart, and what is served stays until then.
    server.configure(MODE);
    server.until("it to be told", |status| {
        status["configuration"]["afterRestart"]
            .to_string()
            .contains("kubernetes")
    });
    assert_eq!(server.addresses("www.example.org."), ["192.0.2.80"]);
    server.terminate();
    let plane = Plane::with(&folder, &Cluster::start(), &Cluster::start());
    complains(&folder, MODE, false, &["state: ", "without `kubernetes`"]);
    drop(plane);
}

/// What is deployed is understood, and may read all that the server follows.
#[test]
fn the_manifest_gives_the_rights_and_the_configuration() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubernetes/dns.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let one = |kind: &str| {
        let found: Vec<Value> = documents
            .iter()
            .filter(|object| object["kind"] == kind)
            .cloned()
            .collect();
        let [object] = &found[..] else {
            panic!("{kind}: {found:?}")
        };
        object.clone()
    };
    fn typed<T: DeserializeOwned>(object: Value) -> T {
        serde_json::from_value(object).unwrap()
    }
    let rules = typed::<ClusterRole>(one("ClusterRole")).rules.unwrap();
    let kinds = Kinds::default();
    for kind in [
        &kinds.steering_plan,
        &kinds.steering_plan_shard,
        &kinds.observer,
        &kinds.cluster,
    ] {
        let gives = |rule: &PolicyRule| {
            let has =
                |list: &Option<Vec<String>>, wanted: &str| list.iter().flatten().any(|one| one == wanted);
            has(&rule.api_groups, &kind.group)
                && has(&rule.resources, &kind.plural)
                && rule.verbs == ["get", "list", "watch"]
        };
        assert!(rules.iter().any(gives), "{}", kind.plural);
    }
    let binding = typed::<ClusterRoleBinding>(one("ClusterRoleBinding"));
    let pods = typed::<StatefulSet>(one("StatefulSet"))
        .spec
        .unwrap()
        .template
        .spec
        .unwrap();
    let account = typed::<ServiceAccount>(one("ServiceAccount"))
        .metadata
        .name
        .unwrap();
    assert_eq!(
        [&binding.role_ref.name, &binding.subjects.unwrap()[0].name],
        [&account; 2]
    );
    assert_eq!(pods.service_account_name, Some(account));
    let ports = typed::<Service>(one("Service")).spec.unwrap().ports.unwrap();
    assert_eq!(ports.len(), 2);
    let config = &typed::<ConfigMap>(one("ConfigMap")).data.unwrap()["dns.yaml"];
    let folder = Folder::with(&[("kubeconfig", KUBECONFIG)]);
    folder.write("dns.yaml", &config.replace("kubernetes: {}", MODE.trim()));
    let (code, told) = folder.output(&["dns", "--check", "--config", "dns.yaml"]);
    assert!(code == 0 && told.contains("0 errors, 0 warnings"), "{told}");
}
