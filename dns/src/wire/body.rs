//! Encodes records into bodies that an answer copies as they are. The owner is a pointer to the question's name at
//! offset 12, so one body serves every spelling of the name, and names under a wildcard too.

use std::net::IpAddr;

use super::{CLASS_IN, rtype};
use crate::name::Name;

/// The compression pointer to the question's name.
pub(crate) const OWNER_QUESTION: [u8; 2] = [0xc0, 0x0c];

/// Where the data of a record begins whose owner is a pointer.
pub(crate) const RDATA: usize = 12;

/// The octets of the numbers that end SOA data, the serial first.
pub(crate) const SOA_NUMBERS: usize = 20;

/// The octets of one A or AAAA record whose owner is a pointer.
pub(crate) fn address_len(kind: u16) -> usize {
    if kind == rtype::A { 16 } else { 28 }
}

/// The type an address is published under.
pub(crate) fn address_type(address: &IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => rtype::A,
        IpAddr::V6(_) => rtype::AAAA,
    }
}

/// Appends one record.
pub(crate) fn record(out: &mut Vec<u8>, owner: &[u8], kind: u16, ttl_s: u32, rdata: &[u8]) {
    out.extend_from_slice(owner);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.extend_from_slice(&ttl_s.to_be_bytes());
    out.extend_from_slice(&u16::try_from(rdata.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(rdata);
}

pub(crate) fn address(out: &mut Vec<u8>, owner: &[u8], ttl_s: u32, address: &IpAddr) {
    match address {
        IpAddr::V4(v4) => record(out, owner, rtype::A, ttl_s, &v4.octets()),
        IpAddr::V6(v6) => record(out, owner, rtype::AAAA, ttl_s, &v6.octets()),
    }
}

/// The fields of a SOA in wire order (RFC 1035 §3.3.13).
pub(crate) struct Soa<'a> {
    pub(crate) mname: &'a Name,
    pub(crate) rname: &'a Name,
    /// Serial, refresh, retry, expire, minimum.
    pub(crate) numbers: [u32; 5],
}

impl Soa<'_> {
    pub(crate) fn rdata(&self) -> Vec<u8> {
        let mut rdata = Vec::with_capacity(self.mname.wire().len() + self.rname.wire().len() + 20);
        rdata.extend_from_slice(self.mname.wire());
        rdata.extend_from_slice(self.rname.wire());
        for number in self.numbers {
            rdata.extend_from_slice(&number.to_be_bytes());
        }
        rdata
    }
}

/// TXT data: one text cut into strings of at most 255 octets (RFC 1035 §3.3.14).
pub(crate) fn txt_rdata(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut rdata = Vec::with_capacity(bytes.len() + bytes.len() / 255 + 1);
    if bytes.is_empty() {
        rdata.push(0);
    }
    for chunk in bytes.chunks(255) {
        rdata.push(u8::try_from(chunk.len()).unwrap_or(u8::MAX));
        rdata.extend_from_slice(chunk);
    }
    rdata
}
