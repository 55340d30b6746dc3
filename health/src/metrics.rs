//! Metrics of observers and consumers. One struct serves every observer or consumer of a process, by label.

mod qos;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

pub use qos::{QosLabel, QosMetrics, QosTargetLabel, TargetLabel};

/// `{observer}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObserverLabel {
    pub observer: String,
}

/// `{observer, result}` or `{observer, reason}`, by the metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObserverResultLabel {
    pub observer: String,
    pub result: &'static str,
}

/// `{observer, phase}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObserverPhaseLabel {
    pub observer: String,
    pub phase: &'static str,
}

/// `{observer, target}`, the target as `cluster/path/family`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObserverTargetLabel {
    pub observer: String,
    pub target: String,
}

/// `{consumer}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConsumerLabel {
    pub consumer: String,
}

/// `{consumer, result}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConsumerResultLabel {
    pub consumer: String,
    pub result: &'static str,
}

/// `{consumer, cluster, path, family, to}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TransitionLabel {
    pub consumer: String,
    pub cluster: String,
    pub path: String,
    pub family: String,
    pub to: String,
}

/// `{consumer, vote}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VoteLabel {
    pub consumer: String,
    pub vote: &'static str,
}

/// `{consumer, observer}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HeardLabel {
    pub consumer: String,
    pub observer: String,
}

/// `{who}`: the name of an observer or of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WhoLabel {
    pub who: String,
}

/// Days until the certificates expire with which observers and consumers know each other.
pub type OwnCertificates = Family<WhoLabel, Gauge<f64, AtomicU64>>;

/// What observers count.
#[derive(Clone, Debug)]
pub struct ObserverMetrics {
    /// Probes by how they ended: good, missed, error (5xx on a traffic path), late, skipped, discarded, local, unusable.
    pub probes: Family<ObserverResultLabel, Counter>,
    /// Datagrams by what became of them: sent, dropped (no connection, or no room).
    pub datagrams: Family<ObserverResultLabel, Counter>,
    /// Times the observer began to abstain, by reason.
    pub abstentions: Family<ObserverResultLabel, Counter>,
    /// Connections lost, or that could not be made.
    pub reconnects: Family<ObserverLabel, Counter>,
    /// The longest delay of the observer's loop within the last second.
    pub loop_lag: Family<ObserverLabel, Gauge<f64, AtomicU64>>,
    /// How late the observer's loop woke, measured every 10 ms.
    pub loop_delay: Family<ObserverLabel, Histogram>,
    /// What the phases of probes took: warm, connect, tls, first-byte.
    pub phases: Family<ObserverPhaseLabel, Histogram>,
    /// Days until a target's certificate ends.
    pub certificate_expiry: Family<ObserverTargetLabel, Gauge<f64, AtomicU64>>,
    /// Heartbeats by what became of them: accepted, challenged, replayed, unknown, forged, malformed.
    pub heartbeats: Family<ObserverResultLabel, Counter>,
    /// Reports of users' requests by what became of them: counted, refused.
    pub reports: Family<ObserverResultLabel, Counter>,
    /// Targets that are probed, and probers that do it: targets of one address and check share one.
    pub targets: Family<ObserverResultLabel, Gauge>,
    /// One metric of a process, so [`ObserverMetrics::register`] leaves it out: an observer alone registers it by
    /// [`register_own_certificates`], one beside consumers shares theirs.
    pub own_certificates: OwnCertificates,
}

impl Default for ObserverMetrics {
    fn default() -> ObserverMetrics {
        ObserverMetrics {
            probes: Family::default(),
            datagrams: Family::default(),
            abstentions: Family::default(),
            reconnects: Family::default(),
            loop_lag: Family::default(),
            loop_delay: Family::new_with_constructor(delay_histogram),
            phases: Family::new_with_constructor(phase_histogram),
            certificate_expiry: Family::default(),
            heartbeats: Family::default(),
            reports: Family::default(),
            targets: Family::default(),
            own_certificates: Family::default(),
        }
    }
}

