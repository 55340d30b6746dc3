//! Counters of the hot path, one set a thread, and how they are shown to Prometheus.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_health::Family;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::answer::{Outcome, Transport};
use crate::cookie::CookieSeen;
use crate::gate::GateView;
use crate::meter::Tally;
use crate::server::Server;
use crate::server::shared::Shared;
use crate::server::status::QueryCount;
use crate::wire::{Rcode, rtype};

/// Query types counted by name; the rest are `other`, so that a client cannot make labels.
const TYPES: [(u16, &str); 8] = [
    (rtype::A, "A"),
    (rtype::AAAA, "AAAA"),
    (rtype::SOA, "SOA"),
    (rtype::NS, "NS"),
    (rtype::TXT, "TXT"),
    (rtype::ANY, "ANY"),
    (rtype::HTTPS, "HTTPS"),
    (rtype::SVCB, "SVCB"),
];
const OTHER: usize = TYPES.len();
const RCODES: usize = Rcode::ALL.len();

/// One thread's counters. Only that thread writes them; readers see them a moment late.
#[derive(Debug)]
pub(crate) struct Counters {
    transport: Transport,
    by_type_and_rcode: [[AtomicU64; RCODES]; OTHER + 1],
    pub(crate) tally: Tally,
    pub(crate) dropped: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) panic_answers: AtomicU64,
    pub(crate) send_failed: AtomicU64,
    pub(crate) receive_failed: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) client_connections_refused: AtomicU64,
    pub(crate) cookies_good: AtomicU64,
    pub(crate) cookies_bad: AtomicU64,
    pub(crate) limited_dropped: AtomicU64,
    pub(crate) limited_truncated: AtomicU64,
    pub(crate) proxy_refused: AtomicU64,
}

/// Adds one without a locked instruction; right because one thread alone writes.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            by_type_and_rcode: Default::default(),
            tally: Tally::default(),
            dropped: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            panic_answers: AtomicU64::new(0),
            send_failed: AtomicU64::new(0),
            receive_failed: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            client_connections_refused: AtomicU64::new(0),
            cookies_good: AtomicU64::new(0),
            cookies_bad: AtomicU64::new(0),
            limited_dropped: AtomicU64::new(0),
            limited_truncated: AtomicU64::new(0),
            proxy_refused: AtomicU64::new(0),
        }
    }

    /// Counts one outcome.
    pub(crate) fn count(&self, outcome: &Outcome) {
        let reply = match outcome {
            Outcome::Reply(reply) => reply,
            Outcome::Dropped => return bump(&self.dropped),
        };
        let kind = TYPES
            .iter()
            .position(|(number, _)| *number == reply.qtype)
            .unwrap_or(OTHER);
        if let Some(counter) = self
            .by_type_and_rcode
            .get(kind)
            .and_then(|row| row.get(reply.rcode as usize))
        {
            bump(counter);
        }
        self.tally.count(reply.metered, reply.rcode);
        if reply.truncated {
            bump(&self.truncated);
        }
        if reply.panic {
            bump(&self.panic_answers);
        }
        match reply.cookie {
            CookieSeen::None | CookieSeen::Client => {}
            CookieSeen::Good => bump(&self.cookies_good),
            CookieSeen::Bad => bump(&self.cookies_bad),
        }
    }
}

/// All threads' counters of one transport, type and code, where not 0.
pub(crate) fn query_counts(counters: &[Arc<Counters>]) -> Vec<QueryCount> {
    let mut counts = Vec::new();
    for (transport, label) in [(Transport::Udp, "udp"), (Transport::Tcp, "tcp")] {
        for kind in 0..=OTHER {
            for rcode in Rcode::ALL {
                let count: u64 = counters
                    .iter()
                    .filter(|thread| thread.transport == transport)
                    .filter_map(|thread| thread.by_type_and_rcode.get(kind)?.get(rcode as usize))
                    .map(|counter| counter.load(Ordering::Relaxed))
                    .sum();
                if count > 0 {
                    let kind = TYPES.get(kind).map_or("other", |(_, name)| name);
                    counts.push(QueryCount {
                        transport: label.to_owned(),
                        kind: kind.to_owned(),
                        rcode,
                        count,
                    });
                }
            }
        }
    }
    counts
}

pub(crate) fn sum(counters: &[Arc<Counters>], field: impl Fn(&Counters) -> &AtomicU64) -> u64 {
    counters
        .iter()
        .map(|thread| field(thread).load(Ordering::Relaxed))
        .sum()
}

