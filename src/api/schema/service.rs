//! HTTPS and SVCB records of a `TrafficPolicy`, in the words of the DNS server.

use lifeboat_dns::ServiceInput;
use schemars::{Schema, SchemaGenerator};

use super::{fields_of, with};

/// HTTPS records of a steered name.
pub(in crate::api) fn https(generator: &mut SchemaGenerator) -> Schema {
    with(
        fields_of::<ServiceInput>(generator),
        "HTTPS records (RFC 9460) that follow the name's addresses: their hints are what A and AAAA are answered.",
    )
}

/// SVCB records of a steered name.
pub(in crate::api) fn svcb(generator: &mut SchemaGenerator) -> Schema {
    with(
        fields_of::<ServiceInput>(generator),
        "The same as `https` in SVCB records, for other protocols.",
    )
}
