//! The native kinds.

use lifeboat::interpret::{self, Health, Item};
use serde_json::{Value, json};

use super::{compare, text};

/// The object as an API server gives it: some of the vectors carry neither version nor kind.
fn named(input: &Value, field: &str) -> Value {
    let mut object = input[field].clone();
    let kind = text(&input["kind"]);
    let api_version = match kind {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" => "apps/v1",
        "Job" | "CronJob" => "batch/v1",
        "Ingress" => "networking.k8s.io/v1",
        "PodDisruptionBudget" => "policy/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "ServiceImport" => "multicluster.x-k8s.io/v1alpha1",
        "*whole" => return object,
        _ => "v1",
    };
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object
}

/// What was added by `named` is not part of the answer.
fn like(expected: &Value, mut ours: Value) -> Value {
    for field in ["apiVersion", "kind"] {
        if let (None, Some(fields)) = (expected.get(field), ours.as_object_mut()) {
            fields.remove(field);
        }
    }
    ours
}

#[test]
fn replicas_and_requirements() {
    compare("go-tables/native.GetReplicas.json", |input, expect| {
        let needs = interpret::needs(&named(input, "object")).unwrap();
        Some((
            expect.clone(),
            json!({ "replicas": needs.replicas, "requirements": needs.requirements }),
        ))
    });
    compare(
        "go-tables/binding.GenerateReplicaRequirements.json",
        |input, expect| {
            let pod = json!({ "apiVersion": "v1", "kind": "Pod", "spec": input["podTemplate"]["spec"] });
            let needs = interpret::needs(&pod).unwrap();
            Some((
                json!([expect["replicaRequirements"]]),
                json!([needs.requirements]),
            ))
        },
    );
    compare(
        "go-tables/binding.GenerateNodeClaimByPodSpec.json",
        |input, expect| {
            let pod = json!({ "apiVersion": "v1", "kind": "Pod", "spec": input["podSpec"] });
            let claim = interpret::needs(&pod)
                .unwrap()
                .requirements
                .and_then(|requirements| requirements.node_claim);
            Some((json!([expect["nodeClaim"]]), json!([claim])))
        },
    );
}

/// In the cases that expect an error, the number is one that JSON cannot tell from a good one.
#[test]
fn revised_replicas() {
    compare("go-tables/native.ReviseReplica.json", |input, expect| {
        if expect["error"] == true {
            return None;
        }
        let mut object = named(input, "object");
        interpret::revise(&mut object, input["replicas"].as_i64()?);
        Some((expect["object"].clone(), object))
    });
}

#[test]
fn retained_fields() {
    compare("go-tables/native.Retain.json", |input, expect| {
        if expect["error"] == true {
            return None;
        }
        let ours = interpret::retain(named(input, "desired"), &named(input, "observed"));
        Some((expect["object"].clone(), like(&expect["object"], ours)))
    });
}

#[test]
fn health() {
    compare("go-tables/native.InterpretHealth.json", |input, expect| {
        let ours = interpret::health(&named(input, "object"));
        Some((json!([expect["healthy"]]), json!([ours == Health::Healthy])))
    });
}

/// A status that Karmada refuses is one that we do not collect, or collect without the generation of the
/// template. Some tests change the object after the vectors were taken; those contradict one another.
#[test]
fn collected_status() {
    compare("go-tables/native.ReflectStatus.json", |input, expect| {
        let object = named(input, "object");
        let changed = object["status"].is_object() && expect["status"].is_null();
        if expect["error"] == true || changed && input["kind"] != "Service" {
            let _ = interpret::reflect(&object);
            return None;
        }
        Some((json!([expect["status"]]), json!([interpret::reflect(&object)])))
    });
}

fn items(input: &Value) -> Vec<Item> {
    let item = |item: &Value| Item {
        cluster: text(&item["clusterName"]).to_owned(),
        status: item.get("status").filter(|status| !status.is_null()).cloned(),
        health: Health::parse(text(&item["health"])),
    };
    input["statusItems"]
        .as_array()
        .into_iter()
        .flatten()
        .map(item)
        .collect()
}

