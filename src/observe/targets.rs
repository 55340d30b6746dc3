//! From Cluster objects to probe targets. Pure.

mod annotated;

use std::{collections::BTreeMap, sync::Arc};

use lifeboat_health::{Check, Family, Path, Profile, ProfilePatch, StatusRange, Target, check_targets};
use serde_json::Value;

use crate::{
    steer::compile::{ClusterEdge, input::INGRESS_ADDRESSES},
    store::{annotation, name, pointer_str},
};

/// Annotation on a Cluster: how its ingress is probed, as a check in JSON or YAML, or a list of them, at most one an
/// address family; none that uses programs or files of the observer. A check of a host name may say the `family`: `ipv4` (the default), `ipv6` or
/// `both`, each with a verdict of its own. Without it: a TCP handshake with port 443 of the first ingress address of each family.
pub const TRAFFIC_CHECK: &str = "lifeboat.dev/traffic-check";
/// The same for its API server. Without it: `GET /readyz` of `spec.apiEndpoint` where that is plain HTTP, a TCP
/// handshake where it is HTTPS at an address.
pub const CONTROL_CHECK: &str = "lifeboat.dev/control-check";
/// Annotation on a Cluster: its override of the fleet's profile, in JSON or YAML.
pub const DETECTION: &str = "lifeboat.dev/detection";

/// HTTPS, where an ingress is reached.
const INGRESS_PORT: u16 = 443;

/// The targets of all clusters, and what is wrong with their checks, by cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    pub targets: Vec<Target>,
    /// Where each cluster stands, `spec.region`; all clusters are in it.
    pub regions: BTreeMap<String, String>,
    /// Paths that are not probed, or as they were before the mistake.
    pub problems: Vec<(String, Path, String)>,
    /// What is wrong with overrides, by cluster.
    pub overrides: Vec<(String, String)>,
}

/// Why a path's check cannot be used.
enum Problem {
    /// Nothing says how it is probed.
    Nothing(String),
    /// What says it cannot be.
    Mistake(String),
}

impl Problem {
    fn told(self) -> String {
        match self {
            Problem::Nothing(told) | Problem::Mistake(told) => told,
        }
    }
}

/// In a fleet of the profile `fleet`. One cluster's mistake costs the others nothing, and a mistake changes nothing: its path
/// keeps the targets, and its cluster the override, that it had among `held`.
pub fn targets(clusters: &[Arc<Value>], fleet: &Profile, held: &[Target]) -> Targets {
    let mut found = Targets::default();
    for cluster in clusters {
        let name = name(cluster);
        let region = pointer_str(cluster, "/spec/region");
        found.regions.insert(name.to_owned(), region.to_owned());
        let before = || held.iter().filter(|target| target.cluster == name);
        let detection = detection(cluster, fleet).unwrap_or_else(|problem| {
            found.overrides.push((name.to_owned(), problem));
            before().next().and_then(|target| target.detection.clone())
        });
        for path in [Path::Traffic, Path::Control] {
            let targets = of(cluster, path).unwrap_or_else(|problem| {
                let kept = match problem {
                    Problem::Mistake(_) => before().filter(|target| target.path == path).cloned().collect(),
                    Problem::Nothing(_) => Vec::new(),
                };
                found.problems.push((name.to_owned(), path, problem.told()));
                kept
            });
            found.targets.extend(targets.into_iter().map(|target| Target {
                detection: detection.clone(),
                ..target
            }));
        }
    }
    found
}

/// The cluster's override of the profile `fleet`.
///
/// # Errors
/// Names the annotation, the field and what is allowed.
pub fn detection(cluster: &Value, fleet: &Profile) -> Result<Option<Box<ProfilePatch>>, String> {
    let Some(text) = annotation(cluster, DETECTION) else {
        return Ok(None);
    };
    let told = |problem: &dyn std::fmt::Display| format!("metadata.annotations[{DETECTION}]: {problem}");
    let patch: ProfilePatch = crate::yaml::read(text).map_err(|error| told(&error))?;
    fleet.for_cluster(&patch).map_err(|error| told(&error))?;
    Ok(Some(Box::new(patch)))
}

/// Why one path of a cluster has no target, or the one that it had before a mistake.
pub fn problem(cluster: &Value, path: Path) -> Option<String> {
    of(cluster, path).err().map(Problem::told)
}

/// What is wrong with the annotation that says how a path is probed. An API server's address that cannot be probed is no
/// mistake: an observer's own file may say how.
pub fn mistake(cluster: &Value, path: Path) -> Option<String> {
    if path == Path::Control {
        annotation(cluster, CONTROL_CHECK)?;
    }
    match of(cluster, path) {
        Err(Problem::Mistake(told)) => Some(told),
        Err(Problem::Nothing(_)) | Ok(_) => None,
    }
}

