//! Amounts of resources: what a cluster has left, what a replica needs.

use std::collections::BTreeMap;

use crate::api::Quantity;
use crate::api::quantity::{Nanos, QuantityError};
use crate::api::work::ReplicaRequirements;

/// Amounts by resource: cpu in thousandths of a core, the others in whole units rounded up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_millis: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Pods.
    pub pods: i64,
    /// Everything else by its name.
    pub other: BTreeMap<String, i64>,
}

impl Resources {
    /// Reads a resource list such as a container's requests.
    ///
    /// # Errors
    /// An amount is not a quantity.
    pub fn parse(list: &BTreeMap<String, Quantity>) -> Result<Self, QuantityError> {
        let mut resources = Self::default();
        for (name, amount) in list {
            resources.set(name, Nanos::parse(&amount.0)?);
        }
        Ok(resources)
    }

    /// What one replica needs. An amount that cannot be read counts as none.
    pub fn of_replica(requirements: Option<&ReplicaRequirements>) -> Self {
        let mut resources = Self::default();
        for (name, amount) in requirements
            .iter()
            .flat_map(|requirements| &requirements.resource_request)
        {
            resources.set(name, Nanos::parse(&amount.0).unwrap_or_default());
        }
        resources
    }

    /// Sets one amount.
    pub fn set(&mut self, name: &str, amount: Nanos) {
        match name {
            "cpu" => self.cpu_millis = amount.milli_value(),
            "memory" => self.memory_bytes = amount.value(),
            "pods" => self.pods = amount.value(),
            other => {
                self.other.insert(other.to_owned(), amount.value());
            }
        }
    }

    /// The amount of one resource in its own unit; 0 when it is not there.
    pub fn get(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.cpu_millis,
            "memory" => self.memory_bytes,
            "pods" => self.pods,
            other => self.other.get(other).copied().unwrap_or_default(),
        }
    }

    /// Name and amount of everything that is above 0.
    pub fn positive(&self) -> impl Iterator<Item = (&str, i64)> {
        [
            ("cpu", self.cpu_millis),
            ("memory", self.memory_bytes),
            ("pods", self.pods),
        ]
        .into_iter()
        .chain(self.other.iter().map(|(name, amount)| (name.as_str(), *amount)))
        .filter(|(_, amount)| *amount > 0)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.positive().next().is_none()
    }

    /// Takes `count` times `each` away; what was not there stays at or below 0.
    pub fn subtract(&mut self, each: &Self, count: i64) {
        let less = |from: &mut i64, amount: i64| *from = from.saturating_sub(amount.saturating_mul(count));
        less(&mut self.cpu_millis, each.cpu_millis);
        less(&mut self.memory_bytes, each.memory_bytes);
        less(&mut self.pods, each.pods.max(1));
        for (name, amount) in &each.other {
            less(self.other.entry(name.clone()).or_default(), *amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_rounding() {
        let list = [
            ("cpu", "250m"),
            ("memory", "1.5"),
            ("pods", "3"),
            ("nvidia.com/gpu", "2"),
        ]
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())));
        let parsed = Resources::parse(&list.into_iter().collect()).unwrap();
        assert_eq!(parsed.get("cpu"), 250);
        assert_eq!(parsed.get("memory"), 2);
        assert_eq!(parsed.get("nvidia.com/gpu"), 2);
        assert_eq!(parsed.get("missing"), 0);
    }

    #[test]
    fn subtracting_takes_a_pod_for_each() {
        let mut free = Resources {
            cpu_millis: 1000,
            memory_bytes: 100,
            pods: 10,
            ..Resources::default()
        };
        let each = Resources {
            cpu_millis: 100,
            ..Resources::default()
        };
        free.subtract(&each, 3);
        assert_eq!((free.cpu_millis, free.memory_bytes, free.pods), (700, 100, 7));
    }
}
