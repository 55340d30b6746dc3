//! From the clusters' checks to probe targets. Pure.

use lifeboat_health::{Family, Path, Profile, Selection, Target};

use super::config::ClusterEntry;

/// What is probed under the profile `fleet`, and what is wrong with checks; a check at fault costs no other.
pub(super) fn targets(clusters: &[ClusterEntry], fleet: &Profile) -> (Vec<Target>, Vec<String>) {
    let mut problems = Vec::new();
    let all = clusters.iter().flat_map(|cluster| {
        let each = cluster.checks.iter();
        each.flat_map(|check| {
            check
                .family()
                .map_or_else(|| families(cluster), |family| vec![family])
                .into_iter()
                .map(move |family| (check, family))
        })
        .map(|(check, family)| Target {
            cluster: cluster.name.clone(),
            path: Path::Traffic,
            family,
            check: check.clone(),
            detection: cluster.detection.clone(),
        })
    });
    let all = all.map(|mut target| {
        if let Err(error) = target.own_profile(fleet) {
            problems.push(error.to_string());
            target.detection = None;
        }
        target
    });
    let Selection { targets, errors, .. } = Selection::of(all.collect::<Vec<_>>());
    problems.extend(errors.iter().map(ToString::to_string));
    problems.sort();
    problems.dedup();
    (targets, problems)
}

/// What a check by host name, or by something else without an address, stands for: the families that the cluster has.
fn families(cluster: &ClusterEntry) -> Vec<Family> {
    let has = |family| {
        cluster
            .addresses
            .iter()
            .any(|address| Family::of(*address) == family)
    };
    let found: Vec<Family> = [Family::V4, Family::V6]
        .into_iter()
        .filter(|family| has(*family))
        .collect();
    if found.is_empty() { vec![Family::V4] } else { found }
}

/// What is served whatever happens though the cluster is probed: its addresses of a family that no check has.
pub(super) fn unwatched(cluster: &ClusterEntry, targets: &[Target]) -> Option<String> {
    let probed = |family| {
        targets
            .iter()
            .any(|target| target.cluster == cluster.name && target.family == family)
    };
    let missing = families(cluster).into_iter().find(|family| !probed(*family))?;
    (!cluster.checks.is_empty() && !cluster.addresses.is_empty()).then(|| {
        format!(
            "cluster {}: has {missing} addresses and no {missing} check: these are answered whatever happens",
            cluster.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> ClusterEntry {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_check_by_name_stands_for_each_family_that_the_cluster_has() {
        let both = cluster(
            "{name: a, addresses: [192.0.2.1, '2001:db8::1'], checks: [{kind: http, url: 'http://a.example/'}]}",
        );
        let one = cluster(
            "{name: b, addresses: ['2001:db8::2'], checks: [{kind: http, url: 'http://b.example/'}]}",
        );
        let (targets, problems) = targets(&[both.clone(), one], &Profile::single());
        assert_eq!(problems, Vec::<String>::new());
        let told: Vec<String> = targets
            .iter()
            .map(|target| format!("{} {}", target.cluster, target.family))
            .collect();
        assert_eq!(told, ["a ipv4", "a ipv6", "b ipv6"]);
        assert_eq!(unwatched(&both, &targets), None);
    }

    #[test]
    fn a_mistake_in_one_check_costs_no_other() {
        let bad = cluster(
            "{name: a, addresses: [192.0.2.1], checks: [{kind: tcp, address: '192.0.2.1:0'}, {kind: tcp, address: '192.0.2.1:1'}, {kind: tcp, address: '192.0.2.1:2'}]}",
        );
        let (found, problems) = targets(&[bad], &Profile::single());
        assert_eq!(found.len(), 1);
        let [twice, port] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(
            twice.contains("given twice") && port.contains("port 0"),
            "{problems:?}"
        );
    }

    #[test]
    fn addresses_of_a_family_that_nobody_probes_are_told() {
        let half = cluster(
            "{name: a, addresses: [192.0.2.1, '2001:db8::1'], checks: [{kind: tcp, address: '192.0.2.1:1'}]}",
        );
        let (targets, _) = targets(std::slice::from_ref(&half), &Profile::single());
        assert!(unwatched(&half, &targets).unwrap().contains("ipv6"));
        let none = cluster("{name: a, addresses: [192.0.2.1]}");
        assert_eq!(unwatched(&none, &[]), None);
    }
}
