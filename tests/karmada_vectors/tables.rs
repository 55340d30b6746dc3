//! The cases of Karmada's own unit tests for scheduling.

use std::collections::BTreeMap;

use lifeboat::api::policy::{ClusterAffinity, Placement};
use lifeboat::api::{ResourceBindingSpec, Taint, TargetCluster, Toleration};
use lifeboat::schedule::{
    Assignment, Candidate, ClusterView, Group, Mode, Request, Resources, allocate_seats, assign_replicas,
    cluster_matches, dispense, duplicate, filter, group_score, matching_tolerations, max_replicas, score,
    select_clusters, select_groups, strategy_of, tolerates,
};
use serde_json::{Value, json};

use super::selection::cluster;
use super::{compare, expected_targets, list, number, read, replicas, targets, text, tie_breaker};

/// A binding's specification; Karmada's cases leave most of it out.
fn binding(value: &Value) -> ResourceBindingSpec {
    let mut value = value.clone();
    for task in value["gracefulEvictionTasks"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        task["reason"] = json!("Test");
    }
    read(&value)
}

fn named(value: &Value) -> ClusterView {
    let mut value = value.clone();
    if value["metadata"]["name"].is_null() {
        value["metadata"]["name"] = json!("");
    }
    cluster(&value)
}

fn refused(input: &Value) -> Option<&'static str> {
    let spec = binding(&input["spec"]);
    let view = named(&input["cluster"]);
    let placement = spec.placement.clone().unwrap_or_default();
    let requirements = Resources::of_replica(spec.replica_requirements.as_ref());
    let evicting: Vec<String> = spec
        .graceful_eviction_tasks
        .iter()
        .map(|task| task.from_cluster.clone())
        .collect();
    let observed = text(&input["status"]["schedulerObservingAffinityName"]);
    let request = Request {
        uid: "",
        replicas: spec.replicas,
        requirements: &requirements,
        gvk: (&spec.resource.api_version, &spec.resource.kind),
        placement: &placement,
        previous: &spec.clusters,
        evicting: &evicting,
        fresh: false,
        observed_affinity: None,
        clusters: &[],
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let term = placement
        .cluster_affinities
        .iter()
        .find(|term| term.affinity_name == observed);
    let with_api = ClusterView {
        api_enablements: serde_json::from_value(json!([{
            "groupVersion": spec.resource.api_version,
            "resources": [{ "kind": spec.resource.kind, "name": "" }],
        }]))
        .unwrap(),
        ..view.clone()
    };
    let api = input["cluster"]["status"]["apiEnablements"].is_array();
    filter(&request, term, if api { &view } else { &with_api }).map(|(name, _)| name)
}

fn plugin(file: &str, name: &str) {
    compare(file, |input, expect| {
        let passes = expect["code"] == "Success";
        Some((json!(passes), json!(refused(input) != Some(name))))
    });
}

#[test]
fn filters() {
    plugin("go-tables/plugins.tainttoleration.Filter.json", "TaintToleration");
    plugin("go-tables/plugins.clusteraffinity.Filter.json", "ClusterAffinity");
    plugin(
        "go-tables/plugins.spreadconstraint.Filter.json",
        "SpreadConstraint",
    );
    plugin("go-tables/plugins.clustereviction.Filter.json", "ClusterEviction");
}

#[test]
fn api_enablement() {
    compare("go-tables/plugins.apienablement.Filter.json", |input, expect| {
        let mut input = input.clone();
        if input["cluster"]["status"]["apiEnablements"].is_null() {
            input["cluster"]["status"] = json!({ "apiEnablements": [] });
        }
        Some((
            json!(expect["code"] == "Success"),
            json!(refused(&input) != Some("APIEnablement")),
        ))
    });
}

#[test]
fn locality() {
    compare("go-tables/plugins.clusterlocality.Score.json", |input, expect| {
        let name = text(&input["cluster"]["metadata"]["name"]);
        Some((
            expect["score"].clone(),
            json!(score(name, &binding(&input["spec"]).clusters)),
        ))
    });
}

fn candidates(value: &Value) -> Vec<Candidate> {
    list(value)
        .iter()
        .map(|entry| Candidate {
            name: text(&entry["name"]).to_owned(),
            region: text(&entry["cluster"]["spec"]["region"]).to_owned(),
            score: number(&entry["score"]),
            allocatable: replicas(&entry["allocatableReplicas"]),
            available: number(&entry["availableReplicas"]),
            overflow_order: usize::try_from(number(&entry["overflowOrder"])).unwrap(),
        })
        .collect()
}

fn assigned(
    candidates_of: &Value,
    spec: &ResourceBindingSpec,
    workload: bool,
) -> Result<Vec<TargetCluster>, ()> {
    let candidates = candidates(candidates_of);
    if candidates.is_empty() {
        return Err(());
    }
    let views: Vec<ClusterView> = list(candidates_of)
        .iter()
        .map(|entry| named(&entry["cluster"]))
        .collect();
    let views: Vec<&ClusterView> = views.iter().collect();
    let placement = spec.placement.clone().unwrap_or_default();
    let scheduling = placement.replica_scheduling.as_ref();
    let weights = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    let assignment = Assignment {
        uid: &spec.resource.uid,
        replicas: spec.replicas,
        workload,
        strategy: strategy_of(&placement),
        mode: Mode::Steady,
        previous: &spec.clusters,
        rules: weights.map(|weights| weights.static_weight_list.as_slice()),
        overflow: placement
            .cluster_affinities
            .iter()
            .any(|term| !term.overflow_affinities.is_empty()),
    };
    assign_replicas(&assignment, &candidates, &views).map_err(|_| ())
}

