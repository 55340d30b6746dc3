//! HTTPS and SVCB records of steered names, and the names of clusters that they refer to.

use super::super::{RrData, RrSet, Service, Span};
use super::{BuildError, Builder, counted};
use crate::catalog::check::{CheckedName, CheckedServices, Target};
use crate::wire::{body, rtype};

impl Builder<'_> {
    /// Adds a name's service records to its node, behind its addresses.
    pub(super) fn services(
        &mut self,
        name: &CheckedName,
        services: &CheckedServices,
    ) -> Result<(), BuildError> {
        let mut targets = Vec::new();
        for target in &services.targets {
            let cluster = name.input.endpoints.get(target.endpoint);
            let cluster = cluster.and_then(|endpoint| self.clusters.get(&endpoint.cluster).copied());
            if let Some(cluster) = cluster {
                targets.push((cluster, self.append(target.name.wire())?));
            }
        }
        for set in &services.sets {
            let service = Service {
                before_hints: self.append(&set.before_hints)?,
                ech: self.append(&set.ech)?,
                alternates: set.alternates,
                targets: targets.clone().into(),
            };
            self.add(RrSet {
                kind: set.kind,
                ttl_s: name.input.ttl,
                data: RrData::Service(Box::new(service)),
            });
        }
        Ok(())
    }

    /// Adds the addresses of one cluster to the node of its name. They do not follow its health: who asks for them has been
    /// sent there.
    pub(super) fn target(&mut self, name: &CheckedName, target: &Target) -> Result<(), BuildError> {
        let endpoint = name.input.endpoints.get(target.endpoint);
        let addresses = endpoint.map_or(&[][..], |endpoint| &endpoint.addresses);
        let ttl_s = name.input.ttl;
        for kind in [rtype::A, rtype::AAAA] {
            let start = self.position()?;
            let of_kind = addresses
                .iter()
                .filter(|address| body::address_type(address) == kind);
            let put = of_kind.map(|address| {
                body::address(&mut self.octets, &body::OWNER_QUESTION, ttl_s, address);
            });
            if let Some(count) = counted(put.count()) {
                let body = self.span_from(start)?;
                let addresses = None;
                self.add(RrSet {
                    kind,
                    ttl_s,
                    data: RrData::Fixed {
                        count,
                        body,
                        addresses,
                    },
                });
            }
        }
        Ok(())
    }

    fn append(&mut self, octets: &[u8]) -> Result<Span, BuildError> {
        let start = self.position()?;
        self.octets.extend_from_slice(octets);
        self.span_from(start)
    }
}
