//! What must hold of any octets whatever: fuzz targets and the regression test on their corpora share it.
//!
//! ```text
//! master-file:     the text of a zone; what it includes is itself
//! last-known-good: a file as it is, and once more with its header made right, or no wrong body would be read
//! proxy:           what a load balancer sends: a PROXY header, and what follows it
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a property fails by panicking"
)]

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use domain::base::Message;
use lifeboat_dns::{
    Catalog, GateTable, Outcome, PLAIN, Proxied, QueryMeta, Scratch, Snapshot, SnapshotInput, Stamp,
    Transport, answer, zonefile,
};
use lifeboat_health::MonoTime;

/// Names of one zone that are asked for.
const MAX_ASKED: usize = 50;
/// A, NS, CNAME, SOA, MX, TXT, AAAA, DNAME, DS, ANY.
const KINDS: [u16; 10] = [1, 2, 5, 6, 15, 16, 28, 39, 43, 255];

/// A master file is a zone that is served, or its problems have places.
pub(crate) fn master_file(octets: &[u8]) {
    let apex = zonefile::parse_name("example.org").unwrap();
    let mut left = 4;
    let reading = zonefile::read(&apex, Path::new("zone"), &mut |_| {
        left -= 1;
        if left == 0 {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(octets.to_vec())
    });
    let errors = |problem: &&zonefile::Problem| problem.severity() == zonefile::Severity::Error;
    let Some(zone) = reading.zone else {
        assert!(reading.problems.iter().any(|problem| errors(&problem)));
        return;
    };
    assert_eq!(reading.problems.iter().find(errors), None);
    let names: BTreeSet<Vec<u8>> = zone.sets().map(|set| set.owner().to_vec()).collect();
    let plan = SnapshotInput {
        stamp: Stamp {
            fleet_uid: "fuzz".to_owned(),
            epoch: 1,
            seq: 1,
        },
        files: vec![Arc::new(zone)],
        ..SnapshotInput::default()
    };
    let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(applied.rejected, []);
    served(&catalog, &names);
    let file = catalog.to_last_known_good().unwrap();
    let (again, problems) = Catalog::from_last_known_good(&file).unwrap();
    assert_eq!(problems, []);
    assert_eq!(again.to_last_known_good().unwrap(), file);
}

/// A file of last-known-good is refused, or is a catalog that is served and is written as the same again.
pub(crate) fn last_known_good(octets: &[u8]) {
    restored(octets);
    restored(&mended(octets));
}

fn restored(file: &[u8]) {
    let Ok((catalog, _)) = Catalog::from_last_known_good(file) else {
        return;
    };
    let org = b"\x07example\x03org\x00".to_vec();
    let shop = [b"\x04shop", &org[..]].concat();
    served(&catalog, &BTreeSet::from([org, shop]));
    let once = catalog.to_last_known_good().unwrap();
    let (again, problems) = Catalog::from_last_known_good(&once).unwrap();
    assert_eq!(problems, [], "what was taken once is taken again");
    assert_eq!(again.to_last_known_good().unwrap(), once);
}

/// The octets behind the first line under a header that is right.
pub(crate) fn mended(octets: &[u8]) -> Vec<u8> {
    let start = octets
        .iter()
        .position(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    let body = &octets[start..];
    let header = format!(
        "{{\"format\":\"lifeboat.dns/last-known-good\",\"version\":2,\"octets\":{},\"crc32\":\"{:08x}\"}}\n",
        body.len(),
        crc32fast::hash(body)
    );
    [header.as_bytes(), body].concat()
}

/// Names, what lies above and below them, and what is beside them are answered, each with a message that is whole.
fn served(catalog: &Catalog, names: &BTreeSet<Vec<u8>>) {
    let gates = GateTable::new();
    let Ok(snapshot) = catalog.build(&gates) else {
        return;
    };
    let mut scratch = Scratch::new();
    scratch.fit(&snapshot);
    for name in names.iter().take(MAX_ASKED) {
        for asked in [
            name.clone(),
            [b"\x01x", &name[..]].concat(),
            [b"\x01*", &name[..]].concat(),
        ] {
            if asked.len() <= 255 {
                ask(&snapshot, &gates, &mut scratch, &asked);
            }
        }
    }
}

fn ask(snapshot: &Snapshot, gates: &GateTable, scratch: &mut Scratch, name: &[u8]) {
    for kind in KINDS {
        for (transport, room) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
            let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            packet.extend_from_slice(name);
            packet.extend_from_slice(&kind.to_be_bytes());
            packet.extend_from_slice(&[0, 1]);
            let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let meta = QueryMeta {
                client: local,
                local,
                transport,
                now: MonoTime::ZERO,
                draw: 7,
                ecs: false,
                unix_s: 0,
                protocol: &PLAIN,
            };
            let mut out = vec![0; room];
            let outcome = answer(scratch, &packet, &meta, snapshot, gates, &mut out);
            let Outcome::Reply(reply) = outcome else {
                panic!("no answer to {packet:?}");
            };
            out.truncate(reply.len);
            let message = Message::from_octets(out).unwrap();
            assert!(message.header().qr());
            assert!(message.question().all(|question| question.is_ok()));
            for section in [message.answer(), message.authority(), message.additional()] {
                assert!(section.unwrap().all(|record| record.is_ok()));
            }
        }
    }
}

/// Of version 2 of the PROXY protocol (§2.2): the signature, and the longest header that is taken.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const MAX_HEADER: usize = 16 + 1_024;

/// A PROXY header is read where the specification has one, tells the address that stands there, and ends where it says; what follows
/// changes nothing, and without its end it is none.
pub(crate) fn proxy(octets: &[u8]) {
    let announced = Proxied::announced(octets);
    let length = octets
        .get(..16)
        .filter(|head| head.starts_with(SIGNATURE) && head[12] >> 4 == 2)
        .map(|head| 16 + usize::from(head[14]) * 256 + usize::from(head[15]))
        .filter(|length| *length <= MAX_HEADER);
    assert_eq!(announced, length);
    let Some(header) = length.and_then(|length| octets.get(..length)) else {
        assert_eq!(Proxied::read(octets), None, "no whole header");
        return;
    };
    let address = |from: usize, to: usize, addresses: usize| {
        header.get(from..to).filter(|_| header.len() >= 16 + addresses)
    };
    let expected = match (header[12] & 0xf, header[13]) {
        (0, _) | (1, 0x00..=0x0f) => Some(None),
        (1, 0x11 | 0x12) => address(16, 20, 12).map(|octets| {
            let octets: [u8; 4] = octets.try_into().unwrap();
            Some(IpAddr::from(octets))
        }),
        (1, 0x21 | 0x22) => address(16, 32, 36).map(|octets| {
            let octets: [u8; 16] = octets.try_into().unwrap();
            Some(IpAddr::from(octets).to_canonical())
        }),
        _ => None,
    };
    let len = header.len();
    let expected = expected.map(|client| Proxied { client, len });
    for packet in [octets, header] {
        assert_eq!(Proxied::read(packet), expected);
    }
    assert_eq!(Proxied::read(&header[..len - 1]), None);
}
