use std::fmt::Write as _;

use super::*;

#[test]
fn every_preset_is_valid_and_survives_yaml() {
    for preset in Preset::ALL {
        let profile = preset.profile();
        profile
            .validate()
            .unwrap_or_else(|error| panic!("{preset:?}: {error}"));
        let json = serde_json::to_value(&profile).unwrap();
        assert_eq!(serde_json::from_value::<Profile>(json).unwrap(), profile);
    }
    assert_eq!(Profile::default(), Profile::fast());
}

#[test]
fn a_preset_is_named_as_in_yaml() {
    for preset in Preset::ALL {
        assert_eq!(serde_json::to_value(preset).unwrap(), preset.to_string());
        assert_eq!(preset.to_string().parse(), Ok(preset));
    }
    assert_eq!(
        "Fast".parse::<Preset>().unwrap_err().to_string(),
        r#"preset "Fast": allowed are fast, wan, single, karmada"#
    );
}

#[test]
fn a_patch_changes_what_it_names() {
    let given = serde_json::json!({"preset": "wan", "intervalMs": 250});
    let profile: Profile = serde_json::from_value(given).unwrap();
    assert_eq!(
        profile,
        Profile {
            interval_ms: 250,
            ..Profile::wan()
        }
    );
    assert_eq!(serde_json::from_str::<Profile>("{}").unwrap(), Profile::fast());
}

