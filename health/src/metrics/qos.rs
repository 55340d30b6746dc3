//! How well a consumer's detector does: see `crate::qos` for what is a mistake.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::ConsumerLabel;

/// `{consumer, verdict}`, the verdict as `Suspect` or `Down`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QosLabel {
    pub consumer: String,
    pub verdict: String,
}

/// `{consumer, cluster, path, family, verdict}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QosTargetLabel {
    pub consumer: String,
    pub cluster: String,
    pub path: String,
    pub family: String,
    pub verdict: String,
}

/// `{consumer, cluster, path, family}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TargetLabel {
    pub consumer: String,
    pub cluster: String,
    pub path: String,
    pub family: String,
}

/// Quality of service of a detector (Chen, Toueg, Aguilera 2002).
#[derive(Clone, Debug)]
pub struct QosMetrics {
    /// T_D, from q observers' silence to the verdict.
    pub detection: Family<QosLabel, Histogram>,
    /// Verdicts that were mistakes.
    pub mistakes: Family<QosTargetLabel, Counter>,
    /// T_M.
    pub mistake_duration: Family<QosLabel, Histogram>,
    /// T_MR, from the start of one mistake to the start of the next of the same target.
    pub mistake_recurrence: Family<QosLabel, Histogram>,
    /// Seconds for which verdicts could be made, times targets; by mistakes it is the mean T_MR, also before the second one.
    pub watched: Family<ConsumerLabel, Counter<f64, AtomicU64>>,
    /// Share of probes lost while up.
    pub loss: Family<TargetLabel, Gauge<f64, AtomicU64>>,
    /// Mean length of a burst of losses, in probes.
    pub burst: Family<TargetLabel, Gauge<f64, AtomicU64>>,
    /// Of the losses of two observers.
    pub correlation: Family<TargetLabel, Gauge<f64, AtomicU64>>,
    /// Seconds from one wrong Down to the next, as the losses make expect; absent where they say nothing.
    pub expected_recurrence: Family<TargetLabel, Gauge<f64, AtomicU64>>,
    /// Targets of which wrong Downs are to be expected more often than the profile allows.
    pub infeasible: Family<ConsumerLabel, Gauge>,
}

/// Narrow where `fast` detects, wide enough for Karmada's timings.
const DETECTION_S: [f64; 20] = [
    0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0,
    120.0,
];

impl Default for QosMetrics {
    fn default() -> QosMetrics {
        QosMetrics {
            detection: Family::new_with_constructor(|| Histogram::new(DETECTION_S)),
            mistakes: Family::default(),
            mistake_duration: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.05, 2.0, 14))
            }),
            // From a second to two years.
            mistake_recurrence: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(1.0, 4.0, 14))
            }),
            watched: Family::default(),
            loss: Family::default(),
            burst: Family::default(),
            correlation: Family::default(),
            expected_recurrence: Family::default(),
            infeasible: Family::default(),
        }
    }
}

impl QosMetrics {
    pub(super) fn register(self, registry: &mut Registry) {
        let QosMetrics {
            detection,
            mistakes,
            mistake_duration,
            mistake_recurrence,
            watched,
            loss,
            burst,
            correlation,
            expected_recurrence,
            infeasible,
        } = self;
        let help = "From the silence of q observers to the verdict";
        registry.register_with_unit("lifeboat_qos_detection", help, Unit::Seconds, detection);
        let help = "Verdicts Suspect and Down that were mistakes";
        registry.register("lifeboat_qos_mistakes", help, mistakes);
        let help = "How long mistakes lasted";
        registry.register_with_unit(
            "lifeboat_qos_mistake_duration",
            help,
            Unit::Seconds,
            mistake_duration,
        );
        let help = "From the start of a mistake to that of the next one of the same target";
        registry.register_with_unit(
            "lifeboat_qos_mistake_recurrence",
            help,
            Unit::Seconds,
            mistake_recurrence,
        );
        let help = "Time in which verdicts could be made, summed over targets";
        registry.register_with_unit("lifeboat_qos_watched", help, Unit::Seconds, watched);
        let help = "Share of probes lost while up";
        registry.register("lifeboat_qos_loss_ratio", help, loss);
        let help = "Mean length of a burst of losses";
        registry.register("lifeboat_qos_burst_probes", help, burst);
        let help = "Correlation of two observers' losses";
        registry.register("lifeboat_qos_correlation_ratio", help, correlation);
        let help = "From one wrong Down to the next, as the losses make expect";
        registry.register_with_unit(
            "lifeboat_qos_expected_mistake_recurrence",
            help,
            Unit::Seconds,
            expected_recurrence,
        );
        let help = "Targets of which more wrong Downs are to be expected than the profile allows";
        registry.register("lifeboat_qos_infeasible_targets", help, infeasible);
    }
}
