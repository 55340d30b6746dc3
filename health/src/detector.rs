//! One target as one observer sees it: raw streaks, timings, hard evidence. No threshold and no hysteresis here;
//! those are the consumer's, so that one observer serves consumers with different profiles.

mod rtt;
mod usual;
mod window;

use std::time::Duration;

pub use rtt::Rtt;
pub use window::Window;

use crate::evidence::{Hard, Row};
use crate::profile::Profile;
use crate::selfcheck::Anchor;
use crate::target::TargetId;
use crate::time::MonoTime;
use usual::Usual;

/// Which of a target's probe series an outcome belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// On a persistent connection, each T.
    Warm,
    /// On a connection made for it, one to every `freshEvery` warm ones.
    Fresh,
}

/// How one probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub series: Series,
    /// When the probe was due and sent.
    pub started: MonoTime,
    /// Time to the connection, where the probe made one.
    pub connect: Option<Duration>,
    /// Time of the TLS handshake, where the probe made one.
    pub tls: Option<Duration>,
    /// Time from the request to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// `Some` for a miss, with what hard evidence it gave.
    pub miss: Option<Hard>,
}

/// A part of a probe that is timed for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From the request on a persistent connection to the first byte.
    Warm,
    /// To a new connection.
    Connect,
    /// The TLS handshake on it.
    Tls,
    /// From the first request on a new connection to the first byte.
    FirstByte,
}

impl Phase {
    pub const ALL: [Phase; 4] = [Phase::Warm, Phase::Connect, Phase::Tls, Phase::FirstByte];

    pub const fn name(self) -> &'static str {
        match self {
            Phase::Warm => "warm",
            Phase::Connect => "connect",
            Phase::Tls => "tls",
            Phase::FirstByte => "first-byte",
        }
    }

    /// How long an answer may take at most, whatever has been learnt. A TLS handshake has the time of two phases:
    /// TLS 1.2, and a TLS 1.3 that has to agree on a group, take two round trips.
    pub fn most_ms(self, profile: &Profile) -> u32 {
        match self {
            Phase::Warm => profile.timeout_max_ms,
            Phase::Connect | Phase::FirstByte => profile.phase_timeout_ms,
            Phase::Tls => profile.phase_timeout_ms.saturating_mul(2),
        }
    }
}

impl Series {
    /// The phase that ends with the answer.
    pub const fn answer(self) -> Phase {
        match self {
            Series::Warm => Phase::Warm,
            Series::Fresh => Phase::FirstByte,
        }
    }
}

/// How long a probe may take now, by phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the request on a persistent connection to the first byte.
    pub warm: Duration,
    /// To a new connection.
    pub connect: Duration,
    /// Of the TLS handshake on it.
    pub tls: Duration,
    /// From the first request on a new connection to the first byte.
    pub first_byte: Duration,
}

impl Timeouts {
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Warm => self.warm,
            Phase::Connect => self.connect,
            Phase::Tls => self.tls,
            Phase::FirstByte => self.first_byte,
        }
    }
}

/// Folds the outcomes of one target's probes into the facts of its row.
#[derive(Clone, Debug)]
pub struct Detector {
    miss_streak: u16,
    /// Of those, the ones since the last answer of any kind.
    silence: u16,
    success_streak: u16,
    error_streak: u8,
    window: Window,
    late: Window,
    errors: Window,
    hard: Hard,
    /// Of all answers, for the timeout.
    warm: Rtt,
    /// Of those in time, for the row.
    in_time: Rtt,
    /// The last answer came after its timeout.
    late_last: bool,
    usual: Usual,
    connect: Rtt,
    tls: Rtt,
    first_byte: Rtt,
    last_warm_miss: Option<MonoTime>,
    last_good: Option<MonoTime>,
    last_outcome: Option<MonoTime>,
    interval: Duration,
}

