//! Checks one steered name.

use std::collections::BTreeSet;

use super::{MAX_ADDRESSES, ttl_problem};
use crate::catalog::problem::Problem;
use crate::input::NameInput;
use crate::name::Name;
use crate::steer::compile;

/// A steered name whose answer cannot be empty.
#[derive(Debug)]
pub(crate) struct CheckedName {
    pub(crate) name: Name,
    pub(crate) zone: Name,
    pub(crate) input: NameInput,
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
    endpoints(input)?;
    compile::check(&input.steer, &input.endpoints).map_err(|wrong| problem(&wrong.field, wrong.reason))?;
    Ok(CheckedName {
        name,
        zone,
        input: input.clone(),
    })
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
