//! Kubernetes quantities, as far as scheduling needs them: CPU in thousandths, memory in bytes.

use serde_json::Value;

use super::json::list;

/// What a pod asks for or a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) cpu_milli: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) pods: i64,
}

impl Resources {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// From a map such as `status.allocatable`.
    pub(crate) fn of_map(resources: &Value) -> Self {
        Self {
            cpu_milli: milli(&resources["cpu"]),
            memory_bytes: milli(&resources["memory"]) / 1000,
            pods: milli(&resources["pods"]) / 1000,
        }
    }

    /// What a pod occupies: the sum of its containers or the largest init container, and one pod.
    pub(crate) fn of_pod(pod: &Value) -> Self {
        let sum = list(pod, "/spec/containers")
            .iter()
            .map(request)
            .fold(Self::default(), Self::plus);
        let init = list(pod, "/spec/initContainers").iter().map(request);
        let most = init.fold(sum, |most, one| Self {
            cpu_milli: most.cpu_milli.max(one.cpu_milli),
            memory_bytes: most.memory_bytes.max(one.memory_bytes),
            pods: 0,
        });
        Self { pods: 1, ..most }
    }
}

/// A container's request; a limit alone counts as the request.
fn request(container: &Value) -> Resources {
    let resources = &container["resources"];
    let of = |key: &str| {
        let request = &resources["requests"][key];
        milli(if request.is_null() {
            &resources["limits"][key]
        } else {
            request
        })
    };
    Resources {
        cpu_milli: of("cpu"),
        memory_bytes: of("memory") / 1000,
        pods: 0,
    }
}

/// A quantity in thousandths; zero for what is none. `500m`, `2`, `1.5`, `128Mi`, `1e3`, `2k`.
fn milli(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_f64().map_or(0, scale),
        Value::String(text) => parse(text).unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => 0,
    }
}

fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let suffix = text.len()
        - text
            .trim_end_matches(|letter: char| letter.is_ascii_alphabetic())
            .len();
    let (number, unit) = text.split_at(text.len() - suffix);
    let factor = match unit {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| scale(number * factor))
}

/// Rounds up to thousandths, as Kubernetes does; saturates.
fn scale(units: f64) -> i64 {
    let milli = (units * 1000.0 - 1e-6).ceil();
    if milli.is_finite() {
        milli.clamp(0.0, 9.0e18) as i64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities() {
        let check = |value: Value, expected: i64| assert_eq!(milli(&value), expected, "{value}");
        check(json!("250m"), 250);
        check(json!("2"), 2_000);
        check(json!(1.5), 1_500);
        check(json!("64Mi"), 64 * 1024 * 1024 * 1000);
        check(json!("1e3"), 1_000_000);
        check(json!("2k"), 2_000_000);
        check(json!("1n"), 1);
        check(json!("lots"), 0);
        check(json!("-1"), 0);
        check(Value::Null, 0);
    }

    #[test]
    fn a_pod_asks_for_its_containers_or_its_largest_init_container() {
        let pod = json!({"spec": {
            "containers": [
                {"resources": {"requests": {"cpu": "100m", "memory": "1Ki"}}},
                {"resources": {"limits": {"cpu": "1"}}},
            ],
            "initContainers": [{"resources": {"requests": {"cpu": "50m", "memory": "4Ki"}}}],
        }});
        assert_eq!(
            Resources::of_pod(&pod),
            Resources {
                cpu_milli: 1_100,
                memory_bytes: 4096,
                pods: 1
            }
        );
    }
}
