//! Services, their Endpoints and EndpointSlices, and the addresses of Ingresses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::pods;
use crate::member::{
    json::{self, deleting, list, map, selects, text},
    world::{Kind, World, Write},
};

/// The lowest NodePort; the range is that of Kubernetes.
const NODE_PORTS: std::ops::Range<i64> = 30_000..32_768;

pub(crate) fn wants(world: &World) -> Vec<Write> {
    let mut taken = Taken::of(world);
    let mut writes = Vec::new();
    for service in world.services.iter().filter(|service| !deleting(service)) {
        writes.extend(addresses(world, service, &mut taken));
        if map(service, "/spec/selector").is_some_and(|selector| !selector.is_empty()) {
            writes.extend(endpoints(world, service));
            writes.extend(slice(world, service));
        }
    }
    let orphan = |object: &&Value| {
        label_of_service(object).is_some_and(|owner| {
            !world.services.iter().any(|service| {
                json::namespace(service) == json::namespace(object) && json::name(service) == owner
            })
        })
    };
    writes.extend(
        world
            .endpoints
            .iter()
            .filter(orphan)
            .map(|one| Write::delete(Kind::Endpoints, one)),
    );
    writes.extend(
        world
            .endpoint_slices
            .iter()
            .filter(orphan)
            .map(|one| Write::delete(Kind::EndpointSlice, one)),
    );
    for ingress in world.ingresses.iter().filter(|ingress| !deleting(ingress)) {
        let status = json!({ "loadBalancer": { "ingress": [{ "ip": world.site.vip.to_string() }] } });
        writes.extend(Write::status(Kind::Ingress, ingress, status));
    }
    writes
}

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The service an object of ours was made for; endpoints that somebody wrote by hand have none.
fn label_of_service(object: &Value) -> Option<&str> {
    json::label(object, MANAGED_BY).filter(|manager| *manager == MANAGER)?;
    json::label(object, SERVICE_NAME)
}

/// Addresses and ports in use.
struct Taken {
    addresses: BTreeSet<String>,
    node_ports: BTreeSet<i64>,
}

impl Taken {
    fn of(world: &World) -> Self {
        let addresses = world
            .services
            .iter()
            .map(|one| text(one, "/spec/clusterIP").to_owned())
            .collect();
        let ports = world.services.iter().flat_map(|one| list(one, "/spec/ports"));
        Self {
            addresses,
            node_ports: ports.filter_map(|port| port["nodePort"].as_i64()).collect(),
        }
    }

