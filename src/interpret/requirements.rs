//! What one pod of a template asks for, by the rules Kubernetes' scheduler counts with.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{
    Quantity,
    quantity::Nanos,
    work::{NodeClaim, ReplicaRequirements},
};

/// `None` when the pod asks for nothing.
pub(super) fn of_pod(pod: &Value) -> Option<ReplicaRequirements> {
    let node_claim = node_claim(pod);
    let resource_request: BTreeMap<String, Quantity> = requests(pod)
        .into_iter()
        .map(|(name, amount)| (name, Quantity(amount.text())))
        .collect();
    (node_claim.is_some() || !resource_request.is_empty()).then(|| ReplicaRequirements {
        node_claim,
        resource_request,
        ..ReplicaRequirements::default()
    })
}

fn node_claim(pod: &Value) -> Option<NodeClaim> {
    let affinity = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let claim = NodeClaim {
        hard_node_affinity: read(pod.pointer(affinity)),
        node_selector: read(pod.get("nodeSelector")).unwrap_or_default(),
        tolerations: read(pod.get("tolerations")).unwrap_or_default(),
    };
    (claim != NodeClaim::default()).then_some(claim)
}

fn read<T: DeserializeOwned>(value: Option<&Value>) -> Option<T> {
    serde_json::from_value(value.filter(|value| !value.is_null())?.clone()).ok()
}

/// An amount, with the text it was given in as long as nothing was added to it.
#[derive(Clone)]
struct Amount {
    nanos: Nanos,
    given: Option<String>,
}

impl Amount {
    fn text(&self) -> String {
        if let Some(given) = &self.given {
            return given.clone();
        }
        let units = self.nanos.value();
        if Nanos::from_units(units) == self.nanos {
            units.to_string()
        } else {
            format!("{}m", self.nanos.milli_value())
        }
    }
}

type Amounts = BTreeMap<String, Amount>;

/// All containers together with the sidecars, or the greatest initial container where that is more,
/// and the overhead.
fn requests(pod: &Value) -> Amounts {
    let list = |field: &str| pod[field].as_array().into_iter().flatten();
    let mut running = Amounts::new();
    let mut greatest = Amounts::new();
    for container in list("initContainers") {
        let asked = of_container(container);
        if container["restartPolicy"] == "Always" {
            add(&mut running, &asked);
            raise(&mut greatest, &running);
        } else {
            let mut beside = running.clone();
            add(&mut beside, &asked);
            raise(&mut greatest, &beside);
        }
    }
    for container in list("containers") {
        add(&mut running, &of_container(container));
    }
    raise(&mut running, &greatest);
    add(&mut running, &amounts(&pod["overhead"]));
    running.retain(|_, amount| amount.nanos > Nanos::default());
    running
}

/// A limit stands in for a request that is not given.
fn of_container(container: &Value) -> Amounts {
    let mut asked = amounts(&container["resources"]["limits"]);
    asked.extend(amounts(&container["resources"]["requests"]));
    asked
}

fn amounts(list: &Value) -> Amounts {
    let read = |(name, value): (&String, &Value)| {
        let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((
            name.clone(),
            Amount {
                nanos: Nanos::parse(&given).ok()?,
                given: Some(given),
            },
        ))
    };
    list.as_object().into_iter().flatten().filter_map(read).collect()
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sum.get_mut(name) {
            Some(held) => {
                *held = Amount {
                    nanos: held.nanos + amount.nanos,
                    given: None,
                }
            }
            None => {
                sum.insert(name.clone(), amount.clone());
            }
        }
    }
}

fn raise(held: &mut Amounts, to: &Amounts) {
    for (name, amount) in to {
        if held.get(name).is_none_or(|held| held.nanos < amount.nanos) {
            held.insert(name.clone(), amount.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pod: &Value, expected: &[(&str, &str)]) {
        let asked: Vec<(String, String)> = requests(pod)
            .into_iter()
            .map(|(name, amount)| (name, amount.text()))
            .collect();
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(asked, expected);
    }

    #[test]
    fn one_container_keeps_its_words() {
        check(
            &json!({"containers": [{"resources": {"requests": {"cpu": "0.5", "memory": "64Mi"}}}]}),
            &[("cpu", "0.5"), ("memory", "64Mi")],
        );
        check(&json!({"containers": null}), &[]);
        check(
            &json!({"containers": [{"resources": {"requests": {"cpu": "much"}}}]}),
            &[],
        );
    }

    #[test]
    fn containers_add_up_and_a_limit_stands_in() {
        check(
            &json!({"containers": [
                {"resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "2", "memory": "1Ki"}}},
                {"resources": {"limits": {"cpu": "750m"}}},
            ], "overhead": {"memory": "1"}}),
            &[("cpu", "1"), ("memory", "1025")],
        );
    }

    #[test]
    fn an_initial_container_counts_where_it_asks_for_more() {
        check(
            &json!({
                "initContainers": [
                    {"resources": {"requests": {"cpu": "100m"}}, "restartPolicy": "Always"},
                    {"resources": {"requests": {"cpu": "1"}}},
                ],
                "containers": [{"resources": {"requests": {"cpu": "300m"}}}],
            }),
            &[("cpu", "1100m")],
        );
    }
}
