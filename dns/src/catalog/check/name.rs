//! Checks one steered name.

use std::collections::BTreeSet;

use super::{MAX_ADDRESSES, ttl_problem};
use crate::catalog::problem::Problem;
use crate::input::{EndpointInput, NameInput, Steer};
use crate::name::Name;

/// A steered name whose answer cannot be empty.
#[derive(Debug)]
pub(crate) struct CheckedName {
    pub(crate) name: Name,
    pub(crate) zone: Name,
    pub(crate) input: NameInput,
}

impl CheckedName {
    /// The endpoints in the order of preference.
    pub(crate) fn endpoints_in_order(&self) -> Vec<&EndpointInput> {
        let mut endpoints: Vec<&EndpointInput> = self.input.endpoints.iter().collect();
        if let Steer::Failover { order } = &self.input.steer {
            endpoints.sort_by_key(|endpoint| {
                order
                    .iter()
                    .position(|cluster| *cluster == endpoint.cluster)
                    .unwrap_or(usize::MAX)
            });
        }
        endpoints
    }
}

pub(crate) fn check(input: &NameInput) -> Result<CheckedName, Problem> {
    let problem = |field: &str, reason: String| Problem::new("name", &input.name, field, reason);
    let name = Name::parse(&input.name).map_err(|error| problem("name", error.to_string()))?;
    let zone = Name::parse(&input.zone).map_err(|error| problem("zone", error.to_string()))?;
    if !name.is_within(&zone) {
        return Err(problem("zone", format!("the name lies outside its zone {zone}")));
    }
    if let Some(reason) = ttl_problem(input.ttl) {
        return Err(problem("ttl", reason));
    }
    steer(input)?;
    endpoints(input)?;
    Ok(CheckedName {
        name,
        zone,
        input: input.clone(),
    })
}

fn steer(input: &NameInput) -> Result<(), Problem> {
    match &input.steer {
        Steer::Weighted | Steer::All { max: None } => Ok(()),
        Steer::All { max: Some(0) } => Err(Problem::new(
            "name",
            &input.name,
            "steer.all.max",
            "is 0; at least one address is needed",
        )),
        Steer::All { max: Some(_) } => Ok(()),
        Steer::Failover { order } => {
            for (index, cluster) in order.iter().enumerate() {
                let field = format!("steer.failover.order[{index}]");
                if order.iter().take(index).any(|earlier| earlier == cluster) {
                    return Err(Problem::new(
                        "name",
                        &input.name,
                        field,
                        format!("the cluster {cluster} is listed twice"),
                    ));
                }
            }
            Ok(())
        }
    }
}

fn endpoints(input: &NameInput) -> Result<(), Problem> {
    let problem = |field: String, reason: String| Problem::new("name", &input.name, field, reason);
    if input.endpoints.is_empty() {
        return Err(problem(
            "endpoints".to_owned(),
            "is empty; at least one endpoint is needed".to_owned(),
        ));
    }
    if input.endpoints.iter().all(|endpoint| endpoint.weight == 0) {
        return Err(problem(
            "endpoints".to_owned(),
            "has only weights of 0; at least one above 0 is needed".to_owned(),
        ));
    }
    let mut clusters = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for (index, endpoint) in input.endpoints.iter().enumerate() {
        if endpoint.cluster.is_empty() {
            return Err(problem(
                format!("endpoints[{index}].cluster"),
                "is empty; a cluster's name is needed".to_owned(),
            ));
        }
        if !clusters.insert(&endpoint.cluster) {
            let reason = format!(
                "the cluster {} has two endpoints; one with all its addresses is needed",
                endpoint.cluster
            );
            return Err(problem(format!("endpoints[{index}].cluster"), reason));
        }
        let field = format!("endpoints[{index}].addresses");
        if endpoint.addresses.is_empty() {
            let reason = format!(
                "is empty for the cluster {}; at least one address is needed",
                endpoint.cluster
            );
            return Err(problem(field, reason));
        }
        if let Some(twice) = endpoint
            .addresses
            .iter()
            .find(|address| !addresses.insert(**address))
        {
            return Err(problem(field, format!("the address {twice} is listed twice")));
        }
        if addresses.len() > MAX_ADDRESSES {
            return Err(problem(
                field,
                format!("the name has more than {MAX_ADDRESSES} addresses"),
            ));
        }
    }
    Ok(())
}
