//! One observer: real detectors, timetables and self-check, in its own time. What a prober does with sockets is told here
//! in events: a phase misses at its timeout and is listened to until the largest one.

use std::time::Duration;

use lifeboat_chaos::simulate::Draws;
use lifeboat_health::{
    AbstainReason, Detector, Hard, Header, MonoTime, Outcome, Passive, Path, Phase, Probing, Profile, Report,
    Row, Schedule, SelfCheck, Series, TargetId, encode_table,
};

use super::conditions::Meets;
use super::fleet::Clock;

const HOUR_US: u64 = 3_600_000_000;

/// One observer's process.
pub(super) struct Observer {
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) draws: Draws,
    pub(super) check: SelfCheck,
    /// Of the targets in their order, and after them of the anchors.
    pub(super) probes: Vec<Probed>,
    pub(super) targets: usize,
    header: Header,
    /// It found itself at fault in the last table; that its anchors have not answered yet is no fault.
    pub(super) at_fault: bool,
    /// Events of an earlier life have another one.
    pub(super) life: u32,
    /// Users' requests as reported, by the target's place.
    passive: Passive,
    /// When there last were such reports; windows are empty a while after.
    reported: Option<MonoTime>,
    window: Duration,
    /// How long an anchor's answer is good.
    fresh: Duration,
    /// An anchor that never answered may still do so before.
    asked_until: MonoTime,
    rows: Vec<Row>,
}

/// One target under probing.
pub(super) struct Probed {
    pub(super) id: TargetId,
    pub(super) control: bool,
    pub(super) detector: Detector,
    pub(super) schedule: Schedule,
    /// The chain of losses of its link.
    pub(super) bad: bool,
    pub(super) missed: TrueMisses,
    connected: bool,
}

/// What really happened to the probes of one target, kept apart from the detector that is under test.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrueMisses {
    streak: u32,
    /// Misses in a row that were the observer's own fault; only the first few can count, after those it abstains.
    own: u32,
    /// When the streak last was long enough for a vote Dead, in true time.
    pub(super) dead_us: Option<u64>,
}

/// What a probe comes to, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) series: Series,
    pub(super) started: MonoTime,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// An answer within the timeout.
    Good {
        connect_us: u64,
        first_byte_us: u64,
        timeout_us: u64,
    },
    /// No answer within the timeout.
    TimedOut {
        own_fault: bool,
        timeout_us: u64,
    },
    Broken {
        hard: Hard,
        timeout_us: u64,
    },
    /// A 5xx on a traffic path.
    Error {
        timeout_us: u64,
    },
    LateAnswer {
        first_byte_us: u64,
    },
    LateConnect {
        connect_us: u64,
    },
}

impl Observer {
    pub(super) fn new(
        (name, region): (String, String),
        clock: Clock,
        profile: &Profile,
        targets: &[(TargetId, Path)],
        anchors: usize,
        mut draws: Draws,
    ) -> Observer {
        let now = clock.read(0);
        let mut probed = |id, control| Probed {
            id,
            control,
            detector: Detector::new(profile),
            schedule: Schedule::new(profile, now, draws.bits()),
            bad: false,
            missed: TrueMisses::default(),
            connected: false,
        };
        let probes = targets
            .iter()
            .map(|(id, path)| probed(*id, *path == Path::Control))
            .collect::<Vec<_>>();
        let anchors = (0..anchors)
            .map(|n| probed(TargetId(n as u64), false))
            .collect::<Vec<_>>();
        let header = Header {
            observer: name.clone(),
            region,
            boot: 2 * HOUR_US,
            seq: 1,
            probing: Some(Probing::of(profile)),
            ..Header::default()
        };
        Observer {
            name,
            clock,
            check: SelfCheck::new(profile),
            probes: probes.into_iter().chain(anchors).collect(),
            targets: targets.len(),
            header,
            at_fault: false,
            life: 0,
            passive: passive(profile, targets.len()),
            reported: None,
            window: profile.gray_window(),
            fresh: profile.fresh(),
            asked_until: now + Detector::first_round(profile),
            rows: Vec::with_capacity(targets.len()),
            draws,
        }
    }

    /// The process starts anew and knows nothing.
    pub(super) fn restart(&mut self, profile: &Profile, now_us: u64, clock_set_back: bool) {
        let now = self.clock.read(now_us);
        self.life += 1;
        self.at_fault = false;
        // As in a real observer a stamp of the start, by a wall clock that may be an hour slow.
        let slow_us = if clock_set_back { HOUR_US } else { 0 };
        self.header.boot = 2 * HOUR_US + now_us - slow_us;
        self.header.seq = 1;
        self.check = SelfCheck::new(profile);
        self.asked_until = now + Detector::first_round(profile);
        self.passive = passive(profile, self.targets);
        for probed in &mut self.probes {
            probed.detector = Detector::new(profile);
            probed.schedule = Schedule::new(profile, now, self.draws.bits());
            // What it had missed before may still be on its way as evidence.
            probed.missed = TrueMisses {
                dead_us: probed.missed.dead_us,
                ..TrueMisses::default()
            };
            probed.connected = false;
        }
    }

