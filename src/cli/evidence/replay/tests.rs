//! Recordings made by hand, and whether replicas would have moved.

use lifeboat_health::{
    Check, Family, Header, MonoTime, Path, Probing, ProfilePatch, Row, Target, encode_table,
    recording::Recorder,
};

use super::*;

const BOTH: [Path; 2] = [Path::Traffic, Path::Control];
const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

fn target(cluster: &str, path: Path, family: Family) -> Target {
    let port = match path {
        Path::Traffic => 443,
        Path::Control => 6443,
    };
    let check = match family {
        Family::V4 => Check::Tcp {
            address: ([192, 0, 2, 1], port).into(),
        },
        Family::V6 => Check::Tcp {
            address: ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], port).into(),
        },
    };
    Target {
        cluster: cluster.to_owned(),
        path,
        family,
        check,
        detection: None,
    }
}

fn fleet(clusters: &[&str], families: &[Family]) -> Vec<Target> {
    let paths = clusters
        .iter()
        .flat_map(|cluster| BOTH.map(|path| (*cluster, path)));
    paths
        .flat_map(|(cluster, path)| families.iter().map(move |family| target(cluster, path, *family)))
        .collect()
}

fn preamble(targets: &[Target], profile: &Profile) -> Preamble {
    Preamble {
        consumer: "dns-1".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        profile: profile.clone(),
        targets: targets.to_vec(),
    }
}

/// One cluster with this override, recorded in a fleet of this profile: by what it is judged.
fn judged(
    name: Option<&str>,
    without_overrides: bool,
    recorded: &Profile,
    detection: &str,
) -> Result<Profile, String> {
    let mut target = target("a", Path::Traffic, Family::V4);
    target.detection = Some(serde_json::from_str(detection).unwrap());
    let mut preamble = preamble(&[target], recorded);
    let judging = Judging::by(name, without_overrides, &mut preamble, Duration::from_secs(3))
        .map_err(|error| error.to_string())?;
    let own = preamble.targets[0].own_profile(&judging.profile).unwrap();
    Ok(own.unwrap_or(judging.profile))
}

/// Ten seconds of five observers, one row for each target each 100 ms: whether it is silent from which tenth of a second on, and whether
/// the observer is heard then.
fn record(
    targets: &[Target],
    profile: &Profile,
    silent_from: impl Fn(&Target) -> Option<u16>,
    heard: impl Fn(u64, u16) -> bool,
) -> Vec<u8> {
    record_of(targets, profile, |_| None, silent_from, heard)
}

/// The same, where observers say how they probe.
fn record_of(
    targets: &[Target],
    profile: &Profile,
    probing: impl Fn(u64) -> Option<Probing>,
    silent_from: impl Fn(&Target) -> Option<u16>,
    heard: impl Fn(u64, u16) -> bool,
) -> Vec<u8> {
    let preamble = preamble(targets, profile);
    let mut bytes = Vec::new();
    let mut recorder = Recorder::start(&mut bytes, &preamble).unwrap();
    for round in 0..=100_u16 {
        for observer in (1..=5_u64).filter(|observer| heard(*observer, round)) {
            // The consumer's clock had run for an hour.
            let at = MonoTime::from_millis(3_600_000 + u64::from(round) * 100 + observer);
            let header = Header {
                observer: format!("observer-{observer}"),
                boot: 1,
                seq: u64::from(round) * 10 + 1,
                sent_at: at,
                probing: probing(observer),
                ..Header::default()
            };
            let row = |target: &Target| {
                let since = silent_from(target).unwrap_or(u16::MAX);
                let miss_streak = (round + 1).saturating_sub(since) + if since == 0 { 50 } else { 0 };
                Row {
                    target: target.id(),
                    miss_streak,
                    success_streak: if miss_streak == 0 { 100 + round } else { 0 },
                    good_of_100: 100,
                    ..Row::default()
                }
            };
            let rows: Vec<Row> = targets.iter().map(row).collect();
            encode_table(&header, &rows, |datagram| {
                recorder.record(at, &datagram).unwrap();
            });
        }
    }
    bytes
}

/// The lines of a replay, and its JSON.
fn replayed(bytes: &[u8], profile: Option<&str>, hold_s: u64) -> (Vec<String>, Value) {
    replayed_by(bytes, (profile, false), hold_s)
}

