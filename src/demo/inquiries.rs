//! Answers to `explain` and `plan`, from the DNS servers and the controller.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};

use serde_json::{Value, json};

use super::plane::Plane;
use crate::serve::Inquiries;

/// Holds the parts weakly: an answer in flight must not keep them from stopping.
pub(super) struct FromPlane(pub(super) Weak<Plane>);

impl FromPlane {
    fn plane(&self) -> Result<Arc<Plane>, String> {
        self.0.upgrade().ok_or_else(|| "the demo is stopping".to_owned())
    }
}

impl Inquiries for FromPlane {
    fn explain_name(&self, name: &str, kind: &str, client: IpAddr) -> Result<Value, String> {
        let plane = self.plane()?;
        let mut servers = Vec::new();
        for role in &plane.dns {
            let explanation = role
                .server
                .explain(name, kind, client)
                .map_err(|error| error.to_string())?;
            if explanation.zone.is_none() {
                let zones = role.server.status().zones.join(", ");
                return Err(format!(
                    "name {name:?} is in no zone that is served; zones: {zones}"
                ));
            }
            servers.push(json!({ "server": role.name, "address": role.address, "explanation": explanation }));
        }
        Ok(json!({ "name": name, "type": kind, "client": client, "servers": servers }))
    }

    fn plan_if_lost(&self, clusters: &[String]) -> Result<Value, String> {
        let status = self.plane()?.controller();
        let inputs = status
            .inputs
            .as_ref()
            .ok_or("the controller is not running, so there is no plan")?;
        let known: Vec<&str> = inputs
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        if let Some(unknown) = clusters.iter().find(|cluster| !known.contains(&cluster.as_str())) {
            return Err(format!(
                "cluster {unknown:?} is not known; known: {}",
                known.join(", ")
            ));
        }
        serde_json::to_value(inputs.if_lost(clusters))
            .map_err(|error| format!("writing the plan as JSON: {error}"))
    }
}