/// From a neighbour's 250 µs to the other side of the earth, and on to the largest timeouts.
fn phase_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 15))
}

/// From a timer's own grain to far beyond what an observer abstains at.
fn delay_histogram() -> Histogram {
    Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5])
}

/// What consumers count.
#[derive(Clone, Debug, Default)]
pub struct ConsumerMetrics {
    /// Datagrams by what became of them: accepted, or the reason of the rejection.
    pub datagrams: Family<ConsumerResultLabel, Counter>,
    /// Rows by what became of them: accepted, stale, unknown, probed-otherwise.
    pub rows: Family<ConsumerResultLabel, Counter>,
    /// Changes of verdict.
    pub transitions: Family<TransitionLabel, Counter>,
    /// Votes that stand now, over all targets.
    pub votes: Family<VoteLabel, Gauge>,
    /// Observers that abstain now.
    pub abstaining: Family<ConsumerLabel, Gauge>,
    /// How many more observers must be listed, or where none are listed heard, before anything can be decided.
    pub lacking: Family<ConsumerLabel, Gauge>,
    /// Targets whose verdict is frozen now.
    pub frozen: Family<ConsumerLabel, Gauge>,
    /// Traffic targets that are gray now.
    pub gray: Family<ConsumerLabel, Gauge>,
    /// Seconds since each observer's last datagram.
    pub evidence_age: Family<HeardLabel, Gauge<f64, AtomicU64>>,
    /// 1 while an observer abstains, 0 otherwise.
    pub abstains: Family<HeardLabel, Gauge>,
    /// 1 while rows of an observer do not count since it probes otherwise than the profile can judge, 0 otherwise.
    pub refused: Family<HeardLabel, Gauge>,
    /// The longest silence in an observer's fresh rows, in misses.
    pub longest_silence: Family<HeardLabel, Gauge>,
    /// How well the detector does.
    pub qos: QosMetrics,
    /// Targets that some observer regions reach and others do not, now.
    pub partial: Family<ConsumerLabel, Gauge>,
    /// Connections that had to show their address first, because many handshakes were under way.
    pub retried_connections: Family<ConsumerLabel, Counter>,
    /// Connections that were refused because there were too many.
    pub refused_connections: Family<ConsumerLabel, Counter>,
    /// See [`register_own_certificates`].
    pub own_certificates: OwnCertificates,
}

/// As `lifeboat_evidence_certificate_expiry_days`.
pub fn register_own_certificates(registry: &mut Registry, certificates: OwnCertificates) {
    let help = "Days until the own certificate for evidence expires";
    registry.register("lifeboat_evidence_certificate_expiry_days", help, certificates);
}

impl ObserverMetrics {
    pub fn register(registry: &mut Registry) -> ObserverMetrics {
        let metrics = ObserverMetrics::default();
        let ObserverMetrics {
            probes,
            datagrams,
            abstentions,
            reconnects,
            loop_lag,
            loop_delay,
            phases,
            certificate_expiry,
            heartbeats,
            reports,
            targets,
            own_certificates: _,
        } = metrics.clone();
        registry.register("lifeboat_observer_probes", "Probes by how they ended", probes);
        registry.register(
            "lifeboat_observer_datagrams",
            "Evidence datagrams by what became of them",
            datagrams,
        );
        registry.register(
            "lifeboat_observer_abstentions",
            "Times an observer began to abstain",
            abstentions,
        );
        registry.register(
            "lifeboat_observer_reconnects",
            "Connections to consumers that ended",
            reconnects,
        );
        let help = "Longest delay of the loop within the last second";
        registry.register_with_unit("lifeboat_observer_loop_lag", help, Unit::Seconds, loop_lag);
        let help = "How late the loop woke, measured every 10 ms";
        registry.register_with_unit("lifeboat_observer_loop_delay", help, Unit::Seconds, loop_delay);
        let help = "What the phases of probes took";
        registry.register_with_unit("lifeboat_observer_phase", help, Unit::Seconds, phases);
        registry.register(
            "lifeboat_observer_certificate_expiry_days",
            "Days until a target's certificate ends",
            certificate_expiry,
        );
        registry.register(
            "lifeboat_observer_heartbeats",
            "Heartbeats by what became of them",
            heartbeats,
        );
        registry.register(
            "lifeboat_observer_reports",
            "Reports of users' requests by what became of them",
            reports,
        );
        registry.register(
            "lifeboat_observer_targets",
            "Targets, and probers that they share",
            targets,
        );
        metrics
    }
}