fn replayed_by(
    bytes: &[u8],
    (profile, without_overrides): (Option<&str>, bool),
    hold_s: u64,
) -> (Vec<String>, Value) {
    let mut recording = Recording::open(bytes).unwrap();
    let hold = Duration::from_secs(hold_s);
    let judging = Judging::by(profile, without_overrides, &mut recording.preamble, hold).unwrap();
    let (findings, replayed, result) = judging.decide(&mut recording);
    result.unwrap();
    (
        judging.lines(&findings, replayed, &recording.preamble),
        judging.as_json(&findings, replayed, &recording.preamble),
    )
}

fn always(_: u64, _: u16) -> bool {
    true
}

/// Names of the clusters in a list of the JSON.
fn clusters<'a>(json: &'a Value, list: &str) -> Vec<&'a str> {
    let all = json[list].as_array().into_iter().flatten();
    all.filter_map(|entry| entry["cluster"].as_str()).collect()
}

#[test]
fn a_dead_cluster_would_have_failed_over_when_its_hold_ran_out() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let bytes = record(
        &targets,
        &Profile::fast(),
        |t| (t.cluster == "a").then_some(20),
        always,
    );
    let (lines, json) = replayed(&bytes, None, 3);
    assert_eq!(clusters(&json, "failovers"), ["a"]);
    assert!(clusters(&json, "heldBack").is_empty());
    let downs = json["transitions"].as_array().unwrap().iter();
    let downs: Vec<u64> = downs
        .filter(|t| t["to"] == "Down")
        .filter_map(|t| t["atMs"].as_u64())
        .collect();
    let failed_ms = json["failovers"][0]["atMs"].as_u64().unwrap();
    assert_eq!(
        downs.iter().max().map(|down| down + 3_000),
        Some(failed_ms),
        "{lines:#?}"
    );
    assert!(
        (2_000..3_000).contains(&downs[0]),
        "times are since the recording began: {downs:?}"
    );
    assert_eq!(json["failovers"][0]["downAsRecordingBegan"], false);
    let said = format!(
        "a would have failed over after {:.3} s, with a hold of 3 s",
        failed_ms as f64 / 1_000.0
    );
    assert_eq!(lines.last(), Some(&said));
    let (lines, json) = replayed(&bytes, None, 9);
    assert!(clusters(&json, "failovers").is_empty());
    assert_eq!(
        lines.last().unwrap(),
        "nothing would have failed over with a hold of 9 s"
    );
}

#[test]
fn freeze_holds_back_what_is_down_everywhere() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let bytes = record(&targets, &Profile::fast(), |_| Some(20), always);
    let (lines, json) = replayed(&bytes, None, 3);
    assert!(clusters(&json, "failovers").is_empty(), "{lines:#?}");
    assert_eq!(clusters(&json, "heldBack"), FIVE);
    assert_eq!(json["heldBack"][0]["reason"], "Freeze");
    let answers = &lines[lines.len() - 6..];
    assert_eq!(answers[0], "nothing would have failed over with a hold of 3 s");
    let said =
        "with a hold of 3 s: 5 of 5 clusters look down: nothing is evicted until it is at most 55 % for 60 s";
    assert!(
        answers[1].starts_with("a would have been held back by FREEZE after ") && answers[1].ends_with(said),
        "{answers:#?}"
    );
}

#[test]
fn the_better_family_of_a_path_decides() {
    let targets = fleet(&FIVE, &[Family::V4, Family::V6]);
    let dead = |families: &'static [Family]| {
        move |t: &Target| (t.cluster == "a" && families.contains(&t.family)).then_some(20)
    };
    let one = record(&targets, &Profile::fast(), dead(&[Family::V4]), always);
    let (lines, json) = replayed(&one, None, 3);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("a traffic ipv4: Suspect to Down")
                || line.contains("a traffic ipv4: Up to Down")),
        "{lines:#?}"
    );
    assert!(clusters(&json, "failovers").is_empty(), "{lines:#?}");
    let both = record(
        &targets,
        &Profile::fast(),
        dead(&[Family::V4, Family::V6]),
        always,
    );
    assert_eq!(clusters(&replayed(&both, None, 3).1, "failovers"), ["a"]);
}

#[test]
fn what_is_frozen_is_unknown_and_keeps_its_replicas() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let dead = |t: &Target| (t.cluster == "a").then_some(20);
    // A second after the Down only two observers are heard, too few to decide anything.
    let bytes = record(&targets, &Profile::fast(), dead, |observer, round| {
        observer <= 2 || round < 40
    });
    let (lines, json) = replayed(&bytes, None, 3);
    assert!(clusters(&json, "failovers").is_empty(), "{lines:#?}");
    assert_eq!(clusters(&replayed(&bytes, None, 1).1, "failovers"), ["a"]);
}

