//! Cells of services, endpoints and ingresses.

use serde_json::{Value, json};

pub(super) fn service(column: &str, object: &Value) -> Value {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let or_none = |text: &str| {
        if text.is_empty() {
            json!("<none>")
        } else {
            json!(text)
        }
    };
    match column {
        "Type" => json!(text("/spec/type")),
        "Cluster-IP" => or_none(text("/spec/clusterIP")),
        "External-IP" => {
            let ingress = object
                .pointer("/status/loadBalancer/ingress")
                .and_then(Value::as_array);
            let found = ingress
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.get("ip").or_else(|| entry.get("hostname"))?.as_str());
            let listed = object
                .pointer("/spec/externalIPs")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let all: Vec<&str> = found.chain(listed.filter_map(Value::as_str)).collect();
            match (text("/spec/type"), all.is_empty()) {
                ("ExternalName", _) => json!(text("/spec/externalName")),
                ("LoadBalancer", true) => json!("<pending>"),
                (_, true) => json!("<none>"),
                (_, false) => json!(all.join(",")),
            }
        }
        "Port(s)" => {
            let ports = object
                .pointer("/spec/ports")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let ports = ports.map(|port| {
                let field = |key: &str| port.get(key).map(plain).unwrap_or_default();
                match port.get("nodePort") {
                    Some(node) => format!("{}:{node}/{}", field("port"), field("protocol")),
                    None => format!("{}/{}", field("port"), field("protocol")),
                }
            });
            or_none(&ports.collect::<Vec<_>>().join(","))
        }
        _ => json!(""),
    }
}

pub(super) fn endpoints(object: &Value) -> Value {
    let mut shown = Vec::new();
    for subset in object
        .get("subsets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let ports: Vec<&Value> = subset
            .get("ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        for address in subset
            .get("addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let ip = address.get("ip").and_then(Value::as_str).unwrap_or_default();
            if ports.is_empty() {
                shown.push(ip.to_owned());
            }
            shown.extend(
                ports
                    .iter()
                    .map(|port| format!("{ip}:{}", port.get("port").map(plain).unwrap_or_default())),
            );
        }
    }
    match shown.len() {
        0 => json!("<none>"),
        1..=3 => json!(shown.join(",")),
        more => json!(format!("{} + {} more...", shown[..3].join(","), more - 3)),
    }
}

pub(super) fn ingress(column: &str, object: &Value) -> Value {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match column {
        "Class" => match text("/spec/ingressClassName") {
            "" => json!("<none>"),
            name => json!(name),
        },
        "Hosts" => {
            let rules = object
                .pointer("/spec/rules")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let hosts: Vec<&str> = rules.filter_map(|rule| rule.get("host")?.as_str()).collect();
            if hosts.is_empty() {
                json!("*")
            } else {
                json!(hosts.join(","))
            }
        }
        "Address" => {
            let list = object
                .pointer("/status/loadBalancer/ingress")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let found = list.filter_map(|entry| entry.get("ip").or_else(|| entry.get("hostname"))?.as_str());
            json!(found.collect::<Vec<_>>().join(","))
        }
        "Ports" => json!(if object.pointer("/spec/tls").is_some() {
            "80, 443"
        } else {
            "80"
        }),
        _ => json!(""),
    }
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