impl Detector {
    pub fn new(profile: &Profile) -> Detector {
        let least = profile.timeout_min_ms.min(profile.timeout_max_ms);
        let rtt = |phase: Phase| {
            let most = phase.most_ms(profile);
            Rtt::new(least.min(most), most)
        };
        Detector {
            miss_streak: 0,
            silence: 0,
            success_streak: 0,
            error_streak: 0,
            window: Window::default(),
            late: Window::default(),
            errors: Window::default(),
            hard: Hard::NONE,
            warm: rtt(Phase::Warm),
            in_time: rtt(Phase::Warm),
            late_last: false,
            usual: Usual::default(),
            connect: rtt(Phase::Connect),
            tls: rtt(Phase::Tls),
            first_byte: rtt(Phase::FirstByte),
            last_warm_miss: None,
            last_good: None,
            last_outcome: None,
            interval: profile.interval(),
        }
    }

    /// Take in how a probe ended.
    pub fn record(&mut self, outcome: &Outcome, now: MonoTime) {
        match outcome.series {
            Series::Warm => self.record_warm(outcome, now),
            Series::Fresh => self.record_fresh(outcome, now),
        }
    }

    /// Take in a miss that was answered all the same, with an error of the server (5xx) on a traffic path: the miss
    /// stands, and it is no silence.
    pub fn record_error(&mut self, outcome: &Outcome, now: MonoTime) {
        let before = self.error_streak;
        self.record(outcome, now);
        self.silence = 0;
        if outcome.series == Series::Warm {
            self.errors.mark();
            self.error_streak = before.saturating_add(1);
        }
    }

    /// A phase that ended after its probe had been recorded as a miss: the miss stands, but the timeout learns from
    /// it. Without this a jump in latency beyond the timeout would look like silence for ever. An answer that came
    /// late ends the silence.
    pub fn record_late(&mut self, phase: Phase, took: Duration) {
        self.estimate(phase).sample(took);
        match phase {
            Phase::Warm => {
                self.silence = 0;
                self.late_last = true;
                self.late.mark();
            }
            Phase::FirstByte => self.silence = 0,
            Phase::Connect | Phase::Tls => {}
        }
    }

