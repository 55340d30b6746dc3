//! Observers that cease to count.

use super::bench::{Bench, Says};
use crate::{Family, MAX_OBSERVERS, Path, Profile, Verdict};

fn names(bench: &Bench) -> Vec<String> {
    let view = bench.quorum.view(bench.now());
    view.observers.into_iter().map(|observer| observer.name).collect()
}

#[test]
fn one_that_is_dropped_takes_its_votes_and_its_place_along() {
    use Says::{Clear, Dead};
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.say(0, &[Clear, Clear, Clear, Dead, Dead]);
    bench.poll();
    let revision = bench.quorum.revision();
    bench.quorum.retain_observers(|name| name != "o3");
    assert!(bench.quorum.revision() > revision);
    bench.poll();
    assert_eq!(names(&bench), ["o0", "o1", "o2", "o4"]);
    let view = bench.quorum.view(bench.now());
    let cell = view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert_eq!(
        (cell.votes.clear, cell.votes.dead, cell.votes.abstain, cell.fresh),
        (3, 1, 0, 4)
    );
    // It comes back as one that nobody knew, in a place that is free.
    bench.ms += 100;
    bench.say(0, &[Clear, Clear, Clear, Clear, Clear]);
    bench.poll();
    assert_eq!(names(&bench).len(), 5);
    assert_eq!(bench.quorum.view(bench.now()).observers[3].datagrams, 1);
}

#[test]
fn too_few_that_are_left_decide_nothing() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.say(0, &[Says::Clear; 3]);
    assert_eq!(bench.poll().len(), 1);
    bench.quorum.retain_observers(|name| name != "o0");
    bench.ms += 100;
    // The bench sends the others' rows alone.
    for observer in 1..3 {
        let rows = vec![bench.row(0, Says::Dead)];
        let (header, now) = (bench.header(observer), bench.now());
        bench
            .quorum
            .ingest(&crate::Datagram { header, rows }, now)
            .unwrap();
    }
    assert_eq!(bench.poll(), []);
    let view = bench.quorum.view(bench.now());
    let cell = view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert_eq!((cell.verdict, cell.frozen, cell.fresh), (Verdict::Up, true, 2));
}

#[test]
fn places_do_not_run_out() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    for first in [0, 1_000, 2_000] {
        for observer in first..first + MAX_OBSERVERS {
            let rows = vec![bench.row(0, Says::Clear)];
            let (header, now) = (bench.header(observer), bench.now());
            let taken = bench.quorum.ingest(&crate::Datagram { header, rows }, now);
            assert!(taken.is_ok(), "{observer}: {taken:?}");
        }
        bench.quorum.retain_observers(|_| false);
        assert_eq!(names(&bench), [""; 0]);
    }
}