#[test]
fn first_verdicts_are_no_changes_and_a_hold_that_began_before_is_said_to() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let bytes = record(
        &targets,
        &Profile::fast(),
        |t| (t.cluster == "a").then_some(0),
        always,
    );
    let (lines, json) = replayed(&bytes, None, 3);
    let firsts = json["transitions"].as_array().unwrap().iter();
    assert_eq!(firsts.filter(|t| t["first"] == true).count(), 10);
    assert!(lines[0].contains("first verdict"), "{}", lines[0]);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("; 0 changes of verdict after 10 first verdicts")),
        "{lines:#?}"
    );
    let said = "with a hold of 3 s (it was Down as the recording began: its hold is counted from there)";
    assert!(lines.last().unwrap().ends_with(said), "{lines:#?}");
    assert_eq!(json["failovers"][0]["downAsRecordingBegan"], true);
}

#[test]
fn another_profile_says_what_it_takes_from_the_recording() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let bytes = record(&targets, &Profile::fast(), |_| None, always);
    let (lines, json) = replayed(&bytes, Some("wan"), 3);
    assert_eq!(
        lines[0],
        "wan probes each 200 ms and the recording each 100 ms: it is judged by as many of these probes as last as long, 10 misses \
         in a row for dead"
    );
    assert_eq!(
        lines[1],
        "the votes are those of the recording's observers: 5, of whom 4 decide"
    );
    assert_eq!(json["remarks"][0], lines[0].as_str());
    assert_eq!(
        (&json["profileName"], &json["ownIntervalMs"], &json["holdMs"]),
        (&json!("wan"), &json!(200), &json!(3_000))
    );
    assert_eq!(
        (&json["profile"]["intervalMs"], &json["profile"]["freshMs"]),
        (&json!(100), &json!(1_500))
    );
    assert_eq!(json["recording"]["lengthMs"], 10_004);
    // Ten seconds of silence are one probe of Karmada's.
    let dead = record(
        &targets,
        &Profile::fast(),
        |target| (target.cluster == "a").then_some(0),
        always,
    );
    let (lines, json) = replayed(&dead, Some("karmada"), 0);
    assert!(lines[0].contains("400 misses in a row for dead"), "{}", lines[0]);
    assert!(clusters(&json, "failovers").is_empty(), "{lines:#?}");
    let (_, json) = replayed(&bytes, None, 3);
    assert_eq!(
        (&json["profileName"], &json["remarks"]),
        (&Value::Null, &json!([]))
    );
    let one = record(&targets, &Profile::fast(), |_| None, |observer, _| observer == 1);
    let (lines, _) = replayed(&one, None, 3);
    assert_eq!(
        lines[0],
        "the recorded profile decides with 3 observers or more; the recording has 1, so nothing is decided"
    );
}

