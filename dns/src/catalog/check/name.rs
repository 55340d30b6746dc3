//! Checks one steered name.

use std::collections::BTreeSet;

use super::service::{self, CheckedServices};
use super::{MAX_ADDRESSES, ttl_problem};
use crate::catalog::problem::Problem;
use crate::input::{NameInput, OnAllDown};
use crate::name::Name;
use crate::steer::compile;

/// A steered name whose answer cannot be empty.
#[derive(Debug)]
pub(crate) struct CheckedName {
    pub(crate) name: Name,
    pub(crate) zone: Name,
    pub(crate) input: NameInput,
    /// Its HTTPS and SVCB records.
    pub(crate) services: Option<Box<CheckedServices>>,
}

impl CheckedName {
    /// Half of the TTL where the plan does not say otherwise, as gdnsd has it; 0 only where that is.
    pub(crate) fn degraded_ttl_s(&self) -> u32 {
        let half = (self.input.ttl / 2).max(1);
        self.input.degraded_ttl.unwrap_or(half).min(self.input.ttl)
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
    match input.degraded_ttl {
        Some(ttl_s) if ttl_s == 0 || ttl_s > input.ttl => {
            let reason = format!(
                "is {ttl_s}; 1 to the name's ttl of {} seconds are allowed",
                input.ttl
            );
            return Err(problem("degradedTtl", reason));
        }
        Some(_) | None => {}
    }
    endpoints(input)?;
    fallback(input)?;
    compile::check(&input.steer, &input.endpoints).map_err(|wrong| problem(&wrong.field, wrong.reason))?;
    let services = service::check(input, &name)?;
    Ok(CheckedName {
        name,
        zone,
        input: input.clone(),
        services,
    })
}

/// A fallback must stand in for every family that the endpoints have.
fn fallback(input: &NameInput) -> Result<(), Problem> {
    let OnAllDown::Fallback(addresses) = &input.on_all_down else {
        return Ok(());
    };
    let problem = |reason: String| Problem::new("name", &input.name, "onAllDown.fallback", reason);
    if addresses.len() > MAX_ADDRESSES {
        return Err(problem(format!("has more than {MAX_ADDRESSES} addresses")));
    }
    if let Some(twice) = (1..addresses.len()).find(|&at| addresses[..at].contains(&addresses[at])) {
        return Err(problem(format!(
            "the address {} is listed twice",
            addresses[twice]
        )));
    }
    let mut used = input.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
    let missing = used.find(|used| {
        addresses
            .iter()
            .all(|address| address.is_ipv4() != used.is_ipv4())
    });
    match missing {
        None => Ok(()),
        Some(address) => {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            Err(problem(format!(
                "has no {family} address, and the endpoints have; at least one is needed"
            )))
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