fn of(cluster: &Value, path: Path) -> Result<Vec<Target>, Problem> {
    let checks = checks(cluster, path)?;
    valid(cluster, path, checks).map_err(Problem::Mistake)
}

fn valid(cluster: &Value, path: Path, checks: Vec<(Family, Check)>) -> Result<Vec<Target>, String> {
    let targets: Vec<Target> = checks
        .into_iter()
        .map(|(family, check)| Target {
            cluster: name(cluster).to_owned(),
            path,
            family,
            check,
            detection: None,
        })
        .collect();
    check_targets(&targets).map_err(|error| error.to_string())?;
    Ok(targets)
}

fn checks(cluster: &Value, path: Path) -> Result<Vec<(Family, Check)>, Problem> {
    let key = match path {
        Path::Traffic => TRAFFIC_CHECK,
        Path::Control => CONTROL_CHECK,
    };
    if let Some(text) = annotation(cluster, key) {
        let told = |problem| Problem::Mistake(format!("metadata.annotations[{key}]: {problem}"));
        return annotated::parse(text).map_err(told);
    }
    let checks = match path {
        Path::Traffic => ingress(cluster),
        Path::Control => api_server(cluster),
    };
    let with_family = |check: Check| (check.family().unwrap_or(Family::V4), check);
    Ok(checks?.into_iter().map(with_family).collect())
}

fn ingress(cluster: &Value) -> Result<Vec<Check>, Problem> {
    let edge = ClusterEdge::parse(annotation(cluster, INGRESS_ADDRESSES).unwrap_or_default());
    let addresses = edge.map_err(Problem::Mistake)?.addresses;
    let first = |family| addresses.iter().find(|address| Family::of(**address) == family);
    let checks: Vec<Check> = [Family::V4, Family::V6]
        .into_iter()
        .filter_map(first)
        .map(|address| Check::Tcp {
            address: (*address, INGRESS_PORT).into(),
        })
        .collect();
    if checks.is_empty() {
        return Err(Problem::Nothing(format!(
            "the traffic path has nothing to probe: metadata.annotations[{INGRESS_ADDRESSES}] names no address, and \
             [{TRAFFIC_CHECK}] is not set"
        )));
    }
    Ok(checks)
}

