//! Service and Ingress: the addresses that load balancers of the members gave them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Item, counts::statuses};

/// Only a load balancer has something to report.
pub(super) fn reflect_service(observed: &Value, status: &Value) -> Option<Value> {
    balanced(observed)
        .then(|| json!({ "loadBalancer": status.get("loadBalancer").cloned().unwrap_or_else(|| json!({})) }))
}

pub(super) fn service_is_healthy(observed: &Value, status: &Value) -> bool {
    !balanced(observed) || has_address(status)
}

/// A load balancer has given it a name or an address.
pub(super) fn has_address(status: &Value) -> bool {
    ingress(status).any(|entry| !text(entry, "hostname").is_empty() || !text(entry, "ip").is_empty())
}

/// `None` for a Service that is no load balancer.
pub(super) fn aggregate_service(template: &Value, items: &[Item]) -> Option<Value> {
    balanced(template).then(|| aggregate(items))
}

/// The addresses of all members, each once, names before addresses.
pub(super) fn aggregate(items: &[Item]) -> Value {
    let entries = merge(statuses(items).flat_map(ingress));
    if entries.is_empty() {
        return json!({ "loadBalancer": {} });
    }
    json!({ "loadBalancer": { "ingress": entries } })
}

/// Same host, address and mode: one entry with the ports of all.
fn merge<'a>(entries: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    type Port<'p> = (i64, &'p str, &'p str);
    let mut merged: BTreeMap<(bool, &str, &str, &str), (Value, BTreeMap<Port<'a>, &'a Value>)> =
        BTreeMap::new();
    for entry in entries {
        let hostname = text(entry, "hostname");
        let key = (
            hostname.is_empty(),
            hostname,
            text(entry, "ip"),
            text(entry, "ipMode"),
        );
        let (_, ports) = merged
            .entry(key)
            .or_insert_with(|| (entry.clone(), BTreeMap::new()));
        for port in entry["ports"].as_array().into_iter().flatten() {
            ports.insert(
                (
                    port["port"].as_i64().unwrap_or(0),
                    text(port, "protocol"),
                    text(port, "error"),
                ),
                port,
            );
        }
    }
    let entry = |(mut entry, ports): (Value, BTreeMap<Port<'a>, &'a Value>)| {
        if !ports.is_empty() {
            entry["ports"] = ports.into_values().cloned().collect();
        }
        entry
    };
    merged.into_values().map(entry).collect()
}

fn balanced(service: &Value) -> bool {
    service.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer")
}

fn ingress(status: &Value) -> impl Iterator<Item = &Value> {
    let entries = status.pointer("/loadBalancer/ingress").and_then(Value::as_array);
    entries.into_iter().flatten().filter(|entry| entry.is_object())
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: Value, expected: Value) {
        assert_eq!(Value::Array(merge(entries.as_array().unwrap().iter())), expected);
    }

    #[test]
    fn entries_are_merged_and_sorted() {
        check(
            json!([{"ip": "192.0.2.1"}, {"hostname": "b"}, {"hostname": "a"}, {"ip": "192.0.2.1"}]),
            json!([{"hostname": "a"}, {"hostname": "b"}, {"ip": "192.0.2.1"}]),
        );
        check(
            json!([{"ip": "192.0.2.1", "ipMode": "VIP"}, {"ip": "192.0.2.1", "ipMode": "Proxy"}]),
            json!([{"ip": "192.0.2.1", "ipMode": "Proxy"}, {"ip": "192.0.2.1", "ipMode": "VIP"}]),
        );
        check(
            json!([
                {"hostname": "a", "ports": [{"port": 81, "protocol": "TCP"}]},
                {"hostname": "a", "ports": [{"port": 80, "protocol": "TCP", "error": "e"}]},
                {"hostname": "a", "ports": [{"port": 80, "protocol": "TCP"}]},
            ]),
            json!([{"hostname": "a", "ports": [
                {"port": 80, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "error": "e"},
                {"port": 81, "protocol": "TCP"},
            ]}]),
        );
    }
}
