//! Queries that are not of the common shape: odd counts, opcodes, classes and sections. Decoded by hickory-proto as a
//! second opinion on what is well-formed; what they mean is decided here.

use hickory_proto::op::Message;

use super::asked::hear;
use super::{Outcome, QueryMeta, Reply, Scratch, respond, size_limit};
use crate::cookie::CookieSeen;
use crate::gate::table::GateTable;
use crate::meter::Metered;
use crate::protocol::{Identity, Version};
use crate::snapshot::Snapshot;
use crate::wire::query::{self, Query, Unusual};
use crate::wire::writer::{Section, Writer};
use crate::wire::{CLASS_CHAOS, CLASS_IN, HEADER_LEN, Rcode, body, flag, rtype, u16_at};

const VERSION: &str = concat!("lifeboat ", env!("CARGO_PKG_VERSION"));

pub(super) fn answer(
    scratch: &mut Scratch,
    packet: &[u8],
    unusual: Unusual,
    meta: &QueryMeta<'_>,
    snapshot: &Snapshot,
    gates: &GateTable,
    out: &mut [u8],
) -> Outcome {
    match unusual {
        // An opcode we do not know may give the sections another meaning: none is read (RFC 8906 §3.1.4).
        Unusual::Opcode => header_only(packet, Rcode::NotImp, out),
        // RFC 9619: more than one question is a format error; none is no question.
        Unusual::QuestionCount => match cookie_alone(packet, meta) {
            Some(query) => reply(packet, &query, meta, Rcode::NoError, None, out),
            None => header_only(packet, Rcode::FormErr, out),
        },
        Unusual::Question | Unusual::Trailing => header_only(packet, Rcode::FormErr, out),
        Unusual::Records | Unusual::Class | Unusual::Edns => {
            let Some(query) = decode(scratch, packet) else {
                return header_only(packet, Rcode::FormErr, out);
            };
            match query {
                (query, CLASS_IN) => respond::respond(scratch, packet, &query, meta, snapshot, gates, out),
                (query, CLASS_CHAOS) => chaos(scratch, packet, &query, meta, out),
                (query, _) => reply(packet, &query, meta, Rcode::Refused, None, out),
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

/// A query without a question that asks for a server cookie (RFC 7873 §5.4), where there are cookies.
fn cookie_alone(packet: &[u8], meta: &QueryMeta<'_>) -> Option<Query> {
    let counts = [4, 6, 8, 10].map(|at| u16_at(packet, at));
    if meta.protocol.cookies.is_none() || counts != [Some(0), Some(0), Some(0), Some(1)] {
        return None;
    }
    let (edns, end) = query::opt(packet, HEADER_LEN).ok()?;
    let asks = edns.version > 0 || edns.asks.cookie.is_some();
    (asks && end == packet.len()).then_some(Query {
        flags: u16_at(packet, 2)?,
        question_end: HEADER_LEN,
        qtype: 0,
        edns: Some(edns),
    })
}

/// What the server says of itself (RFC 4892 §3); anything else of class CHAOS is refused.
fn chaos(scratch: &Scratch, packet: &[u8], query: &Query, meta: &QueryMeta<'_>, out: &mut [u8]) -> Outcome {
    let Identity {
        nsid: _,
        name,
        version,
    } = &meta.protocol.identity;
    let told = match scratch.qname.wire() {
        b"\x07version\x04bind\x00" | b"\x07version\x06server\x00" => match version {
            Version::Own => Some(VERSION),
            Version::Text(text) => Some(text.as_str()),
            Version::Hidden => None,
        },
        b"\x08hostname\x04bind\x00" | b"\x02id\x06server\x00" => name.as_deref(),
        _ => None,
    };
    let told = told.filter(|_| matches!(query.qtype, rtype::TXT | rtype::ANY));
    let Some(told) = told else {
        return reply(packet, query, meta, Rcode::Refused, None, out);
    };
    let mut record = Vec::new();
    body::record(
        &mut record,
        &body::OWNER_QUESTION,
        rtype::TXT,
        0,
        &body::txt_rdata(told),
    );
    if let Some(class) = record.get_mut(4..6) {
        class.copy_from_slice(&CLASS_CHAOS.to_be_bytes());
    }
    reply(packet, query, meta, Rcode::NoError, Some(&record), out)
}

/// A code, or one record that is not of a zone, unless the options have another answer.
fn reply(
    packet: &[u8],
    query: &Query,
    meta: &QueryMeta<'_>,
    rcode: Rcode,
    record: Option<&[u8]>,
    out: &mut [u8],
) -> Outcome {
    let heard = hear(packet, query, meta);
    let mut end = heard.end;
    let limit = size_limit(query, meta);
    let Some(mut writer) = Writer::start(out, packet, query, limit, &end.granted) else {
        return Outcome::Dropped;
    };
    if query.question_end == HEADER_LEN && heard.cookie != CookieSeen::None {
        // RFC 7873 §5.4: a cookie that is not ours is told; who has none yet has made no mistake.
        end.rcode = match heard.cookie {
            CookieSeen::Bad => Rcode::BadCookie,
            CookieSeen::None | CookieSeen::Client | CookieSeen::Good => Rcode::NoError,
        };
    } else if !heard.refused {
        end.rcode = rcode;
        if let Some(record) = record {
            end.authoritative = true;
            writer.put(Section::Answer, 1, record);
        }
    }
    respond::finish(writer, query, &end, heard.cookie)
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
        cookie: CookieSeen::None,
        metered: Metered::default(),
        keepalive_tenths: None,
        question_end: HEADER_LEN,
        opt_len: 0,
    })
}
