//! How well the detector does, as metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::metrics::{
    ConsumerLabel, ConsumerMetrics, HeardLabel, QosLabel, QosMetrics, QosTargetLabel, TargetLabel,
};
use crate::profile::Profile;
use crate::qos::{Measured, Qos};
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict};
use crate::view::{CellKey, FleetView};

/// Estimates are of half hours: more often than this nobody asks for thousands of them.
const ESTIMATES_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Measuring {
    consumer: String,
    metrics: ConsumerMetrics,
    qos: Qos,
    /// Observers whose numbers are shown.
    shown: BTreeSet<String>,
    /// The last view that was gauged.
    at: Option<MonoTime>,
    /// When estimates were last shown, and of which targets.
    estimated_at: Option<MonoTime>,
    estimated: BTreeSet<CellKey>,
}

impl Measuring {
    pub(super) fn new(consumer: &str, metrics: &ConsumerMetrics) -> Measuring {
        Measuring {
            consumer: consumer.to_owned(),
            metrics: metrics.clone(),
            qos: Qos::default(),
            shown: BTreeSet::new(),
            at: None,
            estimated_at: None,
            estimated: BTreeSet::new(),
        }
    }

    /// `profile`: by which the target is judged.
    pub(super) fn record(&mut self, transition: &Transition, profile: &Profile) {
        let metrics = &self.metrics.qos;
        let label = |verdict: Verdict| QosLabel {
            consumer: self.consumer.clone(),
            verdict: verdict.to_string(),
        };
        for measured in self.qos.record(transition, profile) {
            match measured {
                Measured::Detected { verdict, took } => {
                    let detection = metrics.detection.get_or_create_owned(&label(verdict));
                    detection.observe(took.as_secs_f64());
                }
                Measured::Mistaken {
                    verdict,
                    lasted,
                    recurred,
                } => {
                    let of = QosTargetLabel {
                        consumer: self.consumer.clone(),
                        cluster: transition.cluster.clone(),
                        path: transition.path.to_string(),
                        family: transition.family.to_string(),
                        verdict: verdict.to_string(),
                    };
                    metrics.mistakes.get_or_create_owned(&of).inc();
                    let duration = metrics.mistake_duration.get_or_create_owned(&label(verdict));
                    duration.observe(lasted.as_secs_f64());
                    if let Some(recurred) = recurred {
                        let recurrence = metrics.mistake_recurrence.get_or_create_owned(&label(verdict));
                        recurrence.observe(recurred.as_secs_f64());
                    }
                }
            }
        }
    }

    pub(super) fn gauge(&mut self, view: &FleetView) {
        let elapsed = self.at.map(|before| view.at.saturating_since(before));
        self.at = Some(view.at);
        let watched = view.cells.values().filter(|cell| !cell.frozen).count();
        let label = ConsumerLabel {
            consumer: self.consumer.clone(),
        };
        let seconds = elapsed.unwrap_or_default().as_secs_f64() * watched as f64;
        self.metrics
            .qos
            .watched
            .get_or_create_owned(&label)
            .inc_by(seconds);
        let due = |at: MonoTime| view.at.saturating_since(at) >= ESTIMATES_EVERY;
        if self.estimated_at.is_none_or(due) {
            self.estimated_at = Some(view.at);
            self.qos.retain(|key| view.cells.contains_key(key));
            self.gauge_estimates(view);
        }
        self.gauge_observers(view);
    }

    fn gauge_estimates(&mut self, view: &FleetView) {
        let QosMetrics {
            loss,
            burst,
            correlation,
            expected_recurrence,
            infeasible,
            ..
        } = &self.metrics.qos;
        let label = |(cluster, path, family): &CellKey| TargetLabel {
            consumer: self.consumer.clone(),
            cluster: cluster.clone(),
            path: path.to_string(),
            family: family.to_string(),
        };
        for gone in self.estimated.iter().filter(|key| !view.cells.contains_key(*key)) {
            let label = label(gone);
            for gauge in [loss, burst, correlation, expected_recurrence] {
                gauge.remove(&label);
            }
        }
        let mut short = 0;
        for (key, cell) in &view.cells {
            let Some(estimate) = cell.losses else {
                continue;
            };
            let label = label(key);
            loss.get_or_create_owned(&label).set(estimate.share);
            burst.get_or_create_owned(&label).set(estimate.burst);
            correlation.get_or_create_owned(&label).set(estimate.correlation);
            match estimate.recurrence_s {
                Some(seconds) => {
                    expected_recurrence.get_or_create_owned(&label).set(seconds);
                }
                None => {
                    expected_recurrence.remove(&label);
                }
            }
            short += i64::from(estimate.infeasible());
        }
        let consumer = ConsumerLabel {
            consumer: self.consumer.clone(),
        };
        infeasible.get_or_create_owned(&consumer).set(short);
        self.estimated = view.cells.keys().cloned().collect();
    }

    fn gauge_observers(&mut self, view: &FleetView) {
        let consumer = self.consumer.clone();
        let label = |observer: &str| HeardLabel {
            consumer: consumer.clone(),
            observer: observer.to_owned(),
        };
        let ConsumerMetrics {
            evidence_age,
            abstains,
            refused,
            longest_silence,
            ..
        } = &self.metrics;
        let now: BTreeSet<String> = view
            .observers
            .iter()
            .map(|observer| observer.name.clone())
            .collect();
        for gone in self.shown.difference(&now) {
            let label = label(gone);
            evidence_age.remove(&label);
            abstains.remove(&label);
            refused.remove(&label);
            longest_silence.remove(&label);
        }
        for observer in &view.observers {
            let label = label(&observer.name);
            let seconds = f64::from(observer.age_ms) / 1_000.0;
            evidence_age.get_or_create_owned(&label).set(seconds);
            abstains
                .get_or_create_owned(&label)
                .set(observer.abstaining.into());
            let counts = observer.probes_otherwise.as_ref().is_none_or(|told| told.counts);
            refused.get_or_create_owned(&label).set((!counts).into());
            longest_silence
                .get_or_create_owned(&label)
                .set(observer.longest_silence.into());
        }
        self.shown = now;
    }
}
