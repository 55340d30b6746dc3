//! One step of a policy's steering chain: the filters of `lifeboat dns`, in the same words.

use std::collections::BTreeMap;

use lifeboat_dns::{Capacity, ClusterCapacity, Failover, Filter, Geo, Latency, Sticky};
use serde::{Deserialize, Serialize};

/// One step of a steering chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SteerStep {
    /// Leave out clusters that are Down. Always enforced.
    Health {},
    /// The clusters that the client's whereabouts speak for.
    Geo(Geo),
    /// The clusters nearest to the client by round-trip time.
    Latency(Latency),
    /// The first tier that has a usable cluster.
    Failover {
        /// Names of member clusters, most wanted first: each a tier of its own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        order: Vec<String>,
        /// Names of member clusters by tier, the most wanted first; in place of `order`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tiers: Vec<Vec<String>>,
        /// Thousandths of the answers that go to the next tier all the same.
        #[serde(default, skip_serializing_if = "is_zero")]
        trickle: u16,
    },
    /// No cluster gets more than its ready replicas can take while others have room.
    Capacity {
        /// Thousandths of the ready replicas to be left free.
        #[serde(default, skip_serializing_if = "is_zero")]
        headroom: u16,
        /// What all clients ask for, in the load that one replica can take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        demand: Option<u32>,
    },
    /// One cluster an answer, in proportion to these weights; without any, to ready replicas times the policy's `weights`.
    Weighted(BTreeMap<String, u32>),
    /// One cluster an answer, the same for the same client network.
    Sticky(Sticky),
    /// Every cluster that may answer, another address first each time.
    All {
        /// At most this many addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u16>,
    },
    /// Begins each answer at another address.
    Rotation {},
    /// At most so many addresses an answer.
    Max(u16),
}

impl SteerStep {
    /// The filters that DNS servers apply, each step's at its place; `ready` are the replicas that are ready by cluster.
    pub fn filters(steps: &[SteerStep], ready: &BTreeMap<String, u32>) -> Vec<Filter> {
        let mut filters: Vec<Filter> = steps.iter().map(|step| step.filter(ready)).collect();
        for step in steps {
            if let SteerStep::All { max } = step {
                if !filters.contains(&Filter::Rotation {}) {
                    filters.push(Filter::Rotation {});
                }
                filters.extend(max.map(Filter::Max));
            }
        }
        filters
    }

    fn filter(&self, ready: &BTreeMap<String, u32>) -> Filter {
        match self {
            SteerStep::Health {} => Filter::Health {},
            SteerStep::Geo(geo) => Filter::Geo(geo.clone()),
            SteerStep::Latency(latency) => Filter::Latency(latency.clone()),
            SteerStep::Failover {
                order,
                tiers,
                trickle,
            } => {
                let alone = order.iter().map(|cluster| vec![cluster.clone()]);
                Filter::Failover(Failover {
                    tiers: alone.chain(tiers.iter().cloned()).collect(),
                    trickle: *trickle,
                })
            }
            SteerStep::Capacity { headroom, demand } => {
                let capacity = |(cluster, &ready): (&String, &u32)| {
                    let headroom = *headroom;
                    (cluster.clone(), ClusterCapacity { ready, headroom })
                };
                Filter::Capacity(Capacity {
                    clusters: ready.iter().map(capacity).collect(),
                    demand: *demand,
                })
            }
            SteerStep::Weighted(weights) => Filter::Weighted(weights.clone()),
            SteerStep::Sticky(sticky) => Filter::Sticky(*sticky),
            SteerStep::All { .. } => Filter::All {},
            SteerStep::Rotation {} => Filter::Rotation {},
            SteerStep::Max(max) => Filter::Max(*max),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Steps as a policy has them, and the filters that they stand for with three replicas ready in eu.
    #[track_caller]
    fn check(steps: Value, filters: Value) {
        let steps: Vec<SteerStep> = serde_json::from_value(steps).unwrap();
        let again: Vec<SteerStep> = serde_json::from_value(serde_json::to_value(&steps).unwrap()).unwrap();
        assert_eq!(again, steps);
        let ready = BTreeMap::from([("eu".to_owned(), 3)]);
        let found = SteerStep::filters(&steps, &ready);
        assert_eq!(found, serde_json::from_value::<Vec<Filter>>(filters).unwrap());
    }

    #[test]
    fn the_words_are_those_of_the_dns_server() {
        let all = json!([
            {"health": {}},
            {"geo": {"countries": {"eu": ["DE"]}}},
            {"latency": {"within": 20, "rows": [{"continent": "AS", "rttMs": {"ap": 40}}]}},
            {"failover": {"tiers": [["eu", "us"], ["ap"]], "trickle": 20}},
            {"weighted": {"eu": 70}},
            {"sticky": {"v4Prefix": 16, "v6Prefix": 48}},
            {"rotation": {}},
            {"max": 4},
        ]);
        check(all.clone(), all);
        check(
            json!([{"all": {}}, {"rotation": {}}]),
            json!([{"all": {}}, {"rotation": {}}]),
        );
    }

    #[test]
    fn what_a_policy_says_shorter() {
        check(
            json!([{"failover": {"order": ["eu", "us"]}}]),
            json!([{"failover": {"tiers": [["eu"], ["us"]]}}]),
        );
        check(
            json!([{"all": {"max": 2}}]),
            json!([{"all": {}}, {"rotation": {}}, {"max": 2}]),
        );
        check(
            json!([{"capacity": {"headroom": 200, "demand": 12}}]),
            json!([{"capacity": {"clusters": {"eu": {"ready": 3, "headroom": 200}}, "demand": 12}}]),
        );
    }
}