    /// A probe that is due is sent. Whether one on a fresh connection goes with it.
    pub(super) fn launch(&mut self, at: usize, now: MonoTime) -> bool {
        let draw = self.draws.bits();
        let schedule = &mut self.probes[at].schedule;
        let lag = now.saturating_since(schedule.due());
        let fresh = schedule.advance(now, draw);
        self.check.record_lag(lag, now);
        fresh
    }

    /// What becomes of a probe sent now: its endings, each with its delay in microseconds of the observer's clock.
    pub(super) fn probe(
        &mut self,
        at: usize,
        series: Series,
        meets: Meets,
        profile: &Profile,
        mut ends: impl FnMut(u64, What),
    ) {
        let probed = &mut self.probes[at];
        let detector = &probed.detector;
        let timeout_us = |phase| u64::try_from(detector.timeout(phase).as_micros()).unwrap_or(u64::MAX);
        let phase_us = u64::from(profile.phase_timeout_ms) * 1_000;
        let timed_out = |timeout_us| What::TimedOut {
            own_fault: false,
            timeout_us,
        };
        let kept = series == Series::Warm && probed.connected;
        let first_us = timeout_us(if kept { Phase::Warm } else { Phase::Connect });
        match meets {
            Meets::Silence { own_fault } => {
                probed.connected &= series == Series::Fresh;
                ends(
                    first_us,
                    What::TimedOut {
                        own_fault,
                        timeout_us: first_us,
                    },
                );
            }
            Meets::Refused { rtt_us } => {
                probed.connected &= series == Series::Fresh;
                let mut before_us = 0;
                if kept {
                    if rtt_us > first_us {
                        ends(first_us, timed_out(first_us));
                        return;
                    }
                    // A kept connection is reset, and made anew at once to be refused.
                    before_us = rtt_us;
                }
                let connect_us = timeout_us(Phase::Connect);
                let timeout_us = before_us + connect_us;
                if rtt_us > connect_us {
                    ends(timeout_us, timed_out(timeout_us));
                } else {
                    let hard = Hard::REFUSED;
                    ends(before_us + rtt_us, What::Broken { hard, timeout_us });
                }
            }
            Meets::Answer {
                rtt_us,
                answer_us,
                server_error,
            } => {
                let mut before_us = 0;
                if !kept {
                    if rtt_us > first_us {
                        ends(first_us, timed_out(first_us));
                        if rtt_us <= phase_us {
                            ends(rtt_us, What::LateConnect { connect_us: rtt_us });
                            probed.connected |= series == Series::Warm;
                        }
                        return;
                    }
                    before_us = rtt_us;
                }
                let soft_us = timeout_us(series.answer());
                let timeout_us = before_us + soft_us;
                if answer_us <= soft_us {
                    probed.connected |= series == Series::Warm;
                    let what = match (server_error, probed.control) {
                        (false, _) => What::Good {
                            connect_us: before_us,
                            first_byte_us: answer_us,
                            timeout_us,
                        },
                        (true, false) => What::Error { timeout_us },
                        (true, true) => What::Broken {
                            hard: Hard::SERVER_ERROR,
                            timeout_us,
                        },
                    };
                    ends(before_us + answer_us, what);
                } else {
                    // A connection that timed out is dropped, whatever came later.
                    probed.connected &= series == Series::Fresh;
                    ends(timeout_us, timed_out(timeout_us));
                    if answer_us <= u64::from(profile.late_ms) * 1_000 {
                        ends(
                            before_us + answer_us,
                            What::LateAnswer {
                                first_byte_us: answer_us,
                            },
                        );
                    }
                }
            }
        }
    }

