//! Record types and data from their presentation form.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

use super::MAX_TEXT_OCTETS;
use crate::wire::{body, rtype};

/// Types that a zone may state records of: not those that belong to the server, to transfers or to DNSSEC.
const ALLOWED: [RecordType; 16] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::DNAME,
    RecordType::HINFO,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NAPTR,
    RecordType::NS,
    RecordType::PTR,
    RecordType::SRV,
    RecordType::SSHFP,
    RecordType::SVCB,
    RecordType::TLSA,
    RecordType::TXT,
];

/// The number of a type that a zone may state.
pub(super) fn kind(text: &str) -> Result<u16, String> {
    if text.eq_ignore_ascii_case("ALIAS") {
        return Ok(rtype::ALIAS);
    }
    let found = RecordType::from_str(&text.to_ascii_uppercase()).ok();
    found
        .filter(|kind| ALLOWED.contains(kind))
        .map(u16::from)
        .ok_or_else(|| {
            let allowed = ALLOWED.map(|kind| kind.to_string()).join(", ");
            format!("is {text}; {allowed} and ALIAS are allowed")
        })
}

/// One record's data in wire form, names in full and as they are spelled.
pub(super) fn encode(kind: u16, text: &str) -> Result<Vec<u8>, String> {
    match kind {
        _ if text.len() > MAX_TEXT_OCTETS => Err("is too long".to_owned()),
        rtype::A => text
            .parse::<Ipv4Addr>()
            .map(|ip| ip.octets().to_vec())
            .map_err(|_| "is not an IPv4 address".to_owned()),
        rtype::AAAA => text
            .parse::<Ipv6Addr>()
            .map(|ip| ip.octets().to_vec())
            .map_err(|_| "is not an IPv6 address".to_owned()),
        rtype::TXT => Ok(body::txt_rdata(text)),
        // Their data is a name alone, as a CNAME's is (RFC 6672 §2.1).
        rtype::DNAME | rtype::ALIAS => library(RecordType::CNAME, text),
        other => library(RecordType::from(other), text),
    }
}

fn library(kind: RecordType, text: &str) -> Result<Vec<u8>, String> {
    let problem = |error: &dyn std::fmt::Display| format!("is not the data of a {kind} record: {error}");
    let data = RData::try_from_str(kind, text).map_err(|error| problem(&error))?;
    data.to_bytes().map_err(|error| problem(&error))
}
