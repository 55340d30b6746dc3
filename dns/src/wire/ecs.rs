//! EDNS Client Subnet (RFC 7871): the network of the client on whose behalf a resolver asks.

use std::net::Ipv4Addr;

use lifeboat_health::Family;

use crate::steer::client::{Client, prefix_mask};

pub(crate) const CODE: u16 = 8;
/// Option code, length, FAMILY, SOURCE and SCOPE PREFIX-LENGTH.
const HEAD: usize = 8;
const MAX_ADDRESS: usize = 16;

/// What a query's OPT says of a client subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ecs {
    Absent,
    /// To be answered with FORMERR (RFC 7871 §6).
    Malformed,
    Given(Subnet),
}

/// A well-formed option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    family: u16,
    source: u8,
    address: [u8; MAX_ADDRESS],
}

/// Reads the option's data (RFC 7871 §6): a known family, no scope in a query, as many octets of address as the source
/// prefix needs, and no bit set behind it.
pub(crate) fn parse(data: &[u8]) -> Ecs {
    read(data).map_or(Ecs::Malformed, Ecs::Given)
}

fn read(data: &[u8]) -> Option<Subnet> {
    let (head, octets) = data.split_first_chunk::<4>()?;
    let family = u16::from_be_bytes([head[0], head[1]]);
    let (source, scope) = (head[2], head[3]);
    let longest = match family {
        // What dig sends for +subnet=0: no address, so no family.
        0 => 0,
        1 => 32,
        2 => 128,
        _ => return None,
    };
    if source > longest || scope != 0 || octets.len() != usize::from(source).div_ceil(8) {
        return None;
    }
    let mut address = [0; MAX_ADDRESS];
    address.get_mut(..octets.len())?.copy_from_slice(octets);
    let behind = u128::from_be_bytes(address) & !prefix_mask(source);
    (behind == 0).then_some(Subnet {
        family,
        source,
        address,
    })
}

impl Subnet {
    /// The client, unless it asks not to be told apart: a source prefix of 0 (RFC 7871 §7.1.2).
    pub(crate) fn client(&self) -> Option<Client> {
        let family = match (self.source, self.family) {
            (0, _) => return None,
            (_, 1) => Family::V4,
            _ => Family::V6,
        };
        let bits = u128::from_be_bytes(self.address);
        // An IPv4 address in an IPv6 one, told whole enough to be known as such.
        if family == Family::V6 && self.source >= 96 && bits >> 32 == 0xffff {
            let v4 = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0);
            return Some(Client::of_address(Ipv4Addr::from_bits(v4).into()));
        }
        Some(Client { family, bits })
    }

    /// The octets of the option in a response.
    pub(crate) fn echoed_len(&self) -> usize {
        HEAD + usize::from(self.source).div_ceil(8)
    }

    /// Writes the option with FAMILY, SOURCE PREFIX-LENGTH and ADDRESS as they came, and the scope (RFC 7871 §7.2.1).
    pub(crate) fn echo(&self, scope: u8, into: &mut [u8]) {
        let Some((head, address)) = into.split_first_chunk_mut::<HEAD>() else {
            return;
        };
        let length = u16::try_from(4 + address.len()).unwrap_or(0).to_be_bytes();
        let (code, family) = (CODE.to_be_bytes(), self.family.to_be_bytes());
        let scope = if self.source == 0 { 0 } else { scope };
        *head = [
            code[0],
            code[1],
            length[0],
            length[1],
            family[0],
            family[1],
            self.source,
            scope,
        ];
        for (into, octet) in address.iter_mut().zip(self.address) {
            *into = octet;
        }
    }
}
