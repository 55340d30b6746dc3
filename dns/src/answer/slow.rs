//! Queries that are not of the common shape: odd counts, opcodes, classes and sections. Decoded by hickory-proto as a
//! second opinion on what is well-formed; what they mean is decided here.

use hickory_proto::op::Message;

use super::{Outcome, QueryMeta, Reply, Scratch, respond};
use crate::gate::table::GateTable;
use crate::snapshot::Snapshot;
use crate::wire::query::{self, Query, Unusual};
use crate::wire::writer::{End, Section, Writer};
use crate::wire::{CLASS_CHAOS, CLASS_IN, HEADER_LEN, Rcode, body, flag, rtype, u16_at};

const VERSION: &str = concat!("lifeboat ", env!("CARGO_PKG_VERSION"));

pub(super) fn answer(
    scratch: &mut Scratch,
    packet: &[u8],
    unusual: Unusual,
    meta: &QueryMeta,
    snapshot: &Snapshot,
    gates: &GateTable,
    out: &mut [u8],
) -> Outcome {
    match unusual {
        // An opcode we do not know may give the sections another meaning: none is read (RFC 8906 §3.1.4).
        Unusual::Opcode => header_only(packet, Rcode::NotImp, out),
        // RFC 9619: more than one question is a format error; none is no question.
        Unusual::QuestionCount | Unusual::Question | Unusual::Trailing => {
            header_only(packet, Rcode::FormErr, out)
        }
        Unusual::Records | Unusual::Class | Unusual::Edns => {
            let Some(query) = decode(scratch, packet) else {
                return header_only(packet, Rcode::FormErr, out);
            };
            match query {
                (query, CLASS_IN) => respond::respond(scratch, packet, &query, meta, snapshot, gates, out),
                (query, CLASS_CHAOS) => chaos(scratch, packet, &query, out),
                (query, _) => rcode_only(packet, &query, Rcode::Refused, out),
            }
        }
    }
}

/// The query and its class, if the whole message is well-formed: records in other sections and additional records
/// beside OPT are read over; two OPTs, or one that is not at the root, are an error (RFC 6891 §6.1.1).
fn decode(scratch: &mut Scratch, packet: &[u8]) -> Option<(Query, u16)> {
    let message = Message::from_vec(packet).ok()?;
    let (question_end, qtype, class) = query::question(packet, &mut scratch.qname)?;
    let edns = match &message.edns {
        None => None,
        Some(_) => Some(query::opt(packet, opt_at_root(packet, question_end)?).ok()?.0),
    };
    Some((
        Query {
            flags: u16_at(packet, 2)?,
            question_end,
            qtype,
            edns,
        },
        class,
    ))
}

/// Walks the records behind the question to the OPT, whose owner must be the root.
fn opt_at_root(packet: &[u8], question_end: usize) -> Option<usize> {
    let count: usize = [6, 8, 10]
        .iter()
        .filter_map(|at| u16_at(packet, *at))
        .map(usize::from)
        .sum();
    let mut at = question_end;
    let mut found = None;
    for _ in 0..count {
        let owner = at;
        at = skip_name(packet, at)?;
        if u16_at(packet, at)? == rtype::OPT {
            if packet.get(owner) != Some(&0) {
                return None;
            }
            found = Some(owner);
        }
        at += 10 + usize::from(u16_at(packet, at + 8)?);
    }
    found.filter(|_| at == packet.len())
}

fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

/// `version.bind` and `version.server` in class CHAOS (RFC 4892 §3); anything else of that class is refused.
fn chaos(scratch: &Scratch, packet: &[u8], query: &Query, out: &mut [u8]) -> Outcome {
    let asked = matches!(
        scratch.qname.wire(),
        b"\x07version\x04bind\x00" | b"\x07version\x06server\x00"
    );
    if !asked || !matches!(query.qtype, rtype::TXT | rtype::ANY) {
        return rcode_only(packet, query, Rcode::Refused, out);
    }
    let mut record = Vec::new();
    body::record(
        &mut record,
        &body::OWNER_QUESTION,
        rtype::TXT,
        0,
        &body::txt_rdata(VERSION),
    );
    if let Some(class) = record.get_mut(4..6) {
        class.copy_from_slice(&CLASS_CHAOS.to_be_bytes());
    }
    let limit = out.len().min(super::PLAIN_UDP_PAYLOAD);
    let Some(mut writer) = Writer::start(out, packet, query, limit) else {
        return Outcome::Dropped;
    };
    writer.put(Section::Answer, 1, &record);
    let (len, truncated) = writer.finish(
        query,
        &End {
            authoritative: true,
            ..End::plain(Rcode::NoError)
        },
    );
    Outcome::Reply(Reply {
        len,
        rcode: Rcode::NoError,
        qtype: query.qtype,
        truncated,
        panic: false,
    })
}

fn rcode_only(packet: &[u8], query: &Query, rcode: Rcode, out: &mut [u8]) -> Outcome {
    let limit = out.len();
    let Some(writer) = Writer::start(out, packet, query, limit) else {
        return Outcome::Dropped;
    };
    let (len, truncated) = writer.finish(query, &End::plain(rcode));
    Outcome::Reply(Reply {
        len,
        rcode,
        qtype: query.qtype,
        truncated,
        panic: false,
    })
}

/// A header and nothing else, for packets whose question cannot be trusted: id, opcode and RD as they came.
pub(super) fn header_only(packet: &[u8], rcode: Rcode, out: &mut [u8]) -> Outcome {
    let (Some(id), Some(flags), Some(header)) =
        (u16_at(packet, 0), u16_at(packet, 2), out.get_mut(..HEADER_LEN))
    else {
        return Outcome::Dropped;
    };
    header.fill(0);
    header[..2].copy_from_slice(&id.to_be_bytes());
    let flags = flag::QR | (flags & (flag::OPCODE | flag::RD)) | (rcode.number() & 0xf);
    header[2..4].copy_from_slice(&flags.to_be_bytes());
    Outcome::Reply(Reply {
        len: HEADER_LEN,
        rcode,
        qtype: 0,
        truncated: false,
        panic: false,
    })
}
