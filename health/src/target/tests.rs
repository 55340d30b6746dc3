use super::*;
use crate::StatusRange;

fn target() -> Target {
    Target {
        cluster: "eu-north-1".into(),
        path: Path::Traffic,
        family: Family::V4,
        check: Check::Http {
            url: "http://127.0.1.1:8000/healthz".into(),
            host: None,
            expect: StatusRange::default(),
        },
        detection: None,
    }
}

#[test]
fn the_id_is_the_same_in_every_process() {
    assert_eq!(target().id().to_string(), target().id().to_string());
    assert_eq!(
        target().id(),
        TargetId(0x89af_59ee_1ed7_c422),
        "a changed hash splits a fleet in upgrade"
    );
}

#[test]
fn every_field_changes_the_id() {
    let base = target();
    let mut others = vec![
        Target {
            cluster: "eu-north-2".into(),
            ..base.clone()
        },
        Target {
            path: Path::Control,
            ..base.clone()
        },
        Target {
            family: Family::V6,
            ..base.clone()
        },
        Target {
            check: Check::Tcp {
                address: ([127, 0, 1, 1], 8000).into(),
            },
            ..base.clone()
        },
    ];
    let Check::Http { url, .. } = &base.check else {
        unreachable!()
    };
    let url = url.clone();
    others.push(Target {
        check: Check::Http {
            url: url.clone(),
            host: Some("a".into()),
            expect: StatusRange::default(),
        },
        ..base.clone()
    });
    others.push(Target {
        check: Check::Http {
            url,
            host: None,
            expect: "200".parse().unwrap(),
        },
        ..base.clone()
    });
    let mut ids: Vec<TargetId> = others.iter().map(Target::id).collect();
    ids.push(base.id());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}

#[test]
fn a_bad_check_is_named_with_its_target() {
    let bad = Target {
        check: Check::Http {
            url: "ftp://x/".into(),
            host: None,
            expect: StatusRange::default(),
        },
        ..target()
    };
    assert_eq!(
        bad.parse().unwrap_err().to_string(),
        "target eu-north-1/traffic/ipv4: url \"ftp://x/\": the scheme is not http; \
         allowed is http://HOST[:PORT]/PATH"
    );
}

#[test]
fn an_override_is_no_part_of_the_id() {
    let own = Target {
        detection: Some(Box::default()),
        ..target()
    };
    assert_eq!(own.id(), target().id());
}