#[track_caller]
fn check(given: serde_json::Value, expected: &str) {
    let message = serde_json::from_value::<Profile>(given).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn what_cannot_work_is_refused_with_the_field_and_the_bound() {
    use serde_json::json;
    check(
        json!({"intervalMs": 5}),
        "intervalMs is 5: allowed is a whole number from 20 to 60000",
    );
    check(
        json!({"intervalMs": 100.5}),
        "intervalMs is 100.5: allowed is a whole number",
    );
    check(
        json!({"intervalMs": "100"}),
        "intervalMs is \"100\": allowed is a whole number",
    );
    check(
        json!({"recoverHoldMs": -1}),
        "recoverHoldMs is -1: allowed is a whole number from 0 to 3600000",
    );
    check(
        json!({"intervalMs": 5_000_000_000_u64}),
        "intervalMs is 5000000000: allowed is a whole number from 20 to 60000",
    );
    check(
        json!({"minFresh": 2}),
        "minFresh is 2: it must be 1, where there is but one observer, or at least 3, since of two observers",
    );
    check(
        json!({"cutVotes": 4}),
        "cutVotes is 4: it must be at most 3, the greater of 2 and minFresh",
    );
    check(
        json!({"cutWaitMs": 600}),
        "cutWaitMs is 600: it must be at most 500, freshMs",
    );
    check(
        json!({"abstainHoldMs": 0}),
        "abstainHoldMs is 0: it must be at least 300, timeoutMaxMs",
    );
    check(
        json!({"flapMaxS": 300}),
        "flapMaxS is 300: it must be at least 522, more than flapHalfLifeS x log2(flapSuppress / flapRelease), or no penalty can rise above flapSuppress",
    );
    check(
        json!({"minFresh": 0}),
        "minFresh is 0: allowed is a whole number from 1 to 64",
    );
    check(
        json!({"timeoutMaxMs": 600}),
        "timeoutMaxMs is 600: it must be at most 500, deadMisses x intervalMs",
    );
    check(
        json!({"timeoutMaxMs": 50}),
        "timeoutMaxMs is 50: it must be at least 60, timeoutMinMs",
    );
    check(
        json!({"deadMisses": 2, "timeoutMaxMs": 200, "phaseTimeoutMs": 200}),
        "deadMisses is 2: it must be at least 3, suspectMisses",
    );
    check(
        json!({"hardMisses": 6}),
        "hardMisses is 6: it must be at most 5, deadMisses",
    );
    check(
        json!({"freshMs": 400}),
        "freshMs is 400: it must be at least 410, the slowest interval + the longer of timeoutMaxMs and phaseTimeoutMs",
    );
    check(
        json!({"flapRelease": 3000}),
        "flapRelease is 3000: it must be at most 2500, flapSuppress",
    );
    check(
        json!({"recoverGood": 101}),
        "recoverGood is 101: allowed is a whole number from 1 to 100",
    );
    check(
        json!({"lateMs": 200}),
        "lateMs is 200: it must be at least 300, the longer of timeoutMaxMs",
    );
    check(
        json!({"grayMildOf100": 60}),
        "grayMildOf100 is 60: it must be at most 50, graySevereOf100",
    );
    check(
        json!({"grayMildErrorsPermille": 300}),
        "grayMildErrorsPermille is 300: it must be at most 250, graySevereErrorsPermille",
    );
    check(
        json!({"grayMisses": 2}),
        "grayMisses is 2: it must be at least 3, suspectMisses",
    );
    check(
        json!({"graySeverePercent": 60}),
        "grayMildPercent is 50: it must be at least 60, graySeverePercent",
    );
    check(
        json!({"grayFailingPercent": 0}),
        "grayFailingPercent is 0: allowed is a whole number from 1 to 100",
    );
    check(
        json!({"grayFailingPercent": 30}),
        "graySeverePercent is 25: it must be at least 30, grayFailingPercent",
    );
    check(
        json!({"phaseTimeoutMs": 20_000, "lateMs": 20_000}),
        "phaseTimeoutMs is 20000: it must be at most 500, deadMisses x intervalMs",
    );
    check(
        json!({"phaseTimeoutMs": 400}),
        "freshMs is 500: it must be at least 510, the slowest interval + the longer of timeoutMaxMs and phaseTimeoutMs",
    );
    check(
        json!({"loopLagMs": 300}),
        "loopLagMs is 300: it must be at most 299, less than suspectMisses x intervalMs",
    );
    // The ceiling of the penalty is flapSuppress itself, and only what is above that is suppressed.
    check(
        json!({"flapSuppress": 1_500, "flapRelease": 750, "flapMaxS": 300}),
        "flapMaxS is 300: it must be at least 301",
    );
    check(
        json!({"hardMisses": 6, "grayMisses": 2}),
        "profile field hardMisses is 6: it must be at most 5, deadMisses; profile field grayMisses is 2: it must be at least 3, suspectMisses",
    );
    check(json!({"intervall": 1}), "unknown field `intervall`");
    check(json!({"preset": "slow"}), "unknown variant `slow`");
}

#[test]
fn votes_needed() {
    let profile = Profile::fast();
    let needed: Vec<u32> = (1..=7).map(|v| profile.q(v)).collect();
    assert_eq!(needed, [1, 2, 3, 3, 4, 5, 5]);
}

#[test]
fn the_schema_lists_every_constant_as_optional() {
    let schema = serde_json::to_value(schemars::schema_for!(Profile)).unwrap();
    assert_eq!(
        schema["properties"]["intervalMs"]["default"],
        serde_json::Value::Null
    );
    assert!(
        schema["properties"]["cutVotes"]["description"]
            .as_str()
            .unwrap()
            .contains("Fewest votes")
    );
    assert!(schema.get("required").is_none());
}

#[test]
fn a_cluster_overrides_what_is_its_own() {
    let fleet = Profile::fast();
    let own = |given: serde_json::Value| fleet.for_cluster(&serde_json::from_value(given).unwrap());
    assert_eq!(own(serde_json::json!({})), Ok(fleet.clone()));
    assert_eq!(
        own(serde_json::json!({"deadMisses": 9})),
        Ok(Profile {
            dead_misses: 9,
            ..Profile::fast()
        })
    );
    let far = own(serde_json::json!({"preset": "wan", "intervalMs": 250})).unwrap();
    assert_eq!(
        (far.interval_ms, far.timeout_max_ms, far.fresh_ms),
        (250, 800, 1_500)
    );
    // What all clusters share stays as the fleet has it.
    assert_eq!((far.cut_wait_ms, far.abstain_hold_ms), (100, 300));
    let karmada = own(serde_json::json!({"preset": "karmada"})).unwrap();
    assert_eq!((karmada.interval_ms, karmada.min_fresh), (10_000, 3));
}

#[test]
fn every_preset_can_be_a_clusters_in_a_fleet_of_every_preset() {
    for fleet in Preset::ALL.map(Preset::profile) {
        for preset in Preset::ALL {
            let patch = ProfilePatch {
                preset: Some(preset),
                ..ProfilePatch::default()
            };
            // Karmada's fleet sends its evidence once a second, more seldom than the other presets' rows may be old.
            let expected = fleet != Profile::karmada() || preset == Preset::Karmada;
            assert_eq!(
                fleet.for_cluster(&patch).is_ok(),
                expected,
                "{preset} in {fleet:?}"
            );
        }
    }
}

#[test]
fn an_override_that_cannot_be_is_refused_with_the_field_and_what_is_allowed() {
    let message = |patch: ProfilePatch| Profile::fast().for_cluster(&patch).unwrap_err().to_string();
    let fleets = message(ProfilePatch {
        send_ms: Some(200),
        ..ProfilePatch::default()
    });
    assert!(
        fleets.starts_with(
            "profile field sendMs is the fleet's alone: a cluster may override preset, intervalMs, jitterPercent, "
        ) && !fleets.contains("minFresh"),
        "{fleets}"
    );
    // The whole is judged: with this T rows would turn stale before they vote.
    let stale = message(ProfilePatch {
        interval_ms: Some(250),
        ..ProfilePatch::default()
    });
    assert!(
        stale.contains("freshMs is 500: it must be at least 575, the slowest interval + the longer of"),
        "{stale}"
    );
    let range = message(ProfilePatch {
        interval_ms: Some(5),
        ..ProfilePatch::default()
    });
    assert_eq!(
        range,
        "profile field intervalMs is 5: allowed is a whole number from 20 to 60000"
    );
}

#[test]
fn whoever_decides_is_not_asked_how_observers_went_about_it() {
    let observed = Profile {
        interval_ms: 10,
        late_ms: 0,
        timeout_min_ms: 600,
        abstain_hold_ms: 0,
        ..Profile::wan()
    };
    let judging = Profile {
        dead_misses: 80,
        ..Profile::wan()
    };
    let fitted = judging.observed_as(&observed);
    assert_eq!(
        (fitted.interval_ms, fitted.abstain_hold_ms, fitted.dead_misses),
        (10, 0, 80)
    );
    assert_eq!(fitted.send_ms, observed.send_ms);
    fitted.validate().unwrap_err();
    // Of three misses the stall of an observer makes a vote, and the timeout outlasts five.
    let told = |profile: Profile| profile.validate_judging().map_err(|error| error.to_string());
    assert!(
        told(fitted.clone())
            .unwrap_err()
            .starts_with("profile field loopLagMs is 50: it must be at most 29")
    );
    let patient = Profile {
        suspect_misses: 30,
        gray_misses: 30,
        ..fitted
    };
    assert_eq!(told(patient.clone()), Ok(()));
    let hasty = Profile {
        dead_misses: 79,
        ..patient.clone()
    };
    assert!(
        told(hasty)
            .unwrap_err()
            .contains("timeoutMaxMs is 800: it must be at most 790, deadMisses x intervalMs")
    );
    let range = Profile {
        dead_misses: 0,
        ..patient
    };
    assert_eq!(
        told(range).unwrap_err(),
        "profile field deadMisses is 0: allowed is a whole number from 1 to 1000"
    );
}

#[test]
fn of_an_override_observers_go_by_what_is_probed() {
    let probed = |patch: &str| serde_json::from_str::<ProfilePatch>(patch).unwrap().probed();
    assert_eq!(
        probed(r#"{"deadMisses": 9, "freshMs": 700}"#),
        ProfilePatch::default()
    );
    let wan = probed(r#"{"preset": "wan", "intervalMs": 250, "deadMisses": 9}"#);
    assert_eq!(
        (wan.preset, wan.interval_ms, wan.timeout_max_ms, wan.dead_misses),
        (None, Some(250), Some(800), None)
    );
}

#[cfg(feature = "probe")]
#[test]
fn what_is_only_judged_otherwise_is_probed_alike() {
    let fleet = Profile::fast();
    let probing = |own: &Profile| fleet.probing(own);
    assert_eq!(probing(&fleet), fleet);
    let patient = Profile {
        dead_misses: 9,
        ..Profile::fast()
    };
    assert_eq!(probing(&patient), fleet);
    let slow = probing(&Profile::wan());
    assert_eq!(
        (slow.interval_ms, slow.dead_misses, slow.ack_timeout_ms),
        (200, 5, 500)
    );
}

/// With `LIFEBOAT_UPDATE=1` the table of `docs/profile.md` is written; otherwise it must be current.
#[test]
fn the_page_shows_every_constant() {
    let mut table = "| field | meaning | fast | wan | single | karmada | allowed | whose |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for constant in table::CONSTANTS {
        let [least, most] = constant.allowed;
        let meaning: Vec<&str> = constant.meaning.iter().map(|line| line.trim()).collect();
        let presets = constant.presets.map(|value| value.to_string()).join(" | ");
        let whose = if constant.scope.is_by_cluster() {
            "cluster"
        } else {
            "fleet"
        };
        let (yaml, meaning) = (constant.yaml, meaning.join(" ").replace('|', "\\|"));
        writeln!(
            table,
            "| `{yaml}` | {meaning} | {presets} | {least} to {most} | {whose} |"
        )
        .unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/profile.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (start, end) = ("<!-- table -->\n", "<!-- end of table -->");
    let (before, rest) = page.split_once(start).unwrap();
    let (shown, after) = rest.split_once(end).unwrap();
    if std::env::var_os("LIFEBOAT_UPDATE").is_some() {
        std::fs::write(path, format!("{before}{start}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(
            shown, table,
            "run `LIFEBOAT_UPDATE=1 cargo test -p lifeboat-health profile`"
        );
    }
}

#[test]
fn fewer_observers_than_min_fresh_are_told() {
    let check = |observers, told: Option<&str>| {
        let found = Profile::fast().check_observers(observers).err();
        assert_eq!(found.map(|error| error.to_string()).as_deref(), told);
    };
    check(3, None);
    check(64, None);
    let two = "profile field minFresh is 3: it must be at most 2, the number of observers that count, or nothing is ever decided";
    check(2, Some(two));
    assert_eq!(Profile::single().check_observers(1), Ok(()));
}
