//! Steered names: candidates by address family, each with its slot in the gate table and its ready-made records.

use std::collections::VecDeque;
use std::sync::Arc;

use lifeboat_health::Family;

use super::super::{AllDown, Candidate, RrData, RrSet, Steered, owner_hash};
use super::{BuildError, Builder, counted};
use crate::catalog::check::CheckedName;
use crate::gate::table::SlotId;
use crate::input::{EndpointInput, Filter, OnAllDown};
use crate::nonempty::NonEmpty;
use crate::steer::{Chain, compile};
use crate::wire::{body, rtype};

/// The chains of the names built last: most names of a plan are steered by a few, and what all their answers read stays near
/// the processor.
#[derive(Default)]
pub(super) struct Chains<'a>(VecDeque<(&'a [Filter], Vec<&'a str>, Arc<Chain>)>);

const REMEMBERED: usize = 8;

impl<'a> Chains<'a> {
    fn of(&mut self, filters: &'a [Filter], clusters: Vec<&'a str>) -> Arc<Chain> {
        let known = |(others, of, _): &&(&[Filter], Vec<&str>, _)| *others == filters && *of == clusters;
        if let Some((.., chain)) = self.0.iter().find(known) {
            return Arc::clone(chain);
        }
        let chain = Arc::new(compile::chain(filters, &clusters));
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front((filters, clusters, Arc::clone(&chain)));
        chain
    }
}

impl<'a> Builder<'a> {
    /// Adds what is steered of a name to the node that is being built.
    pub(super) fn name(&mut self, name: &'a CheckedName) -> Result<(), BuildError> {
        for (kind, family) in [(rtype::A, Family::V4), (rtype::AAAA, Family::V6)] {
            let filters = &name.input.steer;
            let mut candidates = Vec::new();
            let mut clusters = Vec::new();
            for endpoint in compile::in_order(filters, &name.input.endpoints) {
                if let Some(candidate) = self.candidate(name, endpoint, kind, family)? {
                    candidates.push(candidate);
                    clusters.push(endpoint.cluster.as_str());
                }
            }
            // A set whose every weight is 0 keeps its candidates; the steering chain never leaves it empty.
            let Some(candidates) = NonEmpty::new(candidates) else {
                continue;
            };
            let chain = self.chains.of(filters, clusters);
            let data = RrData::Steered(Box::new(Steered {
                chain,
                candidates,
                all_down: self.all_down(name, kind)?,
                degraded_ttl_s: name.degraded_ttl_s(),
                owner: owner_hash(name.name.wire()),
                meter: 0,
            }));
            self.add(RrSet {
                kind,
                ttl_s: name.input.ttl,
                data,
            });
        }
        match &name.services {
            Some(services) => self.services(name, services),
            None => Ok(()),
        }
    }

    fn all_down(&mut self, name: &CheckedName, kind: u16) -> Result<AllDown, BuildError> {
        Ok(match &name.input.on_all_down {
            OnAllDown::LastGood => AllDown::LastGood,
            OnAllDown::All => AllDown::All,
            OnAllDown::Servfail => AllDown::ServFail,
            OnAllDown::Fallback(addresses) => {
                let start = self.position()?;
                let of_kind = addresses
                    .iter()
                    .filter(|address| body::address_type(address) == kind);
                let count = of_kind
                    .map(|address| {
                        body::address(
                            &mut self.octets,
                            &body::OWNER_QUESTION,
                            name.degraded_ttl_s(),
                            address,
                        );
                    })
                    .count();
                match counted(count) {
                    None => AllDown::LastGood,
                    Some(count) => AllDown::Fallback {
                        count,
                        body: self.span_from(start)?,
                    },
                }
            }
        })
    }

    fn candidate(
        &mut self,
        name: &CheckedName,
        endpoint: &EndpointInput,
        kind: u16,
        family: Family,
    ) -> Result<Option<Candidate>, BuildError> {
        let ttl_s = name.input.ttl;
        let body_start = self.position()?;
        let mut total = 0_usize;
        for address in endpoint
            .addresses
            .iter()
            .filter(|address| body::address_type(address) == kind)
        {
            body::address(&mut self.octets, &body::OWNER_QUESTION, ttl_s, address);
            total += 1;
        }
        self.position()?;
        let Some(count) = counted(total) else {
            return Ok(None);
        };
        let slot = self.slot(&endpoint.cluster, family)?;
        // A slot without any is out of use.
        let longest = self.longest_ttls.entry(slot).or_insert(1);
        *longest = ttl_s.max(*longest);
        let next = u32::try_from(self.clusters.len()).map_err(|_| BuildError::TooLarge)?;
        let cluster = *self.clusters.entry(endpoint.cluster.clone()).or_insert(next);
        Ok(Some(Candidate {
            slot,
            cluster,
            weight: compile::weight(&name.input.steer, endpoint),
            count,
            body_start,
        }))
    }

    fn slot(&self, cluster: &str, family: Family) -> Result<SlotId, BuildError> {
        self.gates
            .intern(cluster, family)
            .ok_or_else(|| BuildError::NoSlot {
                cluster: cluster.to_owned(),
                capacity: self.gates.capacity(),
            })
    }
}