/// Registers the metrics of several servers of one process; each carries the label `server`.
pub fn register_all(servers: &[&Server], registry: &mut Registry) {
    let shared = servers.iter().map(|server| server.shared()).collect();
    registry.register_collector(Box::new(DnsCollector { servers: shared }));
}

struct DnsCollector {
    servers: Vec<Arc<Shared>>,
}

impl fmt::Debug for DnsCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsCollector")
            .field("servers", &self.servers.len())
            .finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    server: String,
    transport: String,
    qtype: String,
    rcode: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ZoneLabels {
    server: String,
    zone: String,
    rcode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabels {
    server: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GateLabels {
    server: String,
    cluster: String,
    family: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabel {
    server: String,
}

type Read = fn(&Shared) -> u64;

impl Collector for DnsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.queries(&mut encoder)?;
        self.zones(&mut encoder)?;
        self.names(&mut encoder)?;
        self.gates(&mut encoder)?;
        self.held_back(&mut encoder)?;
        self.gray(&mut encoder)?;
        let counters: [(&str, &str, Read); 19] = [
            (
                "lifeboat_dns_dropped",
                "Packets that got no answer: too short, or answers themselves",
                |s| sum(&s.counters, |c| &c.dropped),
            ),
            (
                "lifeboat_dns_truncated",
                "Answers that did not fit and told the client to use TCP",
                |s| sum(&s.counters, |c| &c.truncated),
            ),
            (
                "lifeboat_dns_panic_answers",
                "Answers given while the health of every candidate was in doubt",
                |s| sum(&s.counters, |c| &c.panic_answers),
            ),
            (
                "lifeboat_dns_send_failed",
                "Answers the kernel did not take",
                |s| sum(&s.counters, |c| &c.send_failed),
            ),
            ("lifeboat_dns_receive_failed", "Failed attempts to receive", |s| {
                sum(&s.counters, |c| &c.receive_failed)
            }),
            (
                "lifeboat_dns_tcp_connections_refused",
                "TCP connections over the limit",
                |s| sum(&s.counters, |c| &c.connections_refused),
            ),
            (
                "lifeboat_dns_tcp_client_connections_refused",
                "TCP connections over the limit for one client",
                |s| sum(&s.counters, |c| &c.client_connections_refused),
            ),
            (
                "lifeboat_dns_cookies_good",
                "Queries that showed a DNS cookie of ours, made for that client within the last hour",
                |s| sum(&s.counters, |c| &c.cookies_good),
            ),
            (
                "lifeboat_dns_cookies_bad",
                "Queries that showed a server's DNS cookie that is not ours, or not any more",
                |s| sum(&s.counters, |c| &c.cookies_bad),
            ),
            (
                "lifeboat_dns_rate_limited_dropped",
                "Answers over the rate limit that were not sent",
                |s| sum(&s.counters, |c| &c.limited_dropped),
            ),
            (
                "lifeboat_dns_rate_limited_truncated",
                "Answers over the rate limit that told the client to use TCP",
                |s| sum(&s.counters, |c| &c.limited_truncated),
            ),
            (
                "lifeboat_dns_proxy_refused",
                "Datagrams and connections without a PROXY header that is well-formed and believed, where one is needed",
                |s| sum(&s.counters, |c| &c.proxy_refused),
            ),
            ("lifeboat_dns_samples_written", "Queries sampled to a file", |s| {
                s.samples.written.load(Ordering::Relaxed)
            }),
            (
                "lifeboat_dns_samples_dropped",
                "Samples that the disk did not take, or not in time",
                |s| s.samples.dropped.load(Ordering::Relaxed),
            ),
            ("lifeboat_dns_plans_applied", "Steering plans applied", |s| {
                s.plans.applied.load(Ordering::Relaxed)
            }),
            (
                "lifeboat_dns_plans_refused",
                "Steering plans refused whole",
                |s| s.plans.refused.load(Ordering::Relaxed),
            ),
            (
                "lifeboat_dns_sets_skipped",
                "Record sets in a plan that were older than the one served",
                |s| s.plans.skipped.load(Ordering::Relaxed),
            ),
            (
                "lifeboat_dns_parts_rejected",
                "Zones and names in a plan that were not valid",
                |s| s.plans.rejected.load(Ordering::Relaxed),
            ),
            (
                "lifeboat_dns_last_known_good_saves",
                "Plans written to the state folder",
                |s| s.keeper.state().saves,
            ),
        ];
        for (name, help, read) in counters {
            self.series(&mut encoder, name, help, MetricType::Counter, read)?;
        }
        let gauges: [(&str, &str, Read); 5] = [
            ("lifeboat_dns_ready", "1 once the server answers", |s| {
                u64::from(s.readiness.is_ready())
            }),
            ("lifeboat_dns_names", "Steered names served", |s| {
                s.name_count() as u64
            }),
            (
                "lifeboat_dns_panic_names",
                "Names whose every candidate is in doubt",
                |s| s.panic_names() as u64,
            ),
            ("lifeboat_dns_plan_epoch", "Epoch of the plan served", |s| {
                s.snapshot.load().stamp().map_or(0, |stamp| stamp.epoch)
            }),
            (
                "lifeboat_dns_plan_seq",
                "Sequence number of the plan served",
                |s| s.snapshot.load().stamp().map_or(0, |stamp| stamp.seq),
            ),
        ];
        for (name, help, read) in gauges {
            self.series(&mut encoder, name, help, MetricType::Gauge, read)?;
        }
        Ok(())
    }
}

impl DnsCollector {
    fn series(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        kind: MetricType,
        read: Read,
    ) -> fmt::Result {
        let no_unit: Option<&Unit> = None;
        let mut metric = encoder.encode_descriptor(name, help, no_unit, kind)?;
        for server in &self.servers {
            let labels = ServerLabel {
                server: server.name.clone(),
            };
            let value = read(server);
            let series = metric.encode_family(&labels)?;
            if matches!(kind, MetricType::Counter) {
                ConstCounter::new(value).encode(series)?;
            } else {
                ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(series)?;
            }
        }
        Ok(())
    }

    fn queries(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Queries answered, by transport, type and response code";
        let mut metric =
            encoder.encode_descriptor("lifeboat_dns_queries", help, None, MetricType::Counter)?;
        for server in &self.servers {
            for count in query_counts(&server.counters) {
                let labels = QueryLabels {
                    server: server.name.clone(),
                    transport: count.transport,
                    qtype: count.kind,
                    rcode: count.rcode.to_string(),
                };
                ConstCounter::new(count.count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn zones(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Queries answered, by zone and response code; (other) is what is in none of the zones that are counted";
        let name = "lifeboat_dns_zone_queries";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for server in &self.servers {
            for (zone, rcode, count) in server.meters.zones(&server.counters) {
                let labels = ZoneLabels {
                    server: server.name.clone(),
                    zone,
                    rcode,
                };
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn names(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Queries answered with the addresses or services of a steered name";
        let name = "lifeboat_dns_name_queries";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for server in &self.servers {
            for (name, count) in server.meters.names(&server.counters) {
                let labels = NameLabels {
                    server: server.name.clone(),
                    name,
                };
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn held_back(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while a cluster is held back for flapping: it gets no answers that another can get";
        let mut metric =
            encoder.encode_descriptor("lifeboat_dns_gate_held_back", help, None, MetricType::Gauge)?;
        for server in &self.servers {
            for gate in server.gate_views.load().iter() {
                let value = i64::from(gate.held_back.is_some());
                ConstGauge::new(value).encode(metric.encode_family(&gate_labels(server, gate))?)?;
            }
        }
        Ok(())
    }

    fn gray(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What gray failure leaves of a cluster's weight; part of lifeboat_dns_gate_ratio";
        let mut metric =
            encoder.encode_descriptor("lifeboat_dns_gray_ratio", help, None, MetricType::Gauge)?;
        for server in &self.servers {
            for gate in server.gate_views.load().iter() {
                let left = f64::from(gate.gray.factor_permille) / 1_000.0;
                ConstGauge::new(left).encode(metric.encode_family(&gate_labels(server, gate))?)?;
            }
        }
        Ok(())
    }

    fn gates(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Share of a cluster's plan weight that its health lets through";
        let mut metric =
            encoder.encode_descriptor("lifeboat_dns_gate_ratio", help, None, MetricType::Gauge)?;
        for server in &self.servers {
            for gate in server.gate_views.load().iter() {
                ConstGauge::new(gate.gate).encode(metric.encode_family(&gate_labels(server, gate))?)?;
            }
        }
        Ok(())
    }
}

fn gate_labels(server: &Shared, gate: &GateView) -> GateLabels {
    GateLabels {
        server: server.name.clone(),
        cluster: gate.cluster.clone(),
        family: family_label(gate.family).to_owned(),
    }
}

fn family_label(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}