#[test]
fn a_profile_that_does_not_go_with_the_probes_is_refused_by_its_field() {
    let judge = |name, recorded: &Profile| judged(Some(name), false, recorded, "{}").map(drop);
    for (recorded, field) in [
        (Preset::Wan, "timeoutMaxMs is 800: it must be at most 600"),
        (Preset::Single, "freshMs is 500: it must be at least 720"),
        (Preset::Karmada, "freshMs is 500: it must be at least 16000"),
    ] {
        let refused = judge("fast", &recorded.profile()).unwrap_err();
        assert!(
            refused.starts_with("--profile fast cannot judge what was probed as recorded: ")
                && refused.contains(field),
            "{recorded}: {refused}"
        );
    }
    // What docs/observer.md names as the way out.
    let bearable: Profile =
        serde_json::from_str(r#"{"preset": "fast", "deadMisses": 10, "freshMs": 1100}"#).unwrap();
    for recorded in [Profile::wan(), Profile::single()] {
        assert_eq!(fit::fleet(&bearable, &recorded).validate_judging(), Ok(()));
    }
    for preset in Preset::ALL {
        judge(preset.name(), &Profile::fast()).unwrap_or_else(|refused| panic!("{preset}: {refused}"));
    }
}

/// T, `deadMisses` and `freshMs` by which a cluster with this override is judged.
#[track_caller]
fn check_own(
    (name, without_overrides): (Option<&str>, bool),
    recorded: &Profile,
    detection: &str,
    expected: (u32, u32, u32),
) {
    let own = judged(name, without_overrides, recorded, detection).unwrap();
    assert_eq!((own.interval_ms, own.dead_misses, own.fresh_ms), expected);
}

/// The cluster would be probed at its own pace under another profile too, so that profile's misses are of that pace.
#[test]
fn a_kept_override_is_not_scaled() {
    let fast = Profile::fast();
    let slow = r#"{"intervalMs": 250, "freshMs": 600}"#;
    check_own((None, false), &fast, slow, (250, 5, 600));
    check_own((Some("fast"), false), &fast, slow, (250, 5, 600));
    check_own((Some("wan"), false), &fast, slow, (250, 5, 600));
    check_own(
        (Some("wan"), false),
        &fast,
        r#"{"deadMisses": 12}"#,
        (100, 12, 1_500),
    );
    check_own((Some("wan"), false), &fast, r#"{"freshMs": 600}"#, (100, 10, 600));
    check_own(
        (Some("fast"), false),
        &fast,
        r#"{"preset": "wan"}"#,
        (200, 5, 1_500),
    );
    check_own(
        (Some("single"), false),
        &fast,
        r#"{"preset": "wan", "deadMisses": 7}"#,
        (200, 7, 1_500),
    );
}

/// What its observers did stays, and the profile's misses are as many of its own probes as last as long.
#[test]
fn without_overrides_misses_are_counted_in_each_clusters_own_probes() {
    let fast = Profile::fast();
    let slow = r#"{"intervalMs": 250, "freshMs": 600, "deadMisses": 9}"#;
    check_own((Some("wan"), true), &fast, slow, (250, 4, 1_500));
    check_own(
        (Some("wan"), true),
        &fast,
        r#"{"intervalMs": 50}"#,
        (50, 20, 1_500),
    );
    check_own(
        (Some("wan"), true),
        &fast,
        r#"{"deadMisses": 12}"#,
        (100, 10, 1_500),
    );
    // Half a second of fast is two probes; their rows grow older than its `freshMs` before they vote.
    check_own((Some("fast"), true), &fast, slow, (250, 2, 575));
    check_own((None, true), &fast, slow, (250, 2, 575));
    let refused = judged(None, true, &fast, r#"{"preset": "wan"}"#).unwrap_err();
    assert!(
        refused.contains(
            "target a/traffic/ipv4: detection: profile field timeoutMaxMs is 800: it must be at most 600"
        ),
        "{refused}"
    );
}

/// Five misses make it Down where it keeps its override, and two without it: each row has one more.
#[test]
fn a_cluster_that_is_probed_at_its_own_pace_is_down_when_its_own_probes_say_so() {
    let mut targets = fleet(&FIVE, &[Family::V4]);
    let own: Box<ProfilePatch> = serde_json::from_str(r#"{"intervalMs": 250, "freshMs": 600}"#).unwrap();
    for target in targets.iter_mut().filter(|target| target.cluster == "a") {
        target.detection = Some(Box::clone(&own));
    }
    let bytes = record(
        &targets,
        &Profile::fast(),
        |t| (t.cluster == "a").then_some(20),
        always,
    );
    let down_ms = |judging| {
        let (_, json) = replayed_by(&bytes, judging, 3);
        let downs = json["transitions"].as_array().unwrap().iter();
        let first = downs
            .filter(|told| told["to"] == "Down")
            .find_map(|told| told["atMs"].as_u64());
        first.unwrap()
    };
    let recorded = down_ms((None, false));
    assert_eq!(down_ms((Some("fast"), false)), recorded);
    assert_eq!(down_ms((Some("fast"), true)), recorded - 300);
    let (lines, json) = replayed_by(&bytes, (Some("wan"), true), 3);
    let said = "2 of 10 targets were probed each 250 ms by an override: 4 misses in a row for dead";
    assert!(lines.iter().any(|line| line == said), "{lines:#?}");
    assert_eq!(json["withoutOverrides"], true);
}

#[test]
fn a_recorded_profile_that_is_refused_today_leaves_the_way_of_another() {
    let refused_today = Profile {
        min_fresh: 2,
        late_ms: 0,
        ..Profile::fast()
    };
    let bytes = record(
        &fleet(&FIVE, &[Family::V4]),
        &refused_today,
        |t| (t.cluster == "a").then_some(20),
        always,
    );
    let mut recording = Recording::open(&bytes[..]).unwrap();
    let hold = Duration::from_secs(3);
    let refused = Judging::by(None, false, &mut recording.preamble, hold).map(drop);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.starts_with("the recorded profile is refused: profile field minFresh is 2: it must be 1, ")
            && refused
                .ends_with("; --profile P judges by another: fast, wan, single, karmada, or a YAML file"),
        "{refused}"
    );
    let (_, json) = replayed(&bytes, Some("fast"), 3);
    assert_eq!(clusters(&json, "failovers"), ["a"]);
}

fn every(interval_ms: u16) -> Option<Probing> {
    Some(Probing {
        interval_ms,
        ..Probing::of(&Profile::fast())
    })
}

/// When `a` was first Down.
fn down_ms(json: &Value) -> Option<u64> {
    let downs = json["transitions"].as_array().unwrap().iter();
    downs
        .filter(|told| told["to"] == "Down" && told["cluster"] == "a")
        .find_map(|told| told["atMs"].as_u64())
}

/// The consumer's profile has a probe each 100 ms. Its rows have one more miss each 100 ms, so they stand for less time the shorter T is.
#[test]
fn each_observers_own_interval_makes_the_time_of_a_streak() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let dead = |t: &Target| (t.cluster == "a").then_some(20);
    let replayed_of = |interval_ms: fn(u64) -> Option<Probing>, profile: Option<&'static str>| {
        let bytes = record_of(&targets, &Profile::fast(), interval_ms, dead, always);
        replayed(&bytes, profile, 3)
    };
    let recorded = down_ms(&replayed_of(|_| every(100), None).1).unwrap();
    assert_eq!(down_ms(&replayed_of(|_| None, None).1), Some(recorded));
    let misses = |profile: &'static str, probing| {
        let (_, json) = replayed_of(probing, Some(profile));
        (down_ms(&json).unwrap() - recorded) / 100 + 5
    };
    // A second of `wan`.
    assert_eq!(misses("wan", |_| None), 10);
    assert_eq!(misses("wan", |_| every(100)), 10);
    assert_eq!(misses("wan", |_| every(150)), 7);
    assert_eq!(misses("wan", |_| every(50)), 20);
    // Four decide, of whom one is slow to have ten.
    assert_eq!(
        misses("wan", |observer| every(if observer > 3 { 50 } else { 150 })),
        20
    );
    let (lines, _) = replayed_of(
        |observer| every(if observer == 5 { 50 } else { 100 }),
        Some("wan"),
    );
    let said = "observer-5 probed each 50 ms: so many of its misses count as last as long as those of 100 ms";
    assert!(lines.iter().any(|line| line == said), "{lines:#?}");
}

