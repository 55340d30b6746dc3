use super::*;

fn task(cluster: &str) -> GracefulEvictionTask {
    GracefulEvictionTask {
        from_cluster: cluster.to_owned(),
        creation_timestamp: Some(Time(Timestamp::UNIX_EPOCH)),
        ..GracefulEvictionTask::default()
    }
}

fn targets(clusters: &[&str]) -> Vec<TargetCluster> {
    clusters
        .iter()
        .map(|cluster| TargetCluster::new(*cluster, 1))
        .collect()
}

fn names(tasks: &[GracefulEvictionTask]) -> Vec<&str> {
    tasks.iter().map(|task| task.from_cluster.as_str()).collect()
}

#[test]
fn an_evicted_cluster_is_remembered_once() {
    let (mut clusters, mut tasks) = (targets(&["a", "b"]), Vec::new());
    for _ in 0..2 {
        evict(&mut clusters, &mut tasks, task("a"));
        evict(&mut clusters, &mut tasks, task("nobody"));
    }
    clusters.extend(targets(&["a"]));
    evict(&mut clusters, &mut tasks, task("a"));
    assert_eq!((clusters, names(&tasks)), (targets(&["b"]), vec!["a"]));
    assert_eq!(tasks[0].replicas, Some(1));
}

/// Ten minutes after every cluster was lost, nothing is scheduled and every task runs out of time.
#[test]
fn the_only_copies_outlive_an_empty_schedule() {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(11);
    let assessed = Assessed {
        timeout: SignedDuration::from_mins(10),
        scheduled: true,
        clusters: &[],
        observed: &[],
    };
    let karmada = assess(&[task("a"), task("b")], now, assessed);
    assert_eq!(names(&karmada.ended), ["a", "b"]);
    let ours = keep_only_copy(karmada, &[], |_| None);
    assert_eq!((names(&ours.kept), names(&ours.ended)), (vec!["a", "b"], vec![]));
}

#[test]
fn the_only_ready_copy_is_kept() {
    fn check(ready: &[(&str, i64)], scheduled: &[&str], ended: &[&str]) {
        let assessment = Assessment {
            kept: Vec::new(),
            ended: vec![task("old")],
        };
        let count = |cluster: &str| {
            ready
                .iter()
                .find(|(name, _)| *name == cluster)
                .map(|(_, ready)| *ready)
        };
        let kept = keep_only_copy(assessment, &targets(scheduled), count);
        assert_eq!(names(&kept.ended), ended, "{ready:?}");
    }
    check(&[("old", 1), ("new", 1)], &["new"], &["old"]);
    check(&[("old", 1), ("new", 0)], &["new"], &[]);
    check(&[("old", 1)], &["new"], &[]);
    // Nobody can see the old copy, and nothing is ready elsewhere.
    check(&[("new", 0)], &["new"], &[]);
    // The old copy is not ready either.
    check(&[("old", 0), ("new", 0)], &["new"], &["old"]);
    // It came back: ending the task deletes nothing.
    check(&[("old", 1)], &["old"], &["old"]);
}

#[test]
fn the_next_retry_is_never_in_the_past() {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(30);
    let retry = |seconds| next_retry(&[task("a")], now, SignedDuration::from_secs(seconds));
    assert_eq!(retry(50), Some(SignedDuration::from_secs(20)));
    assert_eq!(retry(10), Some(SignedDuration::ZERO));
    assert_eq!(next_retry(&[], now, SignedDuration::ZERO), None);
}
