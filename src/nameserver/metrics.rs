//! Metrics of the configuration and of zone files.

use lifeboat_dns::Held;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    status::{Configuration, Serving, zones},
    zones::ZoneRead,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ZoneLabel {
    zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// What reading the files came to.
pub(super) struct ReloadMetrics {
    reloads: Family<ResultLabel, Counter>,
    in_force: Gauge,
    problems: Gauge,
    observed: Gauge,
    zone_in_force: Family<ZoneLabel, Gauge>,
    zone_errors: Family<ZoneLabel, Gauge>,
}

impl ReloadMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reloads: Family::default(),
            in_force: Gauge::default(),
            problems: Gauge::default(),
            observed: Gauge::default(),
            zone_in_force: Family::default(),
            zone_errors: Family::default(),
        };
        registry.register(
            "lifeboat_dns_config_reloads",
            "Times the configuration was read again, by result: taken or refused",
            metrics.reloads.clone(),
        );
        registry.register(
            "lifeboat_dns_config_in_force",
            "1 while what is served is what the configuration file says; 0 while an earlier one is in force",
            metrics.in_force.clone(),
        );
        registry.register(
            "lifeboat_dns_config_problems",
            "Zones, clusters, checks and names of the configuration that are not in force as it says",
            metrics.problems.clone(),
        );
        registry.register(
            "lifeboat_dns_observers_in_force",
            "1 while observers are heard, or run, as the configuration says; 0 while they cannot be",
            metrics.observed.clone(),
        );
        registry.register(
            "lifeboat_dns_zone_file_in_force",
            "1 while the zone is served as its file says; 0 while an earlier version, or SERVFAIL, is",
            metrics.zone_in_force.clone(),
        );
        registry.register(
            "lifeboat_dns_zone_file_errors",
            "Errors in the zone's files at the last reading",
            metrics.zone_errors.clone(),
        );
        metrics
    }

    pub(super) fn reloaded(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&ResultLabel { result }).inc();
        self.in_force.set(i64::from(taken));
    }

    pub(super) fn observed(&self, as_configured: bool) {
        self.observed.set(i64::from(as_configured));
    }

    pub(super) fn looked(&self, configuration: &Configuration, read: &[ZoneRead], held: &Held) {
        self.in_force.set(i64::from(configuration.refused.is_none()));
        self.problems
            .set(i64::try_from(configuration.problems.len()).unwrap_or(i64::MAX));
        self.zone_in_force.clear();
        self.zone_errors.clear();
        for status in zones(read, held) {
            let label = ZoneLabel {
                zone: status.name.clone(),
            };
            let in_force = status.serving == Serving::File;
            self.zone_in_force.get_or_create(&label).set(i64::from(in_force));
            let errors = i64::try_from(status.errors).unwrap_or(i64::MAX);
            self.zone_errors.get_or_create(&label).set(errors);
        }
    }
}