#[test]
fn as_recorded_whom_the_consumer_did_not_count_does_not_count() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let dead = |t: &Target| (t.cluster == "a").then_some(20);
    let bytes = record_of(&targets, &Profile::fast(), |_| every(20), dead, always);
    let (lines, json) = replayed(&bytes, None, 3);
    assert_eq!(down_ms(&json), None, "{lines:#?}");
    assert!(
        lines[0].starts_with(
            "observer-1 probed otherwise, and does not count so: its intervalMs is 20, here it is 100"
        ),
        "{lines:#?}"
    );
    let (_, json) = replayed(&bytes, Some("fast"), 3);
    assert!(
        down_ms(&json).is_some(),
        "as many of its misses as last half a second"
    );
}

#[test]
fn what_a_profile_cannot_judge_is_left_out_and_told() {
    let targets = fleet(&FIVE, &[Family::V4]);
    let slow = |_| {
        Some(Probing {
            timeout_max_ms: 800,
            ..Probing::of(&Profile::fast())
        })
    };
    let bytes = record_of(&targets, &Profile::fast(), slow, |_| Some(20), always);
    let (lines, json) = replayed(&bytes, Some("fast"), 3);
    assert_eq!(json["transitions"], json!([]));
    assert!(
        lines[0].starts_with(
            "observer-1 probed as this profile cannot judge, and what it found so is left out: profile field timeoutMaxMs is 800: it must \
             be at most 500"
        ),
        "{lines:#?}"
    );
}

#[test]
fn a_rows_streaks_are_counted_in_whole_probes_of_another_interval() {
    let row = |miss_streak, heard_at, success_streak, error_streak| Row {
        miss_streak,
        heard_at,
        success_streak,
        error_streak,
        ..Row::default()
    };
    let check = |given, probed_ms, judged_ms, expected| {
        assert_eq!(fit::row(&given, probed_ms, judged_ms), expected);
    };
    check(row(24, 0, 0, 0), 20, 100, row(4, 0, 0, 0));
    check(row(25, 0, 0, 0), 20, 100, row(5, 0, 0, 0));
    check(row(10, 4, 0, 10), 150, 100, row(15, 6, 0, 15));
    check(row(9, 5, 0, 255), 50, 100, row(4, 2, 0, 127));
    check(row(0, 0, u16::MAX, 0), 200, 100, row(0, 0, u16::MAX, 0));
    check(
        row(u16::MAX, u16::MAX, 0, 255),
        200,
        100,
        row(u16::MAX, u16::MAX, 0, 255),
    );
}
