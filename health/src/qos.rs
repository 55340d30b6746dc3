//! Quality of service of the detector, in the terms of Chen, Toueg and Aguilera ("On the Quality of Service of Failure
//! Detectors", IEEE Transactions on Computers 51(5), 2002), as far as a consumer can tell without knowing the truth. Pure.
//!
//! - Detection time, T_D: from the moment since which q observers get no answer to the verdict.
//! - A mistake: a Suspect that ended as Up, or a Down that ended within `downWindowMs`; not where an observer had hard evidence.
//!   What comes back that fast was not restarted: it was lost packets, or a blip that nothing here can tell from them, so
//!   mistakes are counted too many rather than too few.
//! - Mistake duration, T_M, and mistake recurrence, T_MR: from the start of a mistake to its end, and to the next one's start.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::profile::Profile;
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict, Witness};
use crate::view::CellKey;

/// What a transition told of the detector's quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A Suspect or Down was reached, this long after q observers' silence began.
    Detected { verdict: Verdict, took: Duration },
    /// A Suspect or Down is over, and was a mistake.
    Mistaken {
        verdict: Verdict,
        lasted: Duration,
        /// From the start of the mistake before it, of the same target and verdict.
        recurred: Option<Duration>,
    },
}

/// Follows the verdicts of one consumer. Memory: a few words for each target that was ever Suspect or Down.
#[derive(Clone, Debug, Default)]
pub struct Qos {
    standing: BTreeMap<CellKey, Standing>,
    /// The starts of the last mistakes.
    mistakes: BTreeMap<(CellKey, Verdict), MonoTime>,
}

/// A Suspect or Down that is not over.
#[derive(Clone, Copy, Debug)]
struct Standing {
    verdict: Verdict,
    since: MonoTime,
    /// Some observer had hard evidence for it.
    hard: bool,
}

impl Qos {
    /// Take in a transition; what is to be measured of it, at most one of each kind.
    pub fn record(&mut self, transition: &Transition, profile: &Profile) -> Vec<Measured> {
        let Transition {
            cluster,
            path,
            family,
            from,
            to,
            at,
            q,
            evidence,
            ..
        } = transition;
        let key = (cluster.clone(), *path, *family);
        let mut measured = Vec::new();
        if let Some(standing) = self.standing.remove(&key)
            && is_mistake(standing, *to, *at, profile)
        {
            let Standing { verdict, since, .. } = standing;
            let before = self.mistakes.insert((key.clone(), verdict), since);
            measured.push(Measured::Mistaken {
                verdict,
                lasted: at.saturating_since(since),
                recurred: before.map(|before| since.saturating_since(before)),
            });
        }
        if matches!(to, Verdict::Suspect | Verdict::Down) {
            let silent = silences(evidence);
            let hard = evidence
                .iter()
                .any(|seen| seen.counted && seen.silent_ms.is_some() && !seen.hard.is_empty());
            let standing = Standing {
                verdict: *to,
                since: *at,
                hard,
            };
            // A Suspect of what answers late or with errors is not about silence.
            if let Some(took) = nth(&silent, *q) {
                self.standing.insert(key, standing);
                // What was silent before this consumer began was not detected by it.
                if *from != Verdict::Unknown {
                    measured.push(Measured::Detected { verdict: *to, took });
                }
            }
        }
        measured
    }

    /// Forget all targets but these.
    pub fn retain(&mut self, keep: impl Fn(&CellKey) -> bool) {
        self.standing.retain(|key, _| keep(key));
        self.mistakes.retain(|(key, _), _| keep(key));
    }
}

fn is_mistake(standing: Standing, to: Verdict, at: MonoTime, profile: &Profile) -> bool {
    let short = at.saturating_since(standing.since) <= profile.down_window();
    !standing.hard
        && match standing.verdict {
            Verdict::Suspect => to == Verdict::Up,
            Verdict::Down => short,
            Verdict::Unknown | Verdict::Up | Verdict::Recovering => false,
        }
}

