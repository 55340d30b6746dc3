//! What must hold of the answer to any packet whatever, beside two other decoders: hickory-proto and domain. The first octet of an input
//! says how the packet comes, the rest is the packet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a property fails by panicking"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode};
use lifeboat_dns::{
    Catalog, CookieRules, CookieSecrets, CookieSeen, GateTable, Identity, Outcome, PLAIN, Protocol,
    QueryMeta, Rcode, Reply, Scratch, Snapshot, SnapshotInput, Stamp, Transport, Version, answer, zonefile,
};
use lifeboat_health::MonoTime;

const ZONE: &str = "\
$TTL 300
@ SOA ns hm 1 1h 15m 1w 5m
 NS ns
ns A 192.0.2.1
www CNAME shop
alias ALIAS shop
mail MX 10 ns
*.wild TXT \"wild\"
sub NS ns.sub
ns.sub A 192.0.2.5
old DNAME new
a.new TXT x
loop CNAME loop
a.b.c.deep A 192.0.2.6
";
const STEERED: &str = r#"[{
    "name": "shop.example.org", "zone": "example.org", "epoch": 1, "seq": 1, "ttl": 5,
    "steer": [{"weighted": {"eu": 70, "us": 30}}], "https": {"alpn": ["h2", "h3"], "alternates": 1},
    "endpoints": [
        {"cluster": "eu", "addresses": ["192.0.2.10", "2001:db8::10"], "weight": 1},
        {"cluster": "us", "addresses": ["192.0.2.20"], "weight": 1}
    ]
}]"#;
/// Of a message (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// How a packet comes, in the first octet of an input: over UDP with all that is spoken.
const WITH_ALL: u8 = 2;
/// The option (RFC 7873 §4).
const COOKIE: u16 = 10;
/// The type OPT, which is no question (RFC 6891 §6.1.1).
const OPT: u16 = 41;
/// A client subnet of family 0 and no bits (RFC 7871 §6).
const NO_FAMILY: &[u8] = &[0, 8, 0, 4, 0, 0, 0, 0];

struct World {
    snapshot: Snapshot,
    gates: GateTable,
    /// All that is spoken beside plain DNS.
    full: Protocol,
}

impl World {
    fn new() -> World {
        let apex = zonefile::parse_name("example.org").unwrap();
        let read = &mut |_: &Path| Ok(ZONE.as_bytes().to_vec());
        let zone = zonefile::read(&apex, Path::new("zone"), read).zone.unwrap();
        let plan = SnapshotInput {
            stamp: Stamp {
                fleet_uid: "fuzz".to_owned(),
                epoch: 1,
                seq: 1,
            },
            files: vec![Arc::new(zone)],
            names: serde_json::from_str(STEERED).unwrap(),
            ..SnapshotInput::default()
        };
        let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
        assert_eq!(applied.rejected, []);
        let gates = GateTable::new();
        World {
            snapshot: catalog.build(&gates).unwrap(),
            gates,
            full: Protocol {
                cookies: Some(CookieRules {
                    secrets: CookieSecrets::parse("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap(),
                    enforce: true,
                }),
                rate_limit: None,
                identity: Identity {
                    nsid: Some(b"ns1".to_vec()),
                    name: Some("ns1".to_owned()),
                    version: Version::Own,
                },
                keepalive_tenths: Some(100),
            },
        }
    }

    fn answered(&self, how: u8, packet: &[u8]) -> Option<(Reply, Vec<u8>)> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let meta = QueryMeta {
            client: local,
            local,
            transport: transport(how),
            now: MonoTime::ZERO,
            draw: 7,
            ecs: how & 4 != 0,
            unix_s: 1_700_000_000,
            protocol: if how & WITH_ALL == 0 { &PLAIN } else { &self.full },
        };
        let mut scratch = Scratch::new();
        let mut out = vec![0; usize::from(u16::MAX)];
        match answer(&mut scratch, packet, &meta, &self.snapshot, &self.gates, &mut out) {
            Outcome::Reply(reply) => {
                out.truncate(reply.len);
                Some((reply, out))
            }
            Outcome::Dropped => None,
        }
    }
}

fn transport(how: u8) -> Transport {
    if how & 1 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    }
}

thread_local! {
    static WORLD: World = World::new();
}

pub(crate) fn packet(octets: &[u8]) {
    let Some((how, packet)) = octets.split_first() else {
        return;
    };
    WORLD.with(|world| check(world, *how, packet));
}