#[test]
fn a_target_whose_override_cannot_be_goes_without_it() {
    use serde_json::json;
    let with = |cluster: &str, detection: serde_json::Value| {
        json!({
            "cluster": cluster, "path": "traffic", "family": "ipv4", "detection": detection,
            "check": {"kind": "tcp", "address": "192.0.2.1:443"},
        })
    };
    let raw = [
        with("a", json!({"deadMisses": 9})),
        with("b", json!(null)),
        with("c", json!({"minFresh": 1})),
        with("d", json!({"intervall": 1})),
        with("e", json!({"deadMisses": 2})),
    ];
    let selection = Selection::of_raw(raw, &Profile::fast(), &[]);
    assert_eq!(selection.errors, []);
    let own: Vec<bool> = selection.targets.iter().map(|t| t.detection.is_some()).collect();
    assert_eq!(own, [true, false, false, false, false]);
    let wanted = [
        "target c/traffic/ipv4: detection: profile field minFresh is the fleet's alone: a cluster may override preset, ",
        "target d/traffic/ipv4: detection: unknown field `intervall`, expected one of `preset`, `intervalMs`",
        "target e/traffic/ipv4: detection: profile field timeoutMaxMs is 300: it must be at most 200, deadMisses x intervalMs",
    ];
    assert_eq!(
        selection.overrides.len(),
        wanted.len(),
        "{:?}",
        selection.overrides
    );
    for (error, wanted) in selection.overrides.iter().zip(wanted) {
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
    let again = serde_json::to_value(&selection.targets).unwrap();
    assert_eq!(again[0]["detection"], json!({"deadMisses": 9}));
    assert!(again[1].get("detection").is_none());
}

#[test]
fn a_path_has_one_check() {
    assert_eq!(
        check_targets(&[
            target(),
            Target {
                path: Path::Control,
                ..target()
            }
        ]),
        Ok(())
    );
    let twice = check_targets(&[target(), target()]).unwrap_err().to_string();
    assert!(
        twice.contains("eu-north-1/traffic/ipv4 is given twice"),
        "{twice}"
    );
}

#[test]
fn one_bad_target_takes_no_other_away() {
    use serde_json::json;
    let good = |cluster| {
        json!({"cluster": cluster, "path": "traffic", "family": "ipv4",
            "check": {"kind": "tcp", "address": "127.0.0.1:1"}})
    };
    let with = |check| json!({"cluster": "b", "path": "control", "family": "ipv4", "check": check});
    let https = "https://127.0.0.1/readyz";
    let raw = [
        good("a"),
        with(json!({"kind": "carrier-pigeon"})),
        with(json!({"kind": "http", "url": "nowhere"})),
        with(json!({"kind": "readyz", "url": https})),
        with(json!({"kind": "readyz", "url": https, "tls": {"roots": {"file": "ca.pem"}}})),
        with(json!({"kind": "readyz", "url": https, "tls": {"insecure": true}})),
        json!({"path": "traffic"}),
        good("c"),
        good("a"),
    ];
    let selection = Selection::of_raw(raw, &Profile::fast(), &[]);
    let names: Vec<&str> = selection.targets.iter().map(|t| t.cluster.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    let wanted = [
        "target b/control/ipv4: check.kind: unknown variant `carrier-pigeon`, expected one of `http`",
        "target b/control/ipv4: url \"nowhere\": the scheme is not http; allowed is",
        "target b/control/ipv4: tls.roots: missing",
        "target b/control/ipv4: tls.roots.file \"ca.pem\": allowed is the absolute path",
        "target b/control/ipv4: check: unknown field `insecure`",
        "target number 7: missing field `cluster`",
        "target a/traffic/ipv4 is given twice",
    ];
    assert_eq!(selection.errors.len(), wanted.len(), "{:?}", selection.errors);
    for (error, wanted) in selection.errors.iter().zip(wanted) {
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
    assert_eq!(
        Selection::of(selection.targets.clone()).targets,
        selection.targets
    );
}

/// What was probed before a mistake is probed after it: the list may mean each target that it has no more.
#[test]
fn an_entry_that_cannot_be_told_from_others_takes_no_target_away() {
    use serde_json::json;
    let with = |name: &str, cluster: &str, port: u16| {
        json!({name: cluster, "path": "traffic", "family": "ipv4",
            "check": {"kind": "tcp", "address": format!("192.0.2.1:{port}")}})
    };
    let good = |cluster, port| with("cluster", cluster, port);
    let select = |raw: Vec<serde_json::Value>, held: &[Target]| {
        let selection = Selection::of_raw(raw, &Profile::fast(), held);
        let mut targets = selection.targets;
        targets.sort();
        (targets, selection.errors.len())
    };
    let (held, _) = select(vec![good("a", 1), good("b", 1)], &[]);
    let other_path = json!({"path": "control"});
    for (raw, expected) in [
        // Without a name it may be either, and is not the one that is there.
        (vec![good("a", 1), with("clutser", "b", 1)], &held[..]),
        (vec![good("a", 1), with("cluster", "", 1)], &held),
        (vec![json!(7)], &held),
        (vec![good("a", 1), other_path], &held[..1]),
        // Of two, neither, but what was there.
        (vec![good("a", 2), good("a", 1), good("b", 1)], &held),
        (vec![good("a", 2), good("a", 3), good("b", 1)], &held),
    ] {
        assert_eq!(select(raw.clone(), &held), (expected.to_vec(), 1), "{raw:?}");
    }
    // Where nothing was held the first of two is taken; and no mistake, nothing kept.
    let (two, _) = select(vec![good("c", 2), good("c", 3)], &held);
    assert_eq!(two, select(vec![good("c", 2)], &[]).0);
    assert_eq!(select(Vec::new(), &held), (Vec::new(), 0));
}

#[test]
fn yaml_words_are_those_of_the_documentation() {
    let json = serde_json::to_value(target()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "cluster": "eu-north-1", "path": "traffic", "family": "ipv4",
            "check": {"kind": "http", "url": "http://127.0.1.1:8000/healthz", "expect": "200-399"},
        })
    );
    assert_eq!(serde_json::from_value::<Target>(json).unwrap(), target());
}