    /// A probe ended. `overslept_us`: how much later than it ended the process took notice.
    pub(super) fn end(
        &mut self,
        at: usize,
        ending: &Ending,
        now_us: u64,
        overslept_us: u64,
        profile: &Profile,
    ) {
        let now = self.clock.read(now_us);
        let probed = &mut self.probes[at];
        let took = |us: u64| Duration::from_micros(us + overslept_us);
        if let What::Good { timeout_us, .. }
        | What::TimedOut { timeout_us, .. }
        | What::Broken { timeout_us, .. }
        | What::Error { timeout_us } = ending.what
        {
            // The loop woke too late for any of them to say anything.
            let late = now.saturating_since(ending.started + Duration::from_micros(timeout_us));
            if late > profile.loop_lag() {
                self.check.record_lag(late, now);
                return;
            }
        }
        let mut outcome = Outcome {
            series: ending.series,
            started: ending.started,
            connect: None,
            tls: None,
            first_byte: None,
            miss: None,
        };
        match ending.what {
            What::Good {
                connect_us,
                first_byte_us,
                timeout_us: _,
            } => {
                outcome.connect = (connect_us > 0).then(|| Duration::from_micros(connect_us));
                outcome.first_byte = Some(took(first_byte_us));
                probed.detector.record(&outcome, now);
                probed.missed.good(ending.series);
            }
            What::TimedOut {
                own_fault,
                timeout_us: _,
            } => {
                outcome.miss = Some(Hard::NONE);
                probed.detector.record(&outcome, now);
                probed
                    .missed
                    .missed(ending.series, Hard::NONE, own_fault, now_us, profile);
            }
            What::Broken { hard, timeout_us: _ } => {
                outcome.miss = Some(hard);
                probed.detector.record(&outcome, now);
                probed.missed.missed(ending.series, hard, false, now_us, profile);
            }
            What::Error { timeout_us: _ } => {
                outcome.miss = Some(Hard::NONE);
                probed.detector.record_error(&outcome, now);
                probed.missed.heard();
            }
            What::LateAnswer { first_byte_us } => {
                let most = Duration::from_millis(profile.late_ms.into());
                // Behind a pause of the process it is not known when it came.
                if took(first_byte_us) <= most + profile.loop_lag() {
                    probed.missed.heard();
                    probed
                        .detector
                        .record_late(ending.series.answer(), took(first_byte_us));
                }
            }
            What::LateConnect { connect_us } => {
                let most = Duration::from_millis(Phase::Connect.most_ms(profile).into());
                if took(connect_us) <= most + profile.loop_lag() {
                    probed.detector.record_late(Phase::Connect, took(connect_us));
                }
            }
        }
    }

    /// Twenty requests a target since the last table; of some 40 % were answered 5xx.
    fn take_reports(&mut self, users_fail: &[bool], now: MonoTime) {
        let reports: Vec<Report> = users_fail
            .iter()
            .enumerate()
            .map(|(at, fails)| Report {
                cluster: at.to_string(),
                requests: 20,
                server_errors: if *fails { 8 } else { 0 },
            })
            .collect();
        if !reports.is_empty() && self.passive.add(&reports, now).is_ok() {
            self.reported = Some(now);
        }
    }

    /// The table as datagrams, and why the observer abstains, if it does. `users_fail`: by target, as somebody reports it now;
    /// empty where nobody does.
    pub(super) fn table(
        &mut self,
        now: MonoTime,
        users_fail: &[bool],
        emit: impl FnMut(Vec<u8>),
    ) -> Option<AbstainReason> {
        self.take_reports(users_fail, now);
        let anchors = self.probes[self.targets..]
            .iter()
            .map(|anchor| anchor.detector.anchor(self.fresh, self.asked_until, now));
        self.check.judge_anchors(anchors, now);
        let reason = self.check.abstains(now);
        let abstain = reason.is_some();
        self.rows.clear();
        let targets = &self.probes[..self.targets];
        self.rows
            .extend(targets.iter().map(|probed| probed.detector.row(probed.id, now)));
        if self
            .reported
            .is_some_and(|at| now.saturating_since(at) <= 2 * self.window)
        {
            for (at, row) in self.rows.iter_mut().enumerate() {
                let counted = self.passive.counted(&at.to_string(), now);
                (row.user_requests, row.user_errors_permille) = counted.facts();
            }
        }
        if abstain {
            let targets = &mut self.probes[..self.targets];
            targets.iter_mut().for_each(|probed| probed.detector.forgive());
        }
        self.header.sent_at = now;
        self.header.abstain = abstain;
        self.header.seq = encode_table(&self.header, &self.rows, emit);
        reason
    }
}

/// A window for the users of each target, by its place.
fn passive(profile: &Profile, targets: usize) -> Passive {
    let names: Vec<String> = (0..targets).map(|at| at.to_string()).collect();
    let mut passive = Passive::new(profile.gray_window());
    passive.know(names.iter().map(String::as_str));
    passive
}

impl TrueMisses {
    /// An answer, late or wrong: what is missed before it is no part of a death.
    fn heard(&mut self) {
        self.streak = 0;
    }

    fn good(&mut self, series: Series) {
        if series == Series::Warm {
            (self.streak, self.own) = (0, 0);
        }
    }

    fn missed(&mut self, series: Series, hard: Hard, own_fault: bool, now_us: u64, profile: &Profile) {
        if series == Series::Warm {
            self.own = if own_fault { self.own + 1 } else { 0 };
            if self.own <= profile.anchor_misses + 1 {
                self.streak += 1;
            }
        }
        let enough = if hard.is_empty() {
            profile.dead_misses
        } else {
            profile.hard_misses
        };
        if self.streak >= enough && self.own <= profile.anchor_misses + 1 {
            self.dead_us = Some(now_us);
        }
    }
}
