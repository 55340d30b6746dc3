//! What every steered name would be answered now, as shares of the answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use crate::gate::table::GateTable;
use crate::invariants;
use crate::snapshot::{RrSet, Snapshot, Steered};
use crate::steer::{self, health};
use crate::wire::rtype;

/// One name and type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameShares {
    pub name: String,
    /// `A` or `AAAA`.
    pub kind: String,
    /// TTL in seconds.
    pub ttl: u32,
    /// The health of every candidate is in doubt: the last good set serves.
    pub panic: bool,
    /// The clusters in the answers; never empty.
    pub answers: Vec<AnswerShare>,
}

/// One cluster's part of a name's answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerShare {
    pub cluster: String,
    pub addresses: Vec<IpAddr>,
    /// Share of the answers that hold this cluster, 0 to 1.
    pub share: f64,
}

pub(crate) fn all(snapshot: &Snapshot, gates: &GateTable) -> Vec<NameShares> {
    snapshot
        .steered()
        .map(|(name, set, steered)| of_set(snapshot, gates, name.to_string(), set, steered))
        .collect()
}

fn of_set(
    snapshot: &Snapshot,
    gates: &GateTable,
    name: String,
    set: &RrSet,
    steered: &Steered,
) -> NameShares {
    let mut effective = Vec::new();
    let health = steer::effective(steered, gates, &mut effective);
    let shares = steer::shares(steered, &effective, None);
    debug_assert!(
        !steered.chain.chooses_one() || invariants::s13_shares_sum_to_one(&shares),
        "shares of {name} do not add up: {shares:?}"
    );
    let answers = steered
        .candidates
        .iter()
        .zip(shares)
        .filter(|(_, share)| *share > 0.0)
        .map(|(candidate, share)| AnswerShare {
            cluster: snapshot.cluster(candidate).to_owned(),
            addresses: snapshot.address_list(set.kind, candidate),
            share,
        })
        .collect();
    NameShares {
        name,
        kind: rtype::text(set.kind),
        ttl: set.ttl_s(steered, health),
        panic: health.is_panic(),
        answers,
    }
}

/// PANIC is on for at least one name.
pub(crate) fn any_panic(snapshot: &Snapshot, gates: &GateTable) -> bool {
    let mut effective = Vec::new();
    snapshot
        .steered()
        .any(|(_, _, steered)| health::apply(&steered.candidates, gates, &mut effective).is_panic())
}

pub(crate) fn panic_names(snapshot: &Snapshot, gates: &GateTable) -> usize {
    let mut effective = Vec::new();
    let names: BTreeSet<_> = snapshot
        .steered()
        .filter(|(_, _, steered)| health::apply(&steered.candidates, gates, &mut effective).is_panic())
        .map(|(name, _, _)| name)
        .collect();
    names.len()
}