#[test]
fn assignments() {
    for file in ["AssignReplicas", "distributionOfReplicas"] {
        compare(
            &format!("go-tables/scheduler-core.{file}.json"),
            |input, expect| {
                if input["spec"].to_string().contains("UnsupportedPreference") {
                    // The schema refuses it.
                    return None;
                }
                let spec = binding(&input["spec"]);
                let workload = spec.replicas > 0 || spec.replica_requirements.is_some();
                Some(match assigned(&input["candidates"], &spec, workload) {
                    Err(()) => (expect["error"].clone(), json!(true)),
                    Ok(_) if expect["error"] == true => (json!("error"), json!("no error")),
                    Ok(clusters) => (
                        expected_targets(&expect["clusters"], false),
                        targets(&clusters, false),
                    ),
                })
            },
        );
    }
    compare(
        "go-tables/scheduler-core.assignByDuplicatedStrategy.json",
        |input, expect| {
            let spec = binding(&input["spec"]);
            let ours = duplicate(spec.replicas, &candidates(&input["candidates"]));
            Some((expected_targets(&expect["clusters"], true), targets(&ours, true)))
        },
    );
}

#[test]
fn spreading() {
    compare("go-tables/spread.selectGroups.json", |input, expect| {
        let groups: Vec<Group> = list(&input["groups"])
            .iter()
            .map(|group| Group {
                name: text(&group["name"]).to_owned(),
                value: number(&group["value"]),
                weight: number(&group["weight"]),
            })
            .collect();
        let bound = |field: &str| number(&input[field]);
        let ours = select_groups(
            &groups,
            bound("minConstraint"),
            bound("maxConstraint"),
            bound("target"),
        );
        Some((json!(list(&expect["groups"])), json!(ours)))
    });
    compare(
        "go-tables/spread.calcGroupScoreForDuplicate.json",
        |input, expect| {
            let spec = binding(&input["spec"]);
            let members = candidates(&input["clusters"]);
            let members: Vec<&Candidate> = members.iter().collect();
            Some((
                expect["score"].clone(),
                json!(group_score(&members, spec.replicas, true, 0, 0)),
            ))
        },
    );
    compare("go-tables/spread.SelectBestClusters.json", |input, expect| {
        let regions_given = input["groupClustersInfo"]["regions"]
            .as_object()
            .is_some_and(|map| !map.is_empty());
        let placement: Placement = read(&input["placement"]);
        if regions_given {
            return None;
        }
        let candidates = candidates(&input["groupClustersInfo"]["clusters"]);
        let ours = select_clusters(&placement, &candidates, replicas(&input["needReplicas"]));
        let names = |chosen: &[Candidate]| json!(chosen.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
        Some(match ours {
            Err(_) => (expect["error"].clone(), json!(true)),
            Ok(chosen) => (expect["clusters"].clone(), names(&chosen)),
        })
    });
}

#[test]
fn taints() {
    compare("go-tables/taints.GetMatchingTolerations.json", |input, expect| {
        let taints: Vec<Taint> = read(&input["taints"]);
        let tolerations: Vec<Toleration> = read(&input["tolerations"]);
        let ours = matching_tolerations(&taints, &tolerations);
        let theirs: Vec<Toleration> = read(&expect["tolerations"]);
        Some((
            json!([expect["allTolerated"], theirs]),
            json!([ours.is_some(), ours.unwrap_or_default()]),
        ))
    });
    let taint = Taint {
        key: "a".into(),
        effect: "NoExecute".into(),
        ..Taint::default()
    };
    let any = Toleration {
        operator: Some("Exists".into()),
        ..Toleration::default()
    };
    assert!(tolerates(&any, &taint));
}

#[test]
fn estimates() {
    compare(
        "go-tables/estimator.maxAvailableReplicas-single.json",
        |input, expect| {
            if !list(&input["assumedWorkloads"]).is_empty() {
                return None;
            }
            let view = named(&input["cluster"]);
            let requirements = read(&input["replicaRequirements"]);
            let ours = max_replicas(&view.free, &Resources::of_replica(Some(&requirements)));
            Some((expect["replicas"].clone(), json!(ours)))
        },
    );
}

#[test]
fn affinities() {
    compare("go-tables/selector.ClusterMatches.json", |input, expect| {
        let affinity: ClusterAffinity = read(&input["affinity"]);
        Some((
            expect["matches"].clone(),
            json!(cluster_matches(&named(&input["cluster"]), &affinity)),
        ))
    });
}

#[test]
fn seats() {
    compare("go-tables/webster.AllocateWebsterSeats.json", |input, expect| {
        let votes: BTreeMap<String, i64> = read(&input["partyVotes"]);
        let initial: BTreeMap<String, i64> = read(&input["initialAssignments"]);
        let ours = allocate_seats(number(&input["newSeats"]), &votes, &initial, tie_breaker(input));
        let ours: Vec<Value> = ours
            .iter()
            .map(|party| json!({ "name": party.name, "seats": party.seats, "votes": party.votes }))
            .collect();
        let theirs: Vec<Value> = list(&expect["parties"]).to_vec();
        Some((json!(theirs), json!(ours)))
    });
    compare("go-tables/dispenser.AllocateByWeight.json", |input, expect| {
        let weights: Vec<(String, i64)> = list(&input["weights"])
            .iter()
            .map(|entry| (text(&entry["cluster"]).to_owned(), number(&entry["weight"])))
            .collect();
        let initial: Vec<TargetCluster> = read(&input["initialAssignment"]);
        let uid = text(&input["bindingUID"]);
        let (ours, _) = dispense(replicas(&input["newReplicas"]), &weights, &initial, uid);
        Some((
            expected_targets(&expect["clusters"], false),
            targets(&ours, false),
        ))
    });
}