    /// A free address of 10.96.0.0/16, the same for the same service as long as it is free.
    fn address(&mut self, service: &Value) -> Option<String> {
        let key = format!("{}/{}", json::namespace(service), json::name(service));
        let start = key.bytes().fold(7_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        (0..65_000_u32).find_map(|step| {
            let host = start.wrapping_add(step) % 65_000 + 10;
            let address = format!("10.96.{}.{}", host / 256, host % 256);
            self.addresses.insert(address.clone()).then_some(address)
        })
    }

    fn node_port(&mut self) -> Option<i64> {
        NODE_PORTS.into_iter().find(|port| self.node_ports.insert(*port))
    }
}

fn addresses(world: &World, service: &Value, taken: &mut Taken) -> Vec<Write> {
    let kind = text(service, "/spec/type");
    let mut writes = Vec::new();
    if kind != "ExternalName"
        && text(service, "/spec/clusterIP").is_empty()
        && let Some(address) = taken.address(service)
    {
        let spec = json!({
            "clusterIP": address, "clusterIPs": [address],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        });
        writes.extend(Write::merge(Kind::Service, service, json!({ "spec": spec })));
    }
    if matches!(kind, "NodePort" | "LoadBalancer") {
        let mut ports = list(service, "/spec/ports").to_vec();
        for port in ports
            .iter_mut()
            .filter(|port| port["nodePort"].as_i64().unwrap_or(0) == 0)
        {
            if let (Some(node_port), Some(port)) = (taken.node_port(), port.as_object_mut()) {
                port.insert("nodePort".to_owned(), json!(node_port));
            }
        }
        writes.extend(Write::merge(
            Kind::Service,
            service,
            json!({ "spec": { "ports": ports } }),
        ));
    }
    if kind == "LoadBalancer" {
        let status =
            json!({ "loadBalancer": { "ingress": [{ "ip": world.site.vip.to_string(), "ipMode": "VIP" }] } });
        writes.extend(Write::status(Kind::Service, service, status));
    }
    writes
}

/// The pods a service picks that have an address.
fn backends<'a>(world: &'a World, service: &'a Value) -> impl Iterator<Item = &'a Value> {
    let selector = map(service, "/spec/selector");
    world.pods.iter().filter(move |pod| {
        json::namespace(pod) == json::namespace(service)
            && pods::active(pod)
            && !text(pod, "/status/podIP").is_empty()
            && selects(selector, map(pod, "/metadata/labels"))
    })
}

/// The ports of a service on its pods; names are looked up in the containers of `pod`.
fn ports(service: &Value, pod: Option<&Value>) -> Vec<Value> {
    list(service, "/spec/ports")
        .iter()
        .map(|port| {
            let number = match &port["targetPort"] {
                Value::String(name) => named_port(pod, name),
                Value::Number(number) => number.as_i64(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            let number = number.or_else(|| port["port"].as_i64()).unwrap_or(0);
            let mut out = json!({ "port": number, "protocol": protocol });
            if let Some(name) = port["name"].as_str() {
                out["name"] = json!(name);
            }
            out
        })
        .collect()
}

fn named_port(pod: Option<&Value>, name: &str) -> Option<i64> {
    let containers = list(pod?, "/spec/containers").iter();
    containers
        .flat_map(|one| list(one, "/ports"))
        .find(|port| port["name"] == name)?["containerPort"]
        .as_i64()
}

fn target(pod: &Value) -> Value {
    json!({ "kind": "Pod", "namespace": json::namespace(pod), "name": json::name(pod), "uid": json::uid(pod) })
}

fn labels(service: &Value) -> Value {
    json!({ SERVICE_NAME: json::name(service), MANAGED_BY: MANAGER })
}

fn endpoints(world: &World, service: &Value) -> Option<Write> {
    let address = |pod: &Value| json!({ "ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"), "targetRef": target(pod) });
    let (ready, waiting): (Vec<_>, Vec<_>) = backends(world, service).partition(|pod| pods::ready(pod));
    let mut subset = json!({ "ports": ports(service, ready.iter().chain(&waiting).copied().next()) });
    for (key, pods) in [("addresses", &ready), ("notReadyAddresses", &waiting)] {
        if !pods.is_empty() {
            subset[key] = pods.iter().map(|pod| address(pod)).collect();
        }
    }
    let subsets = if ready.is_empty() && waiting.is_empty() {
        json!([])
    } else {
        json!([subset])
    };
    let (namespace, name) = (json::namespace(service), json::name(service));
    let found = world
        .endpoints
        .iter()
        .find(|one| json::namespace(one) == namespace && json::name(one) == name);
    match found {
        Some(object) => Write::merge(
            Kind::Endpoints,
            object,
            json!({ "metadata": { "labels": labels(service) }, "subsets": subsets }),
        ),
        None => Some(Write::Create {
            kind: Kind::Endpoints,
            object: json!({
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": { "name": name, "namespace": namespace, "labels": labels(service) },
                "subsets": subsets,
            }),
        }),
    }
}

fn slice(world: &World, service: &Value) -> Option<Write> {
    let zone = |pod: &Value| {
        let node = world
            .nodes
            .iter()
            .find(|node| json::name(node) == text(pod, "/spec/nodeName"))?;
        json::label(node, "topology.kubernetes.io/zone")
    };
    let backends: Vec<_> = backends(world, service).collect();
    let endpoints: Vec<Value> = backends
        .iter()
        .map(|pod| {
            let ready = pods::ready(pod);
            let mut endpoint = json!({
                "addresses": [text(pod, "/status/podIP")],
                "conditions": { "ready": ready, "serving": ready, "terminating": false },
                "nodeName": text(pod, "/spec/nodeName"),
                "targetRef": target(pod),
            });
            if let Some(zone) = zone(pod) {
                endpoint["zone"] = json!(zone);
            }
            endpoint
        })
        .collect();
    let mut ports = ports(service, backends.first().copied());
    for port in ports.iter_mut().filter(|port| port["name"].is_null()) {
        // The server's default for a nameless port of a slice.
        json::put(port, &["name"], json!(""));
    }
    let (namespace, name) = (json::namespace(service), format!("{}-pods", json::name(service)));
    let found = world
        .endpoint_slices
        .iter()
        .find(|one| json::namespace(one) == namespace && json::name(one) == name);
    match found {
        Some(object) => Write::merge(
            Kind::EndpointSlice,
            object,
            json!({ "endpoints": endpoints, "ports": ports }),
        ),
        None => Some(Write::Create {
            kind: Kind::EndpointSlice,
            object: json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": name, "namespace": namespace, "labels": labels(service),
                    "ownerReferences": [json::owner_reference("v1", "Service", service)],
                },
                "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
            }),
        }),
    }
}