impl ConsumerMetrics {
    pub fn register(registry: &mut Registry) -> ConsumerMetrics {
        let metrics = ConsumerMetrics::default();
        let ConsumerMetrics {
            datagrams,
            rows,
            transitions,
            votes,
            abstaining,
            lacking,
            frozen,
            gray,
            evidence_age,
            abstains,
            refused,
            longest_silence,
            qos,
            partial,
            refused_connections,
            retried_connections,
            own_certificates,
        } = metrics.clone();
        registry.register(
            "lifeboat_evidence_datagrams",
            "Datagrams by what became of them",
            datagrams,
        );
        registry.register("lifeboat_evidence_rows", "Rows by what became of them", rows);
        registry.register("lifeboat_verdict_transitions", "Changes of verdict", transitions);
        registry.register(
            "lifeboat_verdict_votes",
            "Votes that stand, over all targets",
            votes,
        );
        registry.register(
            "lifeboat_evidence_abstaining_observers",
            "Observers that abstain",
            abstaining,
        );
        registry.register(
            "lifeboat_evidence_lacking_observers",
            "Observers that must be added before anything can be decided (minFresh)",
            lacking,
        );
        registry.register(
            "lifeboat_verdict_frozen_targets",
            "Targets whose verdict is frozen",
            frozen,
        );
        registry.register(
            "lifeboat_verdict_gray_targets",
            "Traffic targets that answer late or with errors",
            gray,
        );
        registry.register(
            "lifeboat_verdict_partial_targets",
            "Targets that some observer regions reach and others do not",
            partial,
        );
        let help = "Since the last datagram";
        registry.register_with_unit("lifeboat_evidence_age", help, Unit::Seconds, evidence_age);
        let help = "1 while the observer abstains";
        registry.register("lifeboat_evidence_abstains", help, abstains);
        let help = "1 while the observer probes otherwise than the profile can judge";
        registry.register("lifeboat_evidence_probed_otherwise", help, refused);
        let help = "Longest silence in an observer's fresh rows, in misses";
        registry.register("lifeboat_evidence_longest_silence_misses", help, longest_silence);
        qos.register(registry);
        let help = "Connections that had to show their address first (QUIC Retry), because many handshakes were under way";
        registry.register("lifeboat_evidence_retried_connections", help, retried_connections);
        let help = "Connections refused because there were too many";
        registry.register("lifeboat_evidence_refused_connections", help, refused_connections);
        register_own_certificates(registry, own_certificates);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units_are_those_of_the_documentation() {
        let mut registry = Registry::default();
        let observers = ObserverMetrics::register(&mut registry);
        let consumers = ConsumerMetrics::register(&mut registry);
        observers
            .loop_lag
            .get_or_create(&ObserverLabel { observer: "o".into() })
            .set(0.5);
        consumers
            .datagrams
            .get_or_create(&ConsumerResultLabel {
                consumer: "c".into(),
                result: "accepted",
            })
            .inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(
            text.contains("lifeboat_observer_loop_lag_seconds{observer=\"o\"} 0.5"),
            "{text}"
        );
        assert!(
            text.contains("lifeboat_evidence_datagrams_total{consumer=\"c\",result=\"accepted\"} 1"),
            "{text}"
        );
    }
}
