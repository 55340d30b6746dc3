//! The correctness checklist over the pure function; each test names its RFC section.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use lifeboat_health::Family;
use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::gate::FULL;
use crate::gate::table::GateValue;
use crate::input::SnapshotInput;

mod aliases;
mod cookies;
mod cut;
mod delegation;
mod ecs;
mod edns;
mod files;
mod identity;
mod malformed;
mod message;
mod names;
mod services;
mod steering;

const PLAN: &str = include_str!("tests/plan.json");

struct Bench {
    snapshot: Snapshot,
    gates: GateTable,
    scratch: Scratch,
    ecs: bool,
    unix_s: u32,
    protocol: Protocol,
}

impl Bench {
    fn new() -> Self {
        let plan: SnapshotInput = serde_json::from_str(PLAN).unwrap();
        let gates = GateTable::new();
        let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
        assert_eq!(applied.rejected, []);
        Self {
            snapshot: catalog.build(&gates).unwrap(),
            gates,
            scratch: Scratch::new(),
            ecs: true,
            unix_s: 0,
            protocol: Protocol::default(),
        }
    }

    fn raw(&mut self, packet: &[u8], transport: Transport, draw: u64) -> (Outcome, Vec<u8>) {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let meta = QueryMeta {
            client: local,
            local,
            transport,
            now: MonoTime::ZERO,
            ecs: self.ecs,
            unix_s: self.unix_s,
            protocol: &self.protocol,
            draw,
        };
        let mut out = vec![0xee; if transport == Transport::Udp { 1232 } else { 65_535 }];
        let outcome = answer(
            &mut self.scratch,
            packet,
            &meta,
            &self.snapshot,
            &self.gates,
            &mut out,
        );
        match outcome {
            Outcome::Reply(reply) => out.truncate(reply.len),
            Outcome::Dropped => out.clear(),
        }
        (outcome, out)
    }

    fn send(&mut self, query: &Message) -> Message {
        let (_, out) = self.raw(&query.to_vec().unwrap(), Transport::Udp, 0);
        Message::from_vec(&out).unwrap()
    }

    fn ask(&mut self, name: &str, kind: RecordType) -> Message {
        self.send(&question(name, kind))
    }
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    message
}

fn with_edns(mut message: Message, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload).set_version(0);
    message.set_edns(edns);
    message
}

fn addresses(message: &Message) -> Vec<IpAddr> {
    message
        .answers
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect()
}

fn check(name: &str, kind: RecordType, rcode: ResponseCode, answers: usize, authorities: usize) -> Message {
    let reply = Bench::new().ask(name, kind);
    assert_eq!(reply.metadata.response_code, rcode, "{name} {kind}");
    assert_eq!(
        (reply.answers.len(), reply.authorities.len()),
        (answers, authorities),
        "{name} {kind}: {reply}"
    );
    reply
}
