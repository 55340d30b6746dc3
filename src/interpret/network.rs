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

/// Number, protocol and error of a port.
type Port<'a> = (i64, &'a str, &'a str);

/// An address with the ports of all entries that name it.
struct Address<'a> {
    entry: &'a Value,
    ports: BTreeMap<Port<'a>, &'a Value>,
}

/// Same host, address and mode: one entry with the ports of all.
fn merge<'a>(entries: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let mut merged = BTreeMap::new();
    for entry in entries {
        let hostname = text(entry, "hostname");
        let key = (
            hostname.is_empty(),
            hostname,
            text(entry, "ip"),
            text(entry, "ipMode"),
        );
        let address = merged.entry(key).or_insert_with(|| Address {
            entry,
            ports: BTreeMap::new(),
        });
        for port in entry["ports"].as_array().into_iter().flatten() {
            let number = port["port"].as_i64().unwrap_or(0);
            address
                .ports
                .insert((number, text(port, "protocol"), text(port, "error")), port);
        }
    }
    merged.into_values().map(Address::into_entry).collect()
}

impl Address<'_> {
    fn into_entry(self) -> Value {
        let mut entry = self.entry.clone();
        if !self.ports.is_empty() {
            entry["ports"] = self.ports.into_values().cloned().collect();
        }
        entry
    }
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
