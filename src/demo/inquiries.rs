//! Answers to `explain` and `plan`, from the DNS servers and the controller.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Weak},
};

use ipnet::IpNet;
use lifeboat_dns::{ExplainError, Rcode};
use serde::Serialize;
use serde_json::{Value, json};

use super::plane::Plane;
use crate::{
    controller::Kinds,
    serve::{
        Inquiries, Refusal,
        explain::{self, Known},
        view::{self, SeenNow, declared},
    },
    store::Index,
};

pub(super) struct FromPlane {
    /// Weak, because an answer in flight must not keep the parts from stopping.
    pub(super) plane: Weak<Plane>,
    pub(super) index: Index,
    pub(super) kinds: Kinds,
}

impl FromPlane {
    fn plane(&self) -> Result<Arc<Plane>, Refusal> {
        self.plane
            .upgrade()
            .ok_or_else(|| Refusal::Unavailable("the demo is stopping".to_owned()))
    }
}

fn written(answer: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::Unavailable(format!("writing the answer: {error}")))
}

impl Inquiries for FromPlane {
    fn explain_name(
        &self,
        name: &str,
        kind: &str,
        client: IpAddr,
        subnet: Option<IpNet>,
    ) -> Result<Value, Refusal> {
        let plane = self.plane()?;
        let policies = declared::names(&self.index, &self.kinds)
            .remove(&declared::canonical(name))
            .unwrap_or_default();
        let mut servers = Vec::new();
        for role in &plane.dns {
            let explanation =
                role.server
                    .explain(name, kind, client, subnet)
                    .map_err(|error| match error {
                        ExplainError::Kind(_) => Refusal::Invalid(format!("parameter kind: {error}")),
                        ExplainError::Name { .. } => Refusal::Invalid(error.to_string()),
                    })?;
            // What was asked for, and why it is not served.
            let told: String = policies
                .iter()
                .map(|policy| format!("; {}", policy.told()))
                .collect();
            if explanation.zone.is_none() {
                let zones = role.server.status().zones.join(", ");
                return Err(Refusal::Unknown(format!(
                    "name {name:?} is in no zone that is served; zones: {zones}{told}"
                )));
            }
            if explanation.rcode == Rcode::NxDomain {
                let names: BTreeSet<String> = role
                    .server
                    .shares()
                    .into_iter()
                    .map(|shares| shares.name)
                    .collect();
                let names: Vec<&str> = names.iter().map(|name| name.trim_end_matches('.')).collect();
                return Err(Refusal::Unknown(format!(
                    "name {name:?} does not exist in its zone; steered names: {}{told}",
                    names.join(", ")
                )));
            }
            servers.push(json!({ "server": role.name, "address": role.address, "explanation": explanation }));
        }
        Ok(
            json!({ "name": name, "type": kind, "client": client, "ecs": subnet, "policies": policies, "servers": servers }),
        )
    }

    fn seen_now(&self, cluster: &str) -> Result<Vec<SeenNow>, Refusal> {
        let plane = self.plane()?;
        Ok(plane.hearing(|consumer| view::seen_now(consumer, cluster)))
    }

    fn explain_binding(&self, binding: &str) -> Result<Value, Refusal> {
        let plane = self.plane()?;
        let status = plane.controller();
        let known = Known {
            index: &self.index,
            kinds: &self.kinds,
            verdicts: &plane.verdicts(),
            held_back: &view::merged(plane.dns.iter().map(|role| view::held_back(&role.server.gates()))),
            controller: &status,
            entries: plane.timeline.since(0).0,
            if_lost: &|cluster| Some(status.inputs.as_ref()?.if_lost(&[cluster.to_owned()])),
        };
        written(explain::binding(known, binding)?)
    }

    fn plan_if_lost(&self, clusters: &[String]) -> Result<Value, Refusal> {
        let status = self.plane()?.controller();
        let inputs = status.inputs.as_ref().ok_or_else(|| {
            Refusal::Unavailable("the controller is not running, so there is no plan".to_owned())
        })?;
        let known: Vec<&str> = inputs
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        if let Some(unknown) = clusters.iter().find(|cluster| !known.contains(&cluster.as_str())) {
            return Err(Refusal::Unknown(format!(
                "cluster {unknown:?} is not known; known: {}",
                known.join(", ")
            )));
        }
        written(inputs.if_lost(clusters))
    }
}
