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
        "intervalMs is 5: allowed is 20 to 60000",
    );
    check(json!({"intervalMs": -1}), "invalid value: integer `-1`");
    check(json!({"minFresh": 0}), "minFresh is 0: allowed is 1 to 64");
    check(
        json!({"timeoutMaxMs": 600}),
        "timeoutMaxMs is 600: at most deadMisses x intervalMs",
    );
    check(
        json!({"timeoutMaxMs": 50}),
        "timeoutMaxMs is 50: at least timeoutMinMs",
    );
    check(
        json!({"deadMisses": 2, "timeoutMaxMs": 200}),
        "deadMisses is 2: at least suspectMisses",
    );
    check(json!({"hardMisses": 6}), "hardMisses is 6: at most deadMisses");
    check(
        json!({"freshMs": 400}),
        "freshMs is 400: at least the slowest interval + timeoutMaxMs",
    );
    check(
        json!({"flapRelease": 3000}),
        "flapRelease is 3000: at most flapSuppress",
    );
    check(
        json!({"recoverGood": 101}),
        "recoverGood is 101: allowed is 1 to 100",
    );
    check(json!({"lateMs": 200}), "lateMs is 200: at least timeoutMaxMs");
    check(
        json!({"grayMildOf100": 60}),
        "grayMildOf100 is 60: at most graySevereOf100",
    );
    check(
        json!({"grayMildErrorsPermille": 300}),
        "grayMildErrorsPermille is 300: at most graySevereErrorsPermille",
    );
    check(
        json!({"grayMisses": 2}),
        "grayMisses is 2: at least suspectMisses",
    );
    check(
        json!({"graySeverePercent": 60}),
        "grayMildPercent is 50: at least graySeverePercent",
    );
    check(
        json!({"grayFailingPercent": 0}),
        "grayFailingPercent is 0: allowed is 1 to 100",
    );
    check(
        json!({"grayFailingPercent": 30}),
        "graySeverePercent is 25: at least grayFailingPercent",
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