/// `null` and an absent field mean the same.
fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            let fields = std::mem::take(map)
                .into_iter()
                .filter(|(_, field)| !field.is_null());
            *map = fields.map(|(name, field)| (name, without_nulls(field))).collect();
        }
        Value::Array(items) => *items = std::mem::take(items).into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// Times of conditions are Karmada's clock, and not compared.
fn without_times(mut status: Value) -> Value {
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        for field in ["lastProbeTime", "lastTransitionTime"] {
            condition[field] = Value::Null;
        }
    }
    without_nulls(status)
}

#[test]
fn aggregated_status() {
    compare("go-tables/native.AggregateStatus.json", |input, expect| {
        let object = named(input, "object");
        let ours = interpret::aggregate(&object, &items(input)).unwrap_or_else(|| object["status"].clone());
        Some((
            without_times(expect["object"]["status"].clone()),
            without_times(ours),
        ))
    });
    compare(
        "go-tables/status-helpers.ParsingJobStatus.json",
        |input, expect| {
            let input = json!({ "kind": "Job", "object": input["job"], "statusItems": input["statusItems"] });
            let mut ours = interpret::aggregate(&named(&input, "object"), &items(&input)).unwrap();
            // The upstream test looks at neither.
            for field in ["startTime", "completionTime"] {
                ours[field] = Value::Null;
            }
            Some((without_times(expect["status"].clone()), without_times(ours)))
        },
    );
}

/// Objects that are named by labels are left to the kind that has them.
#[test]
fn dependencies() {
    let sorted = |dependencies: Vec<[String; 4]>| {
        let mut dependencies = dependencies;
        dependencies.sort();
        json!(dependencies)
    };
    let expected = |expect: &Value| {
        let dependencies = expect["dependencies"].as_array().into_iter().flatten();
        let named =
            dependencies.filter(|dependency| dependency.get("labelSelector").is_none_or(Value::is_null));
        let fields = ["apiVersion", "kind", "namespace", "name"];
        sorted(
            named
                .map(|dependency| fields.map(|field| text(&dependency[field]).to_owned()))
                .collect(),
        )
    };
    let ours = |object: &Value| {
        let dependencies = interpret::dependencies(object).into_iter();
        sorted(
            dependencies
                .map(|found| [found.api_version, found.kind, found.namespace, found.name])
                .collect(),
        )
    };
    compare("go-tables/native.GetDependencies.json", |input, expect| {
        Some((expected(expect), ours(&named(input, "object"))))
    });
    compare(
        "go-tables/status-helpers.GetDependenciesFromPodTemplate.json",
        |input, expect| Some((expected(expect), ours(&input["pod"]))),
    );
    for (function, kind) in [
        ("getSecretNames", "Secret"),
        ("getConfigMapNames", "ConfigMap"),
        ("getPVCNames", "PersistentVolumeClaim"),
    ] {
        compare(
            &format!("go-tables/status-helpers.{function}.json"),
            |input, expect| {
                let mut names: Vec<&str> = expect["names"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect();
                names.sort_unstable();
                let found = interpret::dependencies(&input["pod"])
                    .into_iter()
                    .filter(|found| found.kind == kind);
                Some((
                    json!(names),
                    json!(found.map(|found| found.name).collect::<Vec<_>>()),
                ))
            },
        );
    }
}

#[test]
fn what_is_never_sent() {
    compare("go-tables/native.RemoveIrrelevantFields.json", |input, expect| {
        let mut object = input["object"].clone();
        interpret::prune(&mut object);
        Some((expect["object"].clone(), object))
    });
}

#[test]
fn addresses_of_load_balancers() {
    for (function, kind) in [("Service", "Service"), ("Ingress", "Ingress")] {
        let file = format!("go-tables/status-helpers.DedupeAndSort{function}LoadBalancerIngress.json");
        compare(&file, |input, expect| {
            let object = json!({ "kind": kind, "object": { "spec": { "type": "LoadBalancer" } } });
            let status = json!({ "loadBalancer": { "ingress": input["ingress"] } });
            let item = Item {
                cluster: "a".to_owned(),
                status: Some(status),
                health: Health::Healthy,
            };
            let ours = interpret::aggregate(&named(&object, "object"), &[item]).unwrap();
            Some((
                json!([expect["ingress"]]),
                json!([ours["loadBalancer"]["ingress"]]),
            ))
        });
    }
}
