//! A quorum that is fed by hand, one vote at a time.

use std::collections::BTreeMap;

use super::lab::targets;
use crate::{Datagram, Hard, Header, MonoTime, Path, Profile, Quorum, Row, Target, Transition, Verdict};

/// A quorum over traffic paths, fed by hand.
pub(super) struct Bench {
    pub(super) quorum: Quorum,
    pub(super) targets: Vec<Target>,
    seq: BTreeMap<usize, u64>,
    pub(super) ms: u64,
}

/// What one observer says about one target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    Clear,
    Suspect,
    Dead,
    Hard,
    Steady,
    Nothing,
    /// In time, and a hundred times slower than usual.
    Slow,
    /// After the timeout, for two seconds now.
    Late,
    /// Nothing but 5xx for two seconds.
    Failing,
    /// Probes are answered; 40 % of users' requests fail.
    UsersFail,
}

impl Bench {
    pub(super) fn new(clusters: &[&str], profile: Profile) -> Bench {
        let targets: Vec<Target> = targets(clusters)
            .into_iter()
            .filter(|t| t.path == Path::Traffic)
            .collect();
        Bench {
            quorum: Quorum::new(targets.clone(), profile),
            targets,
            seq: BTreeMap::new(),
            ms: 1_000,
        }
    }

    pub(super) fn now(&self) -> MonoTime {
        MonoTime::from_millis(self.ms)
    }

    pub(super) fn header(&mut self, observer: usize) -> Header {
        let seq = self.seq.entry(observer).or_default();
        *seq += 1;
        Header {
            observer: format!("o{observer}"),
            region: "r".into(),
            boot: 5,
            seq: *seq,
            sent_at: MonoTime::from_millis(self.ms),
            abstain: false,
            probing: None,
        }
    }

    pub(super) fn row(&self, target: usize, says: Says) -> Row {
        let row = Row {
            target: self.targets[target].id(),
            good_of_100: 50,
            ..Row::default()
        };
        match says {
            Says::Clear => Row {
                success_streak: 3,
                ..row
            },
            Says::Steady => Row {
                success_streak: 200,
                good_of_100: 100,
                ..row
            },
            Says::Suspect => Row {
                miss_streak: 3,
                ..row
            },
            Says::Dead => Row {
                miss_streak: 5,
                ..row
            },
            Says::Hard => Row {
                miss_streak: 3,
                hard: Hard::REFUSED,
                ..row
            },
            Says::Slow => Row {
                success_streak: 50,
                rtt_us: 200_000,
                usual_rtt_us: 2_000,
                ..row
            },
            Says::Late => Row {
                miss_streak: 20,
                heard_at: 19,
                late_of_100: 20,
                rtt_us: 500_000,
                usual_rtt_us: 2_000,
                ..row
            },
            Says::Failing => Row {
                miss_streak: 20,
                heard_at: 20,
                errors_of_100: 20,
                error_streak: 20,
                ..row
            },
            Says::UsersFail => Row {
                success_streak: 50,
                user_requests: 900,
                user_errors_permille: 400,
                ..row
            },
            Says::Nothing => Row {
                success_streak: 1,
                ..row
            },
        }
    }

    /// One datagram from each observer about one target.
    pub(super) fn say(&mut self, target: usize, votes: &[Says]) {
        for (observer, says) in votes.iter().enumerate() {
            let rows = vec![self.row(target, *says)];
            let header = self.header(observer);
            let now = self.now();
            self.quorum.ingest(&Datagram { header, rows }, now).unwrap();
        }
    }

    pub(super) fn poll(&mut self) -> Vec<Transition> {
        let now = self.now();
        self.quorum.poll(now)
    }

    /// The same votes each 100 ms for a while; the verdicts reached.
    pub(super) fn hold(&mut self, target: usize, votes: &[Says], for_ms: u64) -> Vec<Verdict> {
        let end = self.ms + for_ms;
        let mut reached = Vec::new();
        while self.ms < end {
            self.say(target, votes);
            reached.extend(self.poll().into_iter().map(|t| t.to));
            self.ms += 100;
        }
        reached
    }
}
