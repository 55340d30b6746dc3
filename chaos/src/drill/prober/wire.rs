//! The two DNS messages of a probe: the query, encoded once, and as much of the response as matters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query},
    rr::{Name, RecordType},
};

use super::ProberError;

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const NOERROR: u8 = 0;
const NXDOMAIN: u8 = 3;

pub(super) enum Response {
    /// NOERROR or NXDOMAIN with these addresses.
    Addresses(Vec<IpAddr>),
    /// Any other code.
    Failure,
}

/// A query for the A records of `name`; its first two bytes are the id.
pub(super) fn query(name: &str) -> Result<Vec<u8>, ProberError> {
    let bad = |reason: String| ProberError::Name {
        name: name.to_owned(),
        reason,
    };
    let mut parsed = Name::from_ascii(name).map_err(|error| bad(error.to_string()))?;
    parsed.set_fqdn(true);
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(parsed, RecordType::A));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message.to_vec().map_err(|error| bad(error.to_string()))
}

/// The id of a response and what it says; `None` for what is no well-formed response.
pub(super) fn response(packet: &[u8]) -> Option<(u16, Response)> {
    let id = u16_at(packet, 0)?;
    let is_response = packet.get(2)? & 0x80 != 0;
    if !is_response {
        return None;
    }
    let code = packet.get(3)? & 0x0f;
    if code != NOERROR && code != NXDOMAIN {
        return Some((id, Response::Failure));
    }
    let mut at = HEADER;
    for _ in 0..u16_at(packet, 4)? {
        at = skip_name(packet, at)? + 4;
    }
    let mut addresses = Vec::new();
    for _ in 0..u16_at(packet, 6)? {
        at = skip_name(packet, at)?;
        let kind = u16_at(packet, at)?;
        let length = usize::from(u16_at(packet, at + 8)?);
        let data = packet.get(at + 10..at + 10 + length)?;
        at += 10 + length;
        match kind {
            TYPE_A => addresses.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            TYPE_AAAA => addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
            _ => {}
        }
    }
    Some((id, Response::Addresses(addresses)))
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]))
}

/// Where the name at `at` ends.
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => return Some(at + 1),
            // A pointer ends the name.
            0xc0.. => return Some(at + 2),
            _ => at += 1 + length,
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::ResponseCode,
        rr::{RData, Record, rdata::A},
    };

    use super::*;

    fn check(code: ResponseCode, answers: &[[u8; 4]], expected: Option<&[[u8; 4]]>) {
        let asked = Message::from_vec(&query("shop.demo.example").unwrap()).unwrap();
        let mut message = Message::response(77, OpCode::Query);
        message.metadata.response_code = code;
        let name = asked.queries[0].name().clone();
        message.add_query(asked.queries[0].clone());
        for address in answers {
            message.add_answer(Record::from_rdata(
                name.clone(),
                5,
                RData::A(A(Ipv4Addr::from(*address))),
            ));
        }
        let (id, response) = response(&message.to_vec().unwrap()).unwrap();
        let got = match response {
            Response::Addresses(addresses) => Some(addresses),
            Response::Failure => None,
        };
        let expected = expected.map(|list| {
            list.iter()
                .map(|address| IpAddr::from(*address))
                .collect::<Vec<_>>()
        });
        assert_eq!((id, got), (77, expected), "{code}");
    }

    #[test]
    fn responses() {
        check(
            ResponseCode::NoError,
            &[[127, 0, 1, 1], [127, 0, 2, 1]],
            Some(&[[127, 0, 1, 1], [127, 0, 2, 1]]),
        );
        check(ResponseCode::NoError, &[], Some(&[]));
        check(ResponseCode::NXDomain, &[], Some(&[]));
        check(ResponseCode::ServFail, &[], None);
        check(ResponseCode::Refused, &[], None);
    }

    #[test]
    fn no_packet_panics() {
        let mut draw = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut packet = vec![0; draw.usize(..64)];
            draw.fill(&mut packet);
            response(&packet);
        }
        assert!(query("a..b").is_err());
        assert!(query(&"a".repeat(64)).is_err());
    }
}