fn check(world: &World, how: u8, packet: &[u8]) {
    let Some((reply, out)) = world.answered(how, packet) else {
        assert!(
            packet.len() < HEADER || packet[2] & 0x80 != 0,
            "a query was not answered"
        );
        return;
    };
    header(packet, &out);
    // No zone of this world is broken: SERVFAIL would be a panic that was caught.
    assert_ne!(reply.rcode, Rcode::ServFail);
    if let Transport::Udp = transport(how) {
        let limit = if reply.opt_len == 0 { 512 } else { 1_232 };
        assert!(out.len() <= limit, "{} octets over UDP", out.len());
    }
    let told = decoded(&legible(&out, reply.opt_len));
    assert_eq!(told.truncation, reply.truncated);
    cookie(world, how, &reply, &told);
    if told.queries.len() == 1 {
        assert!(
            packet[HEADER..].starts_with(&out[HEADER..reply.question_end]),
            "the question is not as it came (RFC 1035 §4.1.2)"
        );
    }
    let Ok(asked) = Message::from_vec(packet) else {
        // Of options that it does not believe or know, the server reads the length alone.
        assert!(
            told.answers.is_empty() || packet[10..HEADER] != [0, 0],
            "an answer to what hickory-proto cannot read"
        );
        return;
    };
    if let Some(canonical) = canonical(&asked) {
        let is_question = u16::from(asked.queries[0].query_type()) != OPT;
        if canonical[HEADER..] == packet[HEADER..] && is_question {
            assert_ne!(reply.rcode, Rcode::FormErr, "a plain query is well-formed");
            // Read and written by another: the same is asked.
            let (again, _) = world.answered(how, &canonical).unwrap();
            assert_eq!((again.rcode, again.qtype), (reply.rcode, reply.qtype));
        }
    }
}

/// RFC 7873 §5.2.3, §5.2.4: over UDP nothing is told to who shows a cookie that is not ours; and with the cookie that it is told it gets
/// its answer.
fn cookie(world: &World, how: u8, reply: &Reply, told: &Message) {
    let refused = matches!(reply.cookie, CookieSeen::Client | CookieSeen::Bad);
    if refused && matches!(transport(how), Transport::Udp) {
        assert!(told.answers.is_empty(), "an answer without a good cookie");
    }
    let Some(cookie) = told_cookie(told) else {
        assert_eq!(reply.cookie, CookieSeen::None);
        return;
    };
    assert_ne!(how & WITH_ALL, 0, "a cookie, and they are off");
    let (again, _) = world.answered(WITH_ALL, &showing(&cookie)).unwrap();
    assert_eq!((again.rcode, again.cookie), (Rcode::NoError, CookieSeen::Good));
}

fn told_cookie(told: &Message) -> Option<Vec<u8>> {
    let option = told.edns.as_ref()?.option(COOKIE.into())?;
    Some(Vec::try_from(option).unwrap())
}

/// A query for the steered name with a cookie.
fn showing(cookie: &[u8]) -> Vec<u8> {
    let length = u16::try_from(cookie.len()).unwrap();
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x04shop\x07example\x03org\0\0\x01\0\x01";
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0";
    [
        &question[..],
        opt,
        &(length + 4).to_be_bytes(),
        &COOKIE.to_be_bytes(),
        &length.to_be_bytes(),
        cookie,
    ]
    .concat()
}

/// A seed of the corpus: a client that has learned its cookie.
pub(crate) fn with_good_cookie() -> Vec<u8> {
    WORLD.with(|world| {
        let (_, out) = world.answered(WITH_ALL, &showing(b"a client")).unwrap();
        let cookie = told_cookie(&Message::from_vec(&out).unwrap()).unwrap();
        [&[WITH_ALL][..], &showing(&cookie)].concat()
    })
}

/// Identity, opcode and RD as they came; QR set; RA, Z, AD and CD clear: it resolves and validates nothing.
fn header(packet: &[u8], out: &[u8]) {
    assert_eq!(out[..2], packet[..2]);
    assert_eq!(out[2] & 0b1111_1001, 0x80 | packet[2] & 0b0111_1001);
    assert_eq!(out[3] & 0xf0, 0);
}

/// The response with a client subnet of no family told as one of IPv4: dig asks so for `+subnet=0`, and is answered so, but
/// hickory-proto does not read it.
fn legible(out: &[u8], opt_len: usize) -> Vec<u8> {
    let mut octets = out.to_vec();
    // Behind an OPT's owner, type, size, flags and length (RFC 6891 §6.1.2) stand its options; nothing follows it.
    let mut at = out.len() - opt_len + 11;
    while at < out.len() {
        if octets[at..].starts_with(NO_FAMILY) {
            octets[at + 5] = 1;
        }
        at += 4 + usize::from(u16::from_be_bytes([octets[at + 2], octets[at + 3]]));
    }
    octets
}

/// The response as hickory-proto reads it; domain must read it too, to the same number of records.
fn decoded(out: &[u8]) -> Message {
    let told = Message::from_vec(out).unwrap();
    assert_eq!(told.message_type, MessageType::Response);
    let other = domain::base::Message::from_octets(out).unwrap();
    assert!(other.question().all(|question| question.is_ok()));
    let sections = [other.answer(), other.authority(), other.additional()];
    let counts = sections.map(|section| {
        let records = section.unwrap().map(|record| record.unwrap());
        records.filter(|record| record.rtype().to_int() != OPT).count()
    });
    let theirs = [told.answers.len(), told.authorities.len(), told.additionals.len()];
    assert_eq!(counts, theirs);
    told
}

/// A query for data with one question and nothing else, as hickory-proto writes it.
fn canonical(asked: &Message) -> Option<Vec<u8>> {
    let records = asked.answers.len() + asked.authorities.len() + asked.additionals.len();
    let plain = asked.op_code == OpCode::Query
        && asked.queries.len() == 1
        && records == 0
        && asked.edns.is_none()
        && asked.signature.is_none();
    plain.then(|| asked.to_vec().unwrap())
}