fn api_server(cluster: &Value) -> Result<Vec<Check>, Problem> {
    let endpoint = pointer_str(cluster, "/spec/apiEndpoint").trim_end_matches('/');
    let problem = |what: &str| {
        let told = format!(
            "the control path has nothing to probe: spec.apiEndpoint {endpoint:?} {what}, and metadata.annotations[{CONTROL_CHECK}] is not set"
        );
        if endpoint.is_empty() {
            Problem::Nothing(told)
        } else {
            Problem::Mistake(told)
        }
    };
    if endpoint.starts_with("http://") {
        return Ok(vec![Check::Http {
            url: format!("{endpoint}/readyz"),
            host: None,
            expect: StatusRange::default(),
        }]);
    }
    let authority = endpoint
        .strip_prefix("https://")
        .ok_or_else(|| problem("is not a URL"))?;
    let authority = authority.split('/').next().unwrap_or(authority);
    let address = authority
        .parse()
        .or_else(|_| format!("{authority}:443").parse())
        .map_err(|_| problem("has a host name"))?;
    Ok(vec![Check::Tcp { address }])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(annotations: &Value, endpoint: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": { "name": "a", "annotations": annotations }, "spec": { "apiEndpoint": endpoint },
        }))
    }

    fn read(clusters: &[Arc<Value>]) -> Targets {
        targets(clusters, &Profile::fast(), &[])
    }

    fn described(found: &Targets) -> Vec<String> {
        let describe = |target: &Target| {
            let Target {
                path, family, check, ..
            } = target;
            format!("{path} {family} {}", serde_json::to_string(check).unwrap())
        };
        found.targets.iter().map(describe).collect()
    }

    #[test]
    fn without_annotations_the_ingress_and_the_api_server_are_probed() {
        let addresses = json!({ INGRESS_ADDRESSES: "192.0.2.1, 192.0.2.2,2001:db8::1" });
        let found = read(&[cluster(&addresses, "http://192.0.2.9:6443/")]);
        assert_eq!(found.problems, Vec::new());
        assert_eq!(
            described(&found),
            [
                r#"traffic ipv4 {"kind":"tcp","address":"192.0.2.1:443"}"#,
                r#"traffic ipv6 {"kind":"tcp","address":"[2001:db8::1]:443"}"#,
                r#"control ipv4 {"kind":"http","url":"http://192.0.2.9:6443/readyz","expect":"200-399"}"#,
            ]
        );
        let found = read(&[cluster(&addresses, "https://[2001:db8::9]:6443")]);
        assert_eq!(
            described(&found)[2],
            r#"control ipv6 {"kind":"tcp","address":"[2001:db8::9]:6443"}"#
        );
    }

    #[test]
    fn annotations_say_how() {
        let check = r#"{"kind": "http", "url": "http://192.0.2.1:8000/healthz", "expect": "200"}"#;
        let found = read(&[cluster(
            &json!({ TRAFFIC_CHECK: check, CONTROL_CHECK: "[{kind: tcp, address: '192.0.2.9:6443'}]" }),
            "",
        )]);
        assert_eq!(found.problems, Vec::new());
        assert_eq!(
            described(&found),
            [
                r#"traffic ipv4 {"kind":"http","url":"http://192.0.2.1:8000/healthz","expect":"200"}"#,
                r#"control ipv4 {"kind":"tcp","address":"192.0.2.9:6443"}"#,
            ]
        );
    }

    #[test]
    fn an_annotation_neither_runs_nor_reads_anything_of_the_observer() {
        let check = |text: &str, field: &str, allowed: &str| {
            for annotation in [TRAFFIC_CHECK, CONTROL_CHECK] {
                let good = json!({ INGRESS_ADDRESSES: "192.0.2.1", annotation: text });
                let found = read(&[cluster(&good, "http://192.0.2.9:6443")]);
                assert_eq!(found.targets.len(), 1, "{text}");
                let [(_, _, told)] = &found.problems[..] else {
                    panic!("{text}: {:?}", found.problems);
                };
                let begins = format!("metadata.annotations[{annotation}]: {field} \"/");
                assert!(told.starts_with(&begins) && told.ends_with(allowed), "{told}");
                assert!(told.contains("for the observer's own configuration"), "{told}");
            }
        };
        let kinds = "every kind of check but program and heartbeat";
        check("{kind: program, command: [/bin/sh, -c, id]}", "command", kinds);
        check(
            "[{kind: tcp, address: '192.0.2.1:1'}, {kind: program, command: [/bin/id]}]",
            "command",
            kinds,
        );
        check("{kind: heartbeat, agent: a, keyFile: /etc/key}", "keyFile", kinds);
        check(
            "{kind: readyz, url: 'https://192.0.2.66', tokenFile: /run/token, tls: {roots: {pem: x}}}",
            "tokenFile",
            "readyz without tokenFile",
        );
        for start in [
            "kind: https, url: 'https://192.0.2.1/'",
            "kind: grpc, url: 'https://192.0.2.1'",
            "kind: readyz, url: 'https://192.0.2.1'",
            "kind: tls, address: '192.0.2.1:443'",
        ] {
            check(
                &format!("{{{start}, tls: {{roots: {{file: /etc/ca.pem}}}}}}"),
                "tls.roots.file",
                "tls.roots {pem: CERTIFICATES}",
            );
        }
        let inline = "-----BEGIN CERTIFICATE-----";
        let own = format!("{{kind: readyz, url: 'https://192.0.2.1', tls: {{roots: {{pem: '{inline}'}}}}}}");
        let found = read(&[cluster(&json!({ CONTROL_CHECK: own }), "")]);
        assert_eq!(found.targets.len(), 1, "{:?}", found.problems);
    }

    #[test]
    fn a_mistake_is_told_and_costs_no_other_target() {
        let wrong = json!({ TRAFFIC_CHECK: r#"{"kind": "pigeon"}"# });
        let good = cluster(
            &json!({ INGRESS_ADDRESSES: "192.0.2.1" }),
            "http://192.0.2.9:6443",
        );
        let found = read(&[cluster(&wrong, "https://api.example"), good]);
        assert_eq!(found.targets.len(), 2);
        let [(_, Path::Traffic, traffic), (_, Path::Control, control)] = &found.problems[..] else {
            panic!("{:?}", found.problems);
        };
        assert!(
            traffic.contains(TRAFFIC_CHECK) && traffic.contains("pigeon") && traffic.contains("http"),
            "{traffic}"
        );
        assert!(
            control.contains("api.example") && control.contains(CONTROL_CHECK),
            "{control}"
        );
    }

    #[test]
    fn both_families_of_a_host_name_are_two_targets() {
        let check = "{kind: http, url: 'http://eu.example/healthz', family: both}";
        let found = read(&[cluster(&json!({ TRAFFIC_CHECK: check }), "http://192.0.2.9:6443")]);
        assert_eq!(found.problems, []);
        let http = r#"{"kind":"http","url":"http://eu.example/healthz","expect":"200-399"}"#;
        assert_eq!(
            described(&found)[..2],
            [format!("traffic ipv4 {http}"), format!("traffic ipv6 {http}")]
        );
        let wrong = check.replace("both", "any");
        let found = read(&[cluster(&json!({ TRAFFIC_CHECK: wrong }), "http://192.0.2.9:6443")]);
        let [(_, Path::Traffic, told)] = &found.problems[..] else {
            panic!("{:?}", found.problems);
        };
        assert!(
            told.contains(TRAFFIC_CHECK) && told.contains("allowed are ipv4, ipv6 and both"),
            "{told}"
        );
    }

    #[test]
    fn an_override_is_of_all_targets_of_its_cluster() {
        let annotations =
            json!({ DETECTION: "{deadMisses: 9}", INGRESS_ADDRESSES: "192.0.2.1, 2001:db8::1" });
        let found = read(&[cluster(&annotations, "http://192.0.2.9:6443")]);
        assert_eq!((found.targets.len(), &found.overrides), (3, &Vec::new()));
        let nine = ProfilePatch {
            dead_misses: Some(9),
            ..ProfilePatch::default()
        };
        assert!(
            found
                .targets
                .iter()
                .all(|target| target.detection.as_deref() == Some(&nine))
        );
    }

    #[test]
    fn a_mistake_in_an_override_is_told_and_what_was_in_force_stays() {
        let with = |text: &str| {
            let annotations = json!({ DETECTION: text, INGRESS_ADDRESSES: "192.0.2.1" });
            cluster(&annotations, "http://192.0.2.9:6443")
        };
        let check = |text: &str, wanted: &[&str]| {
            let found = read(&[with(text)]);
            let [(of, told)] = &found.overrides[..] else {
                panic!("{text}: {:?}", found.overrides);
            };
            assert_eq!(of, "a");
            assert!(
                wanted.iter().chain(&[DETECTION]).all(|part| told.contains(part)),
                "{told}"
            );
            assert!(
                found.targets.len() == 2 && found.targets.iter().all(|target| target.detection.is_none())
            );
            let before = read(&[with("{deadMisses: 9}")]).targets;
            let kept = targets(&[with(text)], &Profile::fast(), &before);
            assert_eq!((&kept.targets, kept.overrides.len()), (&before, 1));
        };
        check(
            "{sendMs: 50}",
            &["sendMs is the fleet's alone", "preset, intervalMs"],
        );
        check(
            "{intervallMs: 250}",
            &["unknown field", "intervallMs", "intervalMs"],
        );
        check(
            "{intervalMs: 250}",
            &["freshMs is 500", "at least 575, the slowest interval"],
        );
        check("{intervalMs: fast}", &["fast"]);
        check("250", &[]);
    }

    #[test]
    fn a_mistake_in_a_check_changes_nothing_of_what_is_probed() {
        let with = |annotations: Value| cluster(&annotations, "http://192.0.2.9:6443");
        let good = "{kind: http, url: 'http://192.0.2.1/healthz'}";
        let before = read(&[with(json!({ TRAFFIC_CHECK: good }))]).targets;
        assert_eq!(before.len(), 2);
        let after = |annotations: Value| targets(&[with(annotations)], &Profile::fast(), &before);
        for (wrong, told) in [
            ("{kind: htp, url: 'http://192.0.2.1/healthz'}", "htp"),
            ("{kind: http, url: 'http://192.0.2.1:0/'}", "port"),
            ("{kind: program, command: [/bin/true]}", "own configuration"),
            ("[]", "empty list"),
        ] {
            let found = after(json!({ TRAFFIC_CHECK: wrong }));
            assert_eq!(found.targets, before, "{wrong}");
            let [(_, Path::Traffic, problem)] = &found.problems[..] else {
                panic!("{wrong}: {:?}", found.problems);
            };
            assert!(problem.contains(told), "{problem}");
        }
        // An override is followed meanwhile.
        let found = after(json!({ TRAFFIC_CHECK: "{}", DETECTION: "{deadMisses: 9}" }));
        assert_eq!(found.targets.len(), 2);
        assert!(found.targets.iter().all(|target| target.detection.is_some()));
        // Nothing is said of how it is probed: that is no mistake.
        assert_eq!(after(json!({})).targets, before[1..]);
        // Another cluster's targets are none of its own.
        let other = json!({ "metadata": { "name": "b", "annotations": { TRAFFIC_CHECK: "{}" } } });
        assert_eq!(targets(&[Arc::new(other)], &Profile::fast(), &before).targets, []);
    }
}
