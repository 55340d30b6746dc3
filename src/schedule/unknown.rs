//! Clusters that a placement names and that nobody has registered.

use std::collections::BTreeSet;

use crate::api::{Placement, policy::ClusterAffinity};

/// Clusters told to someone who names one that does not exist.
const KNOWN: usize = 20;

/// Each name that is in none of `known`, with the field that holds it, and then the names there are; `None` when all
/// exist. A cluster that is only excluded need not exist.
pub fn unknown_clusters(placement: &Placement, known: &BTreeSet<&str>) -> Option<String> {
    let problems: Vec<String> = selections(placement)
        .into_iter()
        .flat_map(|(field, affinity)| {
            let names = affinity.cluster_names.iter();
            names
                .filter(|name| !known.contains(name.as_str()))
                .map(move |name| format!("spec.placement.{field}.clusterNames {name:?}: no such Cluster"))
        })
        .collect();
    if problems.is_empty() {
        return None;
    }
    let mut names: Vec<String> = known.iter().take(KNOWN).map(|name| (*name).to_owned()).collect();
    match known.len().saturating_sub(KNOWN) {
        0 if names.is_empty() => names.push("none".to_owned()),
        0 => {}
        more => names.push(format!("and {more} more")),
    }
    Some(format!("{}; known: {}", problems.join("; "), names.join(", ")))
}

/// Every selection of clusters in a placement, with its field.
fn selections(placement: &Placement) -> Vec<(String, &ClusterAffinity)> {
    let mut found = Vec::new();
    if let Some(affinity) = &placement.cluster_affinity {
        found.push(("clusterAffinity".to_owned(), affinity));
    }
    for (at, term) in placement.cluster_affinities.iter().enumerate() {
        let field = format!("clusterAffinities[{at}]");
        for (tier, overflow) in term.overflow_affinities.iter().enumerate() {
            found.push((format!("{field}.overflowAffinities[{tier}]"), &overflow.affinity));
        }
        found.push((field, &term.affinity));
    }
    let scheduling = placement.replica_scheduling.as_ref();
    let weights = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    for (at, weight) in weights
        .iter()
        .flat_map(|weights| weights.static_weight_list.iter().enumerate())
    {
        let field = format!("replicaScheduling.weightPreference.staticWeightList[{at}].targetCluster");
        found.push((field, &weight.target_cluster));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_unknown_name_is_told_with_its_field() {
        fn check(placement: Value, expected: Option<&str>) {
            let placement: Placement = serde_json::from_value(placement).unwrap();
            let told = unknown_clusters(&placement, &BTreeSet::from(["a", "b"]));
            assert_eq!(told.as_deref(), expected);
        }
        let known = json!({ "clusterNames": ["a"], "exclude": ["mars"] });
        check(json!({ "clusterAffinity": known }), None);
        check(
            json!({ "clusterAffinity": { "clusterNames": ["mars", "b"] } }),
            Some(r#"spec.placement.clusterAffinity.clusterNames "mars": no such Cluster; known: a, b"#),
        );
        check(
            json!({ "clusterAffinities": [
                { "affinityName": "first", "clusterNames": ["a"] },
                { "affinityName": "second", "clusterNames": ["venus"] },
            ] }),
            Some(r#"spec.placement.clusterAffinities[1].clusterNames "venus": no such Cluster; known: a, b"#),
        );
        let weight = json!({ "targetCluster": { "clusterNames": ["mars"] }, "weight": 1 });
        check(
            json!({ "replicaScheduling": { "weightPreference": { "staticWeightList": [weight] } } }),
            Some(
                "spec.placement.replicaScheduling.weightPreference.staticWeightList[0].targetCluster.clusterNames \
                 \"mars\": no such Cluster; known: a, b",
            ),
        );
    }
}