/// For how long each observer that counted had got no answer; the longest first.
fn silences(evidence: &[Witness]) -> Vec<Duration> {
    let counted = evidence.iter().filter(|seen| seen.counted);
    let mut silences: Vec<Duration> = counted
        .filter_map(|seen| Some(Duration::from_millis(seen.silent_ms?.into())))
        .collect();
    silences.sort_unstable_by(|a, b| b.cmp(a));
    silences
}

fn nth(silences: &[Duration], q: u32) -> Option<Duration> {
    let at = usize::try_from(q).ok()?.checked_sub(1)?;
    silences.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Hard;
    use crate::target::{Family, Path};
    use crate::vote::Vote;
    use Verdict::{Down, Recovering, Suspect, Unknown, Up};

    /// Five observers, of whom each has been silent for that many milliseconds.
    fn transition(
        from: Verdict,
        to: Verdict,
        at_ms: u64,
        silent: [Option<u32>; 5],
        hard: Hard,
    ) -> Transition {
        let witness = |silent_ms| Witness {
            observer: "o".to_owned(),
            region: String::new(),
            vote: Vote::Dead,
            miss_streak: 5,
            silence: 5,
            success_streak: 0,
            hard,
            age_ms: 0,
            rtt_us: 0,
            dead_ms: None,
            silent_ms,
            counted: true,
            abstains: false,
        };
        Transition {
            cluster: "a".to_owned(),
            path: Path::Traffic,
            family: Family::V4,
            from,
            to,
            at: MonoTime::from_millis(at_ms),
            q: 4,
            fresh: 5,
            evidence: silent.map(witness).into(),
            reason: String::new(),
        }
    }

    const LATELY: [Option<u32>; 5] = [Some(300), Some(320), Some(290), Some(9_000), None];

    /// Verdicts as (from, to, at); what was measured of them.
    #[track_caller]
    fn check(hard: Hard, steps: &[(Verdict, Verdict, u64)], expected: &[Measured]) {
        let (mut qos, mut found) = (Qos::default(), Vec::new());
        for (from, to, at) in steps {
            found.extend(qos.record(&transition(*from, *to, *at, LATELY, hard), &Profile::fast()));
        }
        assert_eq!(found, expected, "{steps:?}");
    }

    const fn detected(verdict: Verdict) -> Measured {
        Measured::Detected {
            verdict,
            took: Duration::from_millis(290),
        }
    }

    fn mistaken(verdict: Verdict, lasted: u64, recurred: Option<u64>) -> Measured {
        Measured::Mistaken {
            verdict,
            lasted: Duration::from_millis(lasted),
            recurred: recurred.map(Duration::from_millis),
        }
    }

    #[test]
    fn a_detection_takes_as_long_as_q_observers_have_been_silent() {
        check(
            Hard::NONE,
            &[(Up, Suspect, 1_000), (Suspect, Down, 1_200)],
            &[detected(Suspect), detected(Down)],
        );
        check(Hard::NONE, &[(Unknown, Down, 1_000)], &[]);
    }

    #[test]
    fn what_comes_back_at_once_was_a_mistake() {
        let two = [
            (Up, Suspect, 1_000),
            (Suspect, Up, 1_400),
            (Up, Suspect, 9_000),
            (Suspect, Up, 9_100),
        ];
        let (first, second) = (mistaken(Suspect, 400, None), mistaken(Suspect, 100, Some(8_000)));
        check(
            Hard::NONE,
            &two,
            &[detected(Suspect), first, detected(Suspect), second],
        );
        let blip = [(Up, Down, 1_000), (Down, Recovering, 2_500)];
        check(Hard::NONE, &blip, &[detected(Down), mistaken(Down, 1_500, None)]);
        check(Hard::REFUSED, &blip, &[detected(Down)]);
        let outage = [(Up, Down, 1_000), (Down, Recovering, 2_501)];
        check(Hard::NONE, &outage, &[detected(Down)]);
    }

    #[test]
    fn late_answers_are_no_silence() {
        let mut qos = Qos::default();
        let gray = transition(Up, Suspect, 1_000, [None; 5], Hard::NONE);
        assert_eq!(qos.record(&gray, &Profile::fast()), []);
        let over = transition(Suspect, Up, 1_100, [None; 5], Hard::NONE);
        assert_eq!(qos.record(&over, &Profile::fast()), []);
    }
}
