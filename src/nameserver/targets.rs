//! From the clusters' checks to probe targets. Pure.

use lifeboat_health::{Check, Family, Path, Profile, ProfilePatch, Selection, Target, TargetError};

use super::{config::ClusterEntry, entries};

/// What is probed under the profile `fleet`, and what is wrong with checks. A check at fault costs no other cluster anything, and
/// changes nothing: its cluster keeps the targets, and the override of the profile, that it had among `held`.
pub(super) fn targets<'a>(
    clusters: impl IntoIterator<Item = &'a ClusterEntry>,
    fleet: &Profile,
    held: &[Target],
) -> (Vec<Target>, Vec<String>) {
    let mut problems = Vec::new();
    let all = clusters.into_iter().flat_map(|cluster| {
        let held: Vec<Target> = held
            .iter()
            .filter(|target| target.cluster == cluster.name)
            .cloned()
            .collect();
        let (targets, told) = of(cluster, fleet, &held);
        problems.extend(
            told.iter()
                .map(|told| format!("cluster {}: {told}", cluster.name)),
        );
        targets
    });
    let Selection { targets, errors, .. } = Selection::of(all.collect::<Vec<_>>());
    problems.extend(errors.iter().map(ToString::to_string));
    problems.sort();
    problems.dedup();
    (targets, problems)
}

/// One cluster's; `held` are its own.
fn of(cluster: &ClusterEntry, fleet: &Profile, held: &[Target]) -> (Vec<Target>, Vec<String>) {
    let mut problems = Vec::new();
    let detection = detection(cluster, fleet).unwrap_or_else(|told| {
        problems.push(format!("detection: {told}"));
        held.first().and_then(|target| target.detection.clone())
    });
    let mistakes = problems.len();
    let mut asked = Vec::new();
    for (index, check) in cluster.checks.iter().enumerate() {
        let check: Check = match entries::read(check) {
            Ok(check) => check,
            Err(told) => {
                problems.push(format!("checks[{index}]: {told}"));
                continue;
            }
        };
        let families = check
            .family()
            .map_or_else(|| families(cluster), |family| vec![family]);
        for family in families {
            let target = Target {
                cluster: cluster.name.clone(),
                path: Path::Traffic,
                family,
                check: check.clone(),
                detection: detection.clone(),
            };
            if let Err(error) = target.parse() {
                problems.push(format!("checks[{index}]: {}", cause(&error)));
            } else if asked.iter().any(|other: &Target| other.family == family) {
                problems.push(format!(
                    "checks[{index}]: is a second check of {family}; a cluster has one of each address family"
                ));
            } else {
                asked.push(target);
            }
        }
    }
    if problems.len() > mistakes && !held.is_empty() {
        let kept = held.iter().map(|target| Target {
            detection: detection.clone(),
            ..target.clone()
        });
        return (kept.collect(), problems);
    }
    (asked, problems)
}

/// # Errors
/// The field and what is allowed.
fn detection(cluster: &ClusterEntry, fleet: &Profile) -> Result<Option<Box<ProfilePatch>>, String> {
    let Some(given) = &cluster.detection else {
        return Ok(None);
    };
    let patch: ProfilePatch = entries::read(given)?;
    fleet.for_cluster(&patch).map_err(|error| error.to_string())?;
    Ok(Some(Box::new(patch)))
}

/// Without the target's name, which stands before it.
fn cause(error: &TargetError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
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
        let (targets, problems) = targets([&both, &one], &Profile::single(), &[]);
        assert_eq!(problems, Vec::<String>::new());
        let told: Vec<String> = targets
            .iter()
            .map(|target| format!("{} {}", target.cluster, target.family))
            .collect();
        assert_eq!(told, ["a ipv4", "a ipv6", "b ipv6"]);
        assert_eq!(unwatched(&both, &targets), None);
    }

    #[test]
    fn a_mistake_in_one_check_costs_no_other_and_changes_nothing() {
        let with = |checks: &str| {
            cluster(&format!(
                "{{name: a, addresses: [192.0.2.1], checks: [{checks}]}}"
            ))
        };
        let good = "{kind: tcp, address: '192.0.2.1:1'}";
        let profile = Profile::single();
        let (held, problems) = targets([&with(good)], &profile, &[]);
        assert_eq!((held.len(), problems.len()), (1, 0), "{problems:?}");
        for (mistake, told) in [
            ("{kind: pigeon}", ["checks[1]", "pigeon"]),
            ("{kind: tcp, address: '192.0.2.1:0'}", ["checks[1]", "port 0"]),
            (
                "{kind: tcp, address: '192.0.2.1:2'}",
                ["checks[1]", "second check of ipv4"],
            ),
            ("7", ["checks[1]", "7"]),
        ] {
            let both = with(&format!("{good}, {mistake}"));
            let (at_start, problems) = targets([&both], &profile, &[]);
            assert_eq!(at_start, held, "{mistake}");
            let [problem] = &problems[..] else {
                panic!("{mistake}: {problems:?}")
            };
            assert!(
                problem.starts_with("cluster a: ") && told.iter().all(|part| problem.contains(part)),
                "{problem}"
            );
            let (alone, _) = targets([&with(mistake)], &profile, &held);
            if !told[1].contains("second") {
                assert_eq!(alone, held, "{mistake}: what was probed before goes on");
            }
        }
        let (none, _) = targets([&with("{kind: pigeon}")], &profile, &[]);
        assert_eq!(none, []);
        let (none, _) = targets([&with("")], &profile, &held);
        assert_eq!(none, [], "no check is no mistake");
    }

    #[test]
    fn a_bad_override_leaves_the_one_before_in_force() {
        let with = |detection: &str| {
            cluster(&format!(
                "{{name: a, addresses: [192.0.2.1], checks: [{{kind: tcp, address: '192.0.2.1:1'}}], detection: {{{detection}}}}}"
            ))
        };
        let profile = Profile::single();
        let (held, problems) = targets([&with("deadMisses: 12")], &profile, &[]);
        assert_eq!(problems, Vec::<String>::new());
        let (after, problems) = targets([&with("deadMisses: 0")], &profile, &held);
        assert_eq!(after, held);
        assert!(
            problems[0].contains("detection") && problems[0].contains("deadMisses"),
            "{problems:?}"
        );
    }

    #[test]
    fn addresses_of_a_family_that_nobody_probes_are_told() {
        let half = cluster(
            "{name: a, addresses: [192.0.2.1, '2001:db8::1'], checks: [{kind: tcp, address: '192.0.2.1:1'}]}",
        );
        let (targets, _) = targets([&half], &Profile::single(), &[]);
        assert!(unwatched(&half, &targets).unwrap().contains("ipv6"));
        let none = cluster("{name: a, addresses: [192.0.2.1]}");
        assert_eq!(unwatched(&none, &[]), None);
    }
}
