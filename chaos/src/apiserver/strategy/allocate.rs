//! What the server hands out: cluster IPs and node ports.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::apiserver::kinds::Kind;
use crate::apiserver::meta;
use crate::apiserver::state::State;

/// Service addresses are drawn from 10.96.0.0/12.
const SERVICE_NET: u32 = 0x0a60_0000;
const SERVICE_HOSTS: u32 = 1 << 20;
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;
const ATTEMPTS: usize = 64;

pub(crate) fn allocate(state: &State, kind: &Kind, object: &mut Value) {
    if !kind.is_core("services") {
        return;
    }
    let ty = object
        .pointer("/spec/type")
        .and_then(Value::as_str)
        .unwrap_or("ClusterIP")
        .to_owned();
    if ty == "ExternalName" {
        return;
    }
    let asked = object
        .pointer("/spec/clusterIP")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let address = if asked.is_empty() {
        free_address(state)
    } else {
        asked
    };
    let spec = meta::child_mut(object, "spec");
    spec.insert("clusterIP".to_owned(), address.as_str().into());
    spec.insert("clusterIPs".to_owned(), json!([address]));
    if matches!(ty.as_str(), "NodePort" | "LoadBalancer") {
        let used = used_ports(state);
        for port in spec
            .get_mut("ports")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if port.get("nodePort").and_then(Value::as_u64).unwrap_or(0) == 0 {
                port["nodePort"] = json!(free_port(&used));
            }
        }
    }
}

fn free_address(state: &State) -> String {
    let services = state.tables.get("services");
    let used = |address: &str| {
        services.is_some_and(|table| {
            table
                .objects
                .values()
                .any(|stored| stored.fields.iter().any(|(_, value)| **value == *address))
        })
    };
    let draw = || Ipv4Addr::from(SERVICE_NET + fastrand::u32(10..SERVICE_HOSTS - 1)).to_string();
    (0..ATTEMPTS)
        .map(|_| draw())
        .find(|address| !used(address))
        .unwrap_or_else(draw)
}

fn used_ports(state: &State) -> Vec<u64> {
    let services = state
        .tables
        .get("services")
        .into_iter()
        .flat_map(|table| table.objects.values());
    services
        .filter(|stored| {
            stored
                .fields
                .iter()
                .any(|(key, value)| &**key == "spec.type" && &**value != "ClusterIP")
        })
        .flat_map(|stored| {
            let object = stored.value();
            let ports = object
                .pointer("/spec/ports")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            ports
                .into_iter()
                .filter_map(|port| port.get("nodePort")?.as_u64())
        })
        .collect()
}

fn free_port(used: &[u64]) -> u16 {
    let draw = || fastrand::u16(NODE_PORTS);
    (0..ATTEMPTS)
        .map(|_| draw())
        .find(|port| !used.contains(&u64::from(*port)))
        .unwrap_or_else(draw)
}