    /// The smoothed time of a phase, late answers included; `None` before the first.
    pub fn smoothed(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Warm => self.warm,
            Phase::Connect => self.connect,
            Phase::Tls => self.tls,
            Phase::FirstByte => self.first_byte,
        }
        .smoothed()
    }

    fn estimate(&mut self, phase: Phase) -> &mut Rtt {
        match phase {
            Phase::Warm => &mut self.warm,
            Phase::Connect => &mut self.connect,
            Phase::Tls => &mut self.tls,
            Phase::FirstByte => &mut self.first_byte,
        }
    }

    /// Whatever became of the probe, what it took to connect is known.
    fn sample_connection(&mut self, outcome: &Outcome) {
        if let Some(connect) = outcome.connect {
            self.connect.sample(connect);
        }
        if let Some(tls) = outcome.tls {
            self.tls.sample(tls);
        }
    }

    /// The misses up to now were the observer's own: it abstains. They are no part of any later streak, or one more miss
    /// after the abstention would make a vote Dead of them.
    pub fn forgive(&mut self) {
        (self.miss_streak, self.silence) = (0, 0);
        self.hard = Hard::NONE;
        self.last_warm_miss = None;
    }

    /// A probe could not be made, for want of something here: no streak goes on over the gap, and the row ages until the next
    /// outcome.
    pub fn lapse(&mut self) {
        self.forgive();
        self.success_streak = 0;
        self.error_streak = 0;
    }

    /// As an anchor, of which an answer is good for `fresh`: one that never answered may still do so before `asked_until`.
    pub fn anchor(&self, fresh: Duration, asked_until: MonoTime, now: MonoTime) -> Anchor {
        match self.last_good {
            Some(answered) if now.saturating_since(answered) <= fresh => Anchor::Answered(self.miss_streak),
            None if now < asked_until => Anchor::Asked,
            Some(_) | None => Anchor::Silent,
        }
    }

    /// After this long the first probe of every target is over: the latest phase within T, and the phases of a new connection.
    pub fn first_round(profile: &Profile) -> Duration {
        let phases = [Phase::Connect, Phase::Tls, Phase::FirstByte].map(|phase| phase.most_ms(profile));
        let round = phases.into_iter().map(u64::from).sum();
        2 * profile.interval() + Duration::from_millis(round)
    }

    /// Whether it ever was good.
    pub fn was_good(&self) -> bool {
        self.last_good.is_some()
    }

    /// Connects are timed once in `freshEvery` probes: their estimate goes on allowing for a slow spell half a minute after
    /// it. So it counts only as far as answers, or the last connect, bear it out.
    pub fn timeout(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Warm => self.warm.timeout(),
            Phase::Connect => {
                let connect = self.connect.timeout();
                let borne_out = |last: Duration| connect.min(self.warm.timeout().max(2 * last));
                self.connect.last().map_or(connect, borne_out)
            }
            Phase::Tls => self.tls.timeout(),
            Phase::FirstByte => self.first_byte.timeout(),
        }
    }

    /// How long a probe may take now, by phase.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            warm: self.timeout(Phase::Warm),
            connect: self.timeout(Phase::Connect),
            tls: self.timeout(Phase::Tls),
            first_byte: self.timeout(Phase::FirstByte),
        }
    }

    /// The facts as of `now`, without those that only users can tell. A target that was never probed has an age that
    /// no profile calls fresh.
    pub fn row(&self, target: TargetId, now: MonoTime) -> Row {
        let age = self.last_outcome.map(|at| now.saturating_since(at).as_millis());
        Row {
            target,
            miss_streak: self.miss_streak,
            heard_at: self.miss_streak - self.silence.min(self.miss_streak),
            success_streak: self.success_streak,
            good_of_100: self.window.good(),
            late_of_100: self.late.good(),
            errors_of_100: self.errors.good(),
            error_streak: self.error_streak,
            hard: self.hard,
            rtt_us: self.round_trip().smoothed().map_or(0, micros),
            usual_rtt_us: self.usual.least().map_or(0, micros),
            user_requests: 0,
            user_errors_permille: 0,
            age_ms: age.map_or(u32::MAX, |ms| u32::try_from(ms).unwrap_or(u32::MAX)),
        }
    }

    /// While answers come late, what they take. The first one in time ends that: what was late before is counted as late, and a
    /// hang that is over is no slow target.
    fn round_trip(&self) -> &Rtt {
        if self.late_last { &self.warm } else { &self.in_time }
    }

    fn record_warm(&mut self, outcome: &Outcome, now: MonoTime) {
        self.last_outcome = Some(now);
        self.sample_connection(outcome);
        self.late.push(false);
        self.errors.push(false);
        self.error_streak = 0;
        match outcome.miss {
            None => {
                if let Some(first_byte) = outcome.first_byte {
                    self.warm.sample(first_byte);
                    self.in_time.sample(first_byte);
                    self.late_last = false;
                }
                if let Some(smoothed) = self.in_time.smoothed() {
                    self.usual.sample(smoothed, now);
                }
                self.window.push(true);
                self.last_good = Some(now);
                (self.miss_streak, self.silence) = (0, 0);
                self.success_streak = self.success_streak.saturating_add(1);
                self.hard = Hard::NONE;
            }
            Some(hard) => {
                self.last_warm_miss = Some(now);
                self.window.push(false);
                self.miss(hard);
            }
        }
    }

    /// A fresh miss counts only beside a warm one, and then it adds what hard evidence it has: the window is missed
    /// already, and missed once. A second count would turn a blip of 400 ms into five misses.
    fn record_fresh(&mut self, outcome: &Outcome, now: MonoTime) {
        self.sample_connection(outcome);
        match outcome.miss {
            None => {
                if let Some(first_byte) = outcome.first_byte {
                    self.first_byte.sample(first_byte);
                }
            }
            Some(hard) => {
                let opened = outcome.started.saturating_sub(self.interval);
                if self.miss_streak > 0 && self.last_warm_miss.is_some_and(|at| at >= opened) {
                    self.last_outcome = Some(now);
                    self.hard = self.hard.union(hard);
                }
            }
        }
    }

    /// Hard evidence holds as long as each further miss brings some; a soft miss takes it back.
    fn miss(&mut self, hard: Hard) {
        self.success_streak = 0;
        self.miss_streak = self.miss_streak.saturating_add(1);
        self.silence = self.silence.saturating_add(1);
        self.hard = if hard.is_empty() {
            Hard::NONE
        } else {
            self.hard.union(hard)
        };
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
