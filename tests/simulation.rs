//! The simulator from outside: named scenarios against their reviewed timelines, a small swarm, and a check that it
//! notices broken rules. `just simulate` runs ten thousand seeds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use lifeboat::simulate::detection::{Outcome, Report, Scenario, Settings, Swarm, examine};
use lifeboat_health::{Mutant, Preset};

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/detection");

fn scenarios() -> Vec<(String, Scenario)> {
    let mut all: Vec<(String, Scenario)> = Path::new(SCENARIOS)
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let scenario = Scenario::parse(&std::fs::read_to_string(&path).unwrap());
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                name,
                scenario.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Each scenario breaks no invariant and tells the story that stands beside it.
#[test]
fn scenarios_tell_their_stories() {
    for (name, scenario) in scenarios() {
        let outcome = scenario.run();
        assert_eq!(outcome.finding, None, "{name}");
        check_promise(&name, &scenario, &outcome);
        let mut told = format!(
            "fault {}: {}\nexpected: {}\n\n",
            scenario.fault, scenario.title, scenario.expected
        );
        for line in &outcome.lines {
            writeln!(told, "{}", line.trim_end()).unwrap();
        }
        insta::with_settings!({
            snapshot_path => SCENARIOS, prepend_module_to_snapshot => false, omit_expression => true,
        }, {
            insta::assert_snapshot!(name, told);
        });
    }
}

/// Every fault of the list that detection has to do with.
#[test]
fn every_fault_has_a_scenario() {
    let have: BTreeSet<u32> = scenarios().iter().map(|(_, scenario)| scenario.fault).collect();
    let want: BTreeSet<u32> = (1..=16).chain([25]).chain(43..=45).collect();
    assert_eq!(have, want);
}

/// Fault 14: the weight of a gray cluster is cut within ten seconds, and none where all are alike.
fn check_gray(name: &str, outcome: &Outcome) {
    let cuts: Vec<f64> = outcome
        .lines
        .iter()
        .filter(|line| line.contains("served with weight"))
        .filter_map(|line| line.trim().split(' ').next()?.parse().ok())
        .collect();
    if name == "14-all-late" {
        assert!(cuts.is_empty(), "{name}: {cuts:?}");
    } else {
        assert!(cuts.first().is_some_and(|at| *at <= 15.0), "{name}: {cuts:?}");
    }
}

/// What the fault list promises of a scenario, asked of its story rather than read from it.
fn check_promise(name: &str, scenario: &Scenario, outcome: &Outcome) {
    let down = |what: &str| {
        outcome
            .story
            .iter()
            .any(|line| line.contains(what) && line.ends_with(">Down"))
    };
    if scenario.fault == 14 {
        check_gray(name, outcome);
    }
    let told = |what: &str| outcome.lines.iter().any(|line| line.contains(what));
    let steered = outcome
        .lines
        .iter()
        .filter(|line| line.contains("withdrawn") || line.contains("served with weight"));
    match name {
        "04-observer-partitioned" | "16-observer-pause" | "44-shared-dependency" => {
            assert!(told(" abstains"), "{name}")
        }
        "12-region-4-of-6" => assert!(told("FREEZE:") && !told("PANIC:"), "{name}"),
        "12-region-3-of-6" => assert!(!told("FREEZE:") && !told("PANIC:"), "{name}"),
        "13-all-clusters-die" => assert!(told("FREEZE:") && told("PANIC:") && !told("withdrawn"), "{name}"),
        "13-one-of-two" => assert!(!told("PANIC:"), "{name}"),
        "45-partial-partition" => assert!(told("is a partial outage"), "{name}"),
        // An hour's worth is what users see of it: twelve at most.
        "11-flapping" => assert!(
            told("is suppressed for flapping") && steered.count() <= 12,
            "{name}"
        ),
        _ => {}
    }
    match scenario.fault {
        4..=9 | 14 | 15 | 16 | 44 | 45 => assert!(!down(""), "{name}: {:?}", outcome.story),
        1 | 10 | 11 | 12 | 13 => assert!(down(""), "{name}"),
        2 => assert!(down("a/traffic/ipv4") && !down("control"), "{name}"),
        3 => assert!(down("a/control/ipv4") && !down("traffic"), "{name}"),
        43 => assert!(down("a/traffic/ipv6") && !down("ipv4"), "{name}"),
        _ => {}
    }
}

/// S19: the story of a power-off is the same with clocks that are off.
#[test]
fn clocks_change_no_decision() {
    let of = |name: &str| {
        scenarios()
            .into_iter()
            .find(|(its, _)| its == name)
            .unwrap()
            .1
            .run()
    };
    let transitions = |outcome: &Outcome| {
        let mut story: Vec<String> = outcome
            .story
            .iter()
            .filter(|line| line.starts_with('a'))
            .cloned()
            .collect();
        story.sort();
        story
    };
    assert_eq!(
        transitions(&of("25-clocks")),
        transitions(&of("01-power-off")),
        "S19: clocks change no decision"
    );
}

fn swarm(first_seed: u64, seeds: u64) -> Swarm {
    let settings = Settings {
        first_seed,
        seeds,
        preset: None,
        loss_seconds: 5,
        threads: None,
    };
    Swarm::run(settings, |_| {})
}

/// No invariant breaks, and one seed means one run.
#[test]
fn a_small_swarm_breaks_nothing_and_repeats() {
    let one = swarm(1_000, 32);
    let report = Report::of(&one);
    assert_eq!(report.failed_seeds, 0, "{:#?}", report.failures);
    assert_eq!(swarm(1_000, 32).trace_hash, one.trace_hash);
    assert_ne!(swarm(2_000, 4).trace_hash, swarm(3_000, 4).trace_hash);
}

/// Seeds that once broke an invariant, each by a rare order of three or four faults.
#[test]
fn rare_orders_of_faults_break_nothing() {
    for (seed, what) in [
        (
            2617,
            "S8a: the only healthy survivor is held back for flapping and serves all the same",
        ),
        (
            6150,
            "partial outage: a region loses its observers while none reaches the target",
        ),
        (
            6287,
            "partial outage: the target dies while one region is about to reach it again",
        ),
        (8104, "L1: a control path answers 5xx after the timeout"),
        (8116, "L1: a path refuses while another's answers are late"),
        (9524, "S6: a consumer that stood still finds old evidence waiting"),
        (9528, "L1: a slow path refuses after the timeout"),
    ] {
        assert_eq!(
            examine(seed, None, false).outcome.finding,
            None,
            "seed {seed}, {what}"
        );
    }
}

/// Each rule broken on purpose is noticed, by the invariant that speaks of it, and after as many seeds as the page says.
#[test]
fn broken_rules_are_noticed() {
    let mut shrunk = false;
    let mut table = "| broken rule | noticed by | seeds it took |\n|---|---|---|\n".to_owned();
    for mutant in Mutant::ALL {
        let caught = (0..400).find_map(|seed| {
            let exam = mutant.during(|| examine(seed, Some(Preset::Fast), false));
            exam.outcome
                .finding
                .clone()
                .map(|finding| (seed + 1, finding, exam))
        });
        let (seeds, finding, exam) = caught.unwrap_or_else(|| panic!("{mutant:?} goes unnoticed"));
        println!(
            "{mutant:?}: {} after {seeds} seeds: {}",
            finding.invariant, finding.detail
        );
        let by = match mutant {
            Mutant::QuorumOfOne | Mutant::NoSelfCheck => "S6",
            Mutant::NoCutRule => "cut rule",
            Mutant::WallClock => "S19",
            Mutant::DampedWithdrawal => "L1",
        };
        assert_eq!(finding.invariant, by, "{mutant:?}: {}", finding.detail);
        let rule = match mutant {
            Mutant::QuorumOfOne => "one vote is a quorum",
            Mutant::NoCutRule => "no cut rule",
            Mutant::NoSelfCheck => "no self-check",
            Mutant::WallClock => "delay by the difference of two clocks",
            Mutant::DampedWithdrawal => "no withdrawal while suppressed",
        };
        writeln!(table, "| {rule} | {by} | {seeds} |").unwrap();
        let (left, drawn) = (exam.shrunk.unwrap().len(), exam.faults.len());
        shrunk |= left < drawn;
        assert_eq!(
            examine(exam.seed, Some(Preset::Fast), false).outcome.finding,
            None,
            "{mutant:?}"
        );
    }
    assert!(shrunk, "no fault was found superfluous");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulation.md")).unwrap();
    assert!(
        page.contains(&table),
        "docs/simulation.md must have this:\n{table}"
    );
}
