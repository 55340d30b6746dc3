//! Live figures for a console: what the prober and the users saw in the last seconds.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

/// Whole seconds that rates are averaged over.
const WINDOW_S: usize = 5;

/// Shared by the prober, the users and whoever shows them; clones share the figures.
#[derive(Clone)]
pub struct LiveStats {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    origin: Instant,
    /// The current second first, then the complete ones.
    seconds: VecDeque<Second>,
    servers: Vec<String>,
    totals: Second,
}

#[derive(Clone, Default)]
struct Second {
    number: u64,
    ok: u64,
    failed: u64,
    dns: Vec<DnsSecond>,
}

#[derive(Clone, Copy, Default)]
struct DnsSecond {
    answered: u64,
    no_answer: u64,
    bad: u64,
    latency_us: u64,
    latency_max_us: u64,
}

/// The figures at one moment; rates are averages over the last five whole seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSnapshot {
    /// The synthetic users.
    pub users: UserRates,
    /// One for each DNS server.
    pub dns: Vec<DnsRates>,
}

/// What the synthetic users see.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRates {
    /// Requests answered with 200, a second.
    pub ok_per_s: f64,
    /// Other requests, a second.
    pub failed_per_s: f64,
    /// Requests since the start.
    pub requests: u64,
    /// Of these failed.
    pub failed: u64,
}

/// What one DNS server answers to the prober.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsRates {
    /// Its address.
    pub server: String,
    /// Answers a second.
    pub qps: f64,
    /// Mean time to an answer.
    pub latency_us: u64,
    /// The slowest answer.
    pub latency_max_us: u64,
    /// Queries since the start.
    pub queries: u64,
    /// Of these without an answer.
    pub no_answer: u64,
    /// Of these answered by an error or without an address.
    pub bad: u64,
}

/// How a probe ended, for the live figures.
#[derive(Clone, Copy)]
pub(super) enum Probe {
    Answered(Duration),
    Bad(Duration),
    NoAnswer,
}

impl LiveStats {
    /// Empty figures for these DNS servers.
    pub fn new(servers: impl IntoIterator<Item = impl ToString>) -> Self {
        let servers = servers.into_iter().map(|server| server.to_string()).collect();
        let shared = Shared {
            origin: Instant::now(),
            seconds: VecDeque::new(),
            servers,
            totals: Second::default(),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    pub(super) fn request(&self, ok: bool) {
        let mut shared = self.shared.lock();
        shared.each(|second| if ok { second.ok += 1 } else { second.failed += 1 });
    }

    pub(super) fn probe(&self, server: usize, probe: Probe) {
        let mut shared = self.shared.lock();
        shared.each(|second| {
            if second.dns.len() <= server {
                second.dns.resize(server + 1, DnsSecond::default());
            }
            let dns = &mut second.dns[server];
            let latency = match probe {
                Probe::NoAnswer => {
                    dns.no_answer += 1;
                    return;
                }
                Probe::Bad(latency) => {
                    dns.bad += 1;
                    latency
                }
                Probe::Answered(latency) => latency,
            };
            let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            dns.answered += 1;
            dns.latency_us = dns.latency_us.saturating_add(latency_us);
            dns.latency_max_us = dns.latency_max_us.max(latency_us);
        });
    }

    /// The figures now.
    pub fn snapshot(&self) -> LiveSnapshot {
        let mut shared = self.shared.lock();
        shared.turn();
        let complete: Vec<&Second> = shared.seconds.iter().skip(1).collect();
        let per_s = |sum: u64| sum as f64 / complete.len().max(1) as f64;
        let totals = &shared.totals;
        let dns = shared.servers.iter().enumerate().map(|(index, server)| {
            let of = |second: &Second| second.dns.get(index).copied().unwrap_or_default();
            let sum =
                |field: fn(DnsSecond) -> u64| complete.iter().map(|second| field(of(second))).sum::<u64>();
            let answered = sum(|dns| dns.answered);
            let total = of(totals);
            DnsRates {
                server: server.clone(),
                qps: per_s(answered),
                latency_us: sum(|dns| dns.latency_us).checked_div(answered).unwrap_or(0),
                latency_max_us: complete
                    .iter()
                    .map(|second| of(second).latency_max_us)
                    .max()
                    .unwrap_or(0),
                queries: total.answered + total.no_answer,
                no_answer: total.no_answer,
                bad: total.bad,
            }
        });
        LiveSnapshot {
            users: UserRates {
                ok_per_s: per_s(complete.iter().map(|second| second.ok).sum()),
                failed_per_s: per_s(complete.iter().map(|second| second.failed).sum()),
                requests: totals.ok + totals.failed,
                failed: totals.failed,
            },
            dns: dns.collect(),
        }
    }
}

impl Shared {
    /// Counts in the current second and in the totals.
    fn each(&mut self, mut count: impl FnMut(&mut Second)) {
        self.turn();
        if let Some(second) = self.seconds.front_mut() {
            count(second);
        }
        count(&mut self.totals);
    }

    /// Opens the current second, empty ones before it included.
    fn turn(&mut self) {
        let now = self.origin.elapsed().as_secs();
        let last = self.seconds.front().map_or(now, |second| second.number);
        if self.seconds.is_empty() || now.saturating_sub(last) > WINDOW_S as u64 {
            self.seconds.clear();
            self.seconds.push_front(Second {
                number: now,
                ..Second::default()
            });
        }
        for number in last + 1..=now {
            if self.seconds.front().is_some_and(|second| second.number < number) {
                self.seconds.push_front(Second {
                    number,
                    ..Second::default()
                });
            }
        }
        self.seconds.truncate(WINDOW_S + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rates_are_averages_over_whole_seconds() {
        let live = LiveStats::new(["a", "b"]);
        for _ in 0..3 {
            for _ in 0..10 {
                live.request(true);
                live.probe(1, Probe::Answered(Duration::from_micros(300)));
            }
            live.request(false);
            live.probe(1, Probe::NoAnswer);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let shown = live.snapshot();
        assert_eq!(
            shown.users,
            UserRates {
                ok_per_s: 10.0,
                failed_per_s: 1.0,
                requests: 33,
                failed: 3
            }
        );
        assert_eq!((shown.dns[0].qps, shown.dns[0].queries), (0.0, 0));
        assert_eq!(
            (shown.dns[1].qps, shown.dns[1].latency_us, shown.dns[1].no_answer),
            (10.0, 300, 3)
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(live.snapshot().users.ok_per_s, 0.0);
        assert_eq!(live.snapshot().users.requests, 33);
    }
}
