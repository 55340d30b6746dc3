use std::collections::BTreeMap;

use super::*;

/// Starting a process may take its time on a busy machine.
fn unhurried(timeout_max_ms: u32) -> Profile {
    Profile {
        timeout_max_ms,
        loop_lag_ms: 10_000,
        ..Profile::fast()
    }
}

fn shell(script: &str) -> Check {
    Check::Program {
        command: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        env: BTreeMap::from([("GREETING".into(), "hello".into())]),
    }
}

async fn run(check: &Check) -> (Arc<Prober>, Row) {
    let prober = prober_with(unhurried(20_000), check, false);
    let row = prober.ask(Series::Warm).await;
    (prober, row)
}

#[tokio::test]
async fn what_a_program_says_is_taken() {
    let cases = [
        (r#"echo '{"ok": true}'"#, (1, 0, Hard::NONE), ""),
        (
            r#"echo '{"ok": false, "reason": "queue stuck"}'"#,
            (0, 1, Hard::NONE),
            "queue stuck",
        ),
        (
            r#"echo '{"ok": false, "hard": true}'; exit 3"#,
            (0, 1, Hard::PROGRAM),
            "",
        ),
    ];
    for (script, expected, told) in cases {
        let (prober, row) = run(&shell(script)).await;
        assert_eq!(
            (row.success_streak, row.miss_streak, row.hard),
            expected,
            "{script}"
        );
        assert!(prober.told().contains(told), "{}", prober.told());
    }
}

#[tokio::test]
async fn a_program_has_its_own_environment_and_no_shell() {
    let script =
        r#"[ "$GREETING" = hello ] && [ -z "$HOME$CARGO" ] && [ "$PWD" = / ] && echo '{"ok": true}'"#;
    assert_eq!(run(&shell(script)).await.1.success_streak, 1);
    let words = ["/bin/echo", r#"{"ok": true, "reason": "$HOME; exit"}"#];
    let check = Check::Program {
        command: words.map(Into::into).to_vec(),
        env: BTreeMap::new(),
    };
    assert_eq!(run(&check).await.1.success_streak, 1);
}

#[tokio::test]
async fn a_program_that_cannot_tell_says_nothing_about_the_target() {
    let missing = Check::Program {
        command: vec!["/nowhere/at/all".into()],
        env: BTreeMap::new(),
    };
    let cases = [
        (missing, "start /nowhere/at/all: No such file"),
        (shell("echo fine"), "did not print"),
        (shell("exit 1"), "did not print"),
        (shell("kill -9 $$"), "did not print"),
        (
            shell("while :; do echo xxxxxxxxxxxxxxxx; done"),
            "more than 64 KiB",
        ),
    ];
    for (check, told) in cases {
        let (prober, row) = run(&check).await;
        assert_eq!((row.miss_streak, row.age_ms), (0, u32::MAX), "{told}");
        assert!(prober.told().contains(told), "{}", prober.told());
    }
}

/// Gone, or dead and not yet waited for by whoever inherited it.
fn is_dead(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z')),
    }
}

#[tokio::test]
async fn a_program_is_killed_at_its_timeout_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let script = format!("sleep 1000 & echo $! $$ > {}; wait", file.display());
    // A busy machine may need longer to start a shell than the first timeouts.
    for timeout_ms in [300, 3_000, 30_000] {
        let prober = prober_with(unhurried(timeout_ms), &shell(&script), false);
        let row = prober.ask(Series::Warm).await;
        assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
        assert!(prober.told().contains("was killed"), "{}", prober.told());
        let pids = std::fs::read_to_string(&file).unwrap_or_default();
        let pids: Vec<&str> = pids.split_whitespace().collect();
        if pids.len() < 2 {
            continue;
        }
        let start = std::time::Instant::now();
        while !pids.iter().all(|pid| is_dead(pid)) {
            assert!(start.elapsed() < Duration::from_secs(20), "{pids:?} are alive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        return;
    }
    panic!("the shell did not start");
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!(
        r#"sleep 1000 >/dev/null & echo $! > {}; echo '{{"ok": true}}'"#,
        file.display()
    );
    let (_, row) = run(&shell(&script)).await;
    assert_eq!(row.success_streak, 1);
    let pid = std::fs::read_to_string(&file).unwrap();
    let start = std::time::Instant::now();
    while !is_dead(pid.trim()) {
        assert!(start.elapsed() < Duration::from_secs(20), "{pid} is alive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// In a session of its own it is in no group of the program's, and its parent is gone.
#[tokio::test]
async fn what_left_the_programs_group_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = |file: &str| {
        let file = folder.path().join(file);
        let file = file.display();
        format!(
            "setsid sh -c 'sleep 7777 & echo $! $$ > {file}; wait' >/dev/null 2>&1 & \
             while [ ! -s {file} ]; do :; done; "
        )
    };
    let gone = async |file: &str| {
        let pids = std::fs::read_to_string(folder.path().join(file)).unwrap();
        let pids: Vec<&str> = pids.split_whitespace().collect();
        assert_eq!(pids.len(), 2, "{pids:?}");
        let start = std::time::Instant::now();
        while !pids
            .iter()
            .all(|pid| !std::path::Path::new("/proc").join(pid).exists())
        {
            assert!(start.elapsed() < Duration::from_secs(30), "{pids:?} are alive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ends = daemon("ends") + r#"echo '{"ok": true}'"#;
    assert_eq!(run(&shell(&ends)).await.1.success_streak, 1);
    gone("ends").await;
    let hangs = daemon("hangs") + "sleep 1000";
    let prober = prober_with(unhurried(2_000), &shell(&hangs), false);
    assert_eq!(prober.ask(Series::Warm).await.miss_streak, 1);
    gone("hangs").await;
}
