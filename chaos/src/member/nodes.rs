//! The nodes of a member cluster as API objects.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    config::MemberConfig,
    json::{Saying, conditions, name, put, stamp},
    world::{Kind, Write},
};

/// The version the simulated kubelets claim.
const KUBELET: &str = "v1.36.3";

/// All nodes of a cluster, spread over its zones; the status follows by itself, as a kubelet writes it.
pub(crate) fn writes(config: &MemberConfig, pod_network: u8, now: Timestamp) -> Vec<Write> {
    let objects = (0..config.nodes.count).map(|index| object(config, pod_network, index, now));
    objects
        .flat_map(|object| {
            let status = Write::Merge {
                kind: Kind::Node,
                namespace: String::new(),
                name: name(&object).to_owned(),
                patch: json!({ "status": object["status"] }),
                status: true,
            };
            [
                Write::Create {
                    kind: Kind::Node,
                    object,
                },
                status,
            ]
        })
        .collect()
}

fn object(config: &MemberConfig, pod_network: u8, index: usize, now: Timestamp) -> Value {
    let MemberConfig {
        name: cluster,
        provider,
        region,
        zones,
        nodes,
        ..
    } = config;
    let name = format!("{cluster}-node-{}", index + 1);
    let zone = zones.get(index % zones.len().max(1)).unwrap_or(region);
    let resources = json!({
        "cpu": nodes.cpu.to_string(),
        "memory": format!("{}Gi", nodes.memory_gib),
        "pods": nodes.pods.to_string(),
        "ephemeral-storage": "100Gi",
    });
    let address = format!("172.16.{pod_network}.{}", index + 10);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": format!("sim-{}x{}", nodes.cpu, nodes.memory_gib),
                "topology.kubernetes.io/region": region,
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": { "providerID": format!("{provider}:///{zone}/{name}"), "podCIDR": format!("10.{pod_network}.{index}.0/24") },
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": heartbeat_conditions(&Value::Null, now),
            "addresses": [{ "type": "InternalIP", "address": address }, { "type": "Hostname", "address": name }],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "osImage": "Lifeboat simulator",
                "kernelVersion": "6.0.0-sim", "containerRuntimeVersion": "sim://1", "kubeletVersion": KUBELET,
                "kubeProxyVersion": KUBELET, "bootID": "", "machineID": name, "systemUUID": name,
            },
        },
    })
}

fn heartbeat_conditions(node: &Value, now: Timestamp) -> Value {
    let say = |kind, status, reason, message| Saying {
        kind,
        status,
        reason,
        message,
    };
    let mut all = conditions(
        node,
        &[
            say(
                "MemoryPressure",
                false,
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            say(
                "DiskPressure",
                false,
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
            say(
                "PIDPressure",
                false,
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            say("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        ],
        now,
    );
    for condition in all.as_array_mut().into_iter().flatten() {
        put(condition, &["lastHeartbeatTime"], json!(stamp(now)));
    }
    all
}

/// A sign of life of every node; rare, because each one wakes every watcher of nodes.
pub(crate) fn heartbeats(nodes: &[Value], now: Timestamp) -> Vec<Write> {
    let beat = |node: &Value| {
        Write::status(
            Kind::Node,
            node,
            json!({ "conditions": heartbeat_conditions(node, now) }),
        )
    };
    nodes.iter().filter_map(beat).collect()
}
