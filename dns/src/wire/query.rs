//! The hand parser for the query nearly every resolver sends: one question in class IN, at most one OPT, nothing else.
//! Whatever does not have that shape is named [`Unusual`] and goes to the slow path.

use super::ecs::{self, Ecs};
use super::{CLASS_IN, HEADER_LEN, flag, rtype, u16_at};
use crate::cookie;
use crate::name::{MAX_LABEL_LEN, MAX_WIRE_LEN};

/// EDNS option codes (RFC 5001 §2.3, RFC 7828 §3.1).
pub(crate) const NSID: u16 = 3;
pub(crate) const KEEPALIVE: u16 = 11;

/// A query name folded to lower case, with the start of each label.
pub(crate) struct QName {
    bytes: [u8; MAX_WIRE_LEN],
    len: usize,
    starts: [u8; 128],
    labels: usize,
}

impl QName {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; MAX_WIRE_LEN],
            len: 1,
            starts: [0; 128],
            labels: 0,
        }
    }

    pub(crate) fn wire(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The name without its first `skip` labels.
    pub(crate) fn suffix(&self, skip: usize) -> &[u8] {
        let start = if skip >= self.labels {
            self.len.saturating_sub(1)
        } else {
            usize::from(self.starts[skip.min(127)])
        };
        self.bytes.get(start..self.len).unwrap_or_default()
    }

    pub(crate) fn label_count(&self) -> usize {
        self.labels
    }

    /// Reads an uncompressed name and returns where it ends. A pointer is refused: nothing precedes the question
    /// that it could point to (RFC 1035 §4.1.4).
    pub(crate) fn read(&mut self, packet: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        self.labels = 0;
        loop {
            let length = usize::from(*packet.get(at)?);
            let offset = at - start;
            if length == 0 {
                *self.bytes.get_mut(offset)? = 0;
                self.len = offset + 1;
                return Some(at + 1);
            }
            // Room for this label, its length and the root label behind it.
            if length > MAX_LABEL_LEN || offset + length + 2 > MAX_WIRE_LEN {
                return None;
            }
            let from = packet.get(at..=at + length)?;
            let into = self.bytes.get_mut(offset..=offset + length)?;
            into[0] = from[0];
            for (lower, byte) in into[1..].iter_mut().zip(&from[1..]) {
                *lower = byte.to_ascii_lowercase();
            }
            *self.starts.get_mut(self.labels)? = u8::try_from(offset).ok()?;
            self.labels += 1;
            at += length + 1;
        }
    }
}

/// The fields of the query's OPT record (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    pub(crate) ecs: Ecs,
    pub(crate) asks: Asks,
}

/// What options other than the client subnet ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// Where the data of the first cookie stands in the packet, and its octets; the others are ignored (RFC 7873 §5.2).
    pub(crate) cookie: Option<(u16, u16)>,
    /// RFC 5001 §2.1; data of a query are ignored.
    pub(crate) nsid: bool,
    /// RFC 7828 §3.2.1.
    pub(crate) keepalive: bool,
}

/// What the answer needs to know of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) flags: u16,
    /// Where the question ends in the packet; it starts after the header.
    pub(crate) question_end: usize,
    pub(crate) qtype: u16,
    pub(crate) edns: Option<Edns>,
}

/// Why a packet is not the common query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusual {
    Opcode,
    /// Other than one question (RFC 9619).
    QuestionCount,
    /// Records beside the question and one OPT.
    Records,
    /// A name that is cut off, too long, compressed or of an unknown label type, or a cut-off question.
    Question,
    Class,
    Edns,
    Trailing,
}

/// Parses the common shape. The caller has checked that a whole header is there and that QR is 0.
pub(crate) fn parse(packet: &[u8], qname: &mut QName) -> Result<Query, Unusual> {
    let field = |at| u16_at(packet, at).unwrap_or(0);
    let flags = field(2);
    if flags & flag::OPCODE != 0 {
        return Err(Unusual::Opcode);
    }
    if field(4) != 1 {
        return Err(Unusual::QuestionCount);
    }
    if field(6) != 0 || field(8) != 0 || field(10) > 1 {
        return Err(Unusual::Records);
    }
    let (question_end, qtype, class) = question(packet, qname).ok_or(Unusual::Question)?;
    if class != CLASS_IN {
        return Err(Unusual::Class);
    }
    let mut end = question_end;
    let mut edns = None;
    if field(10) == 1 {
        let (found, after) = opt(packet, question_end)?;
        edns = Some(found);
        end = after;
    }
    if end != packet.len() {
        return Err(Unusual::Trailing);
    }
    Ok(Query {
        flags,
        question_end,
        qtype,
        edns,
    })
}

/// Reads the question: where it ends, its type, its class.
pub(crate) fn question(packet: &[u8], qname: &mut QName) -> Option<(usize, u16, u16)> {
    let at = qname.read(packet, HEADER_LEN)?;
    Some((at + 4, u16_at(packet, at)?, u16_at(packet, at + 2)?))
}

/// Reads an OPT record at `at` and where it ends; options are checked for length, and those we do not know are ignored
/// (RFC 6891 §6.1.2). Of several ECS options the first counts.
pub(crate) fn opt(packet: &[u8], at: usize) -> Result<(Edns, usize), Unusual> {
    if packet.get(at) != Some(&0) || u16_at(packet, at + 1) != Some(rtype::OPT) {
        return Err(Unusual::Records);
    }
    let fixed = packet.get(at + 3..at + 11).ok_or(Unusual::Edns)?;
    let mut edns = Edns {
        payload: u16::from_be_bytes([fixed[0], fixed[1]]),
        version: fixed[3],
        dnssec_ok: fixed[4] & 0x80 != 0,
        ecs: Ecs::Absent,
        asks: Asks::default(),
    };
    let end = at + 11 + usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
    let mut options = packet.get(at + 11..end).ok_or(Unusual::Edns)?;
    while !options.is_empty() {
        let length = u16_at(options, 2).ok_or(Unusual::Edns)?;
        let after = 4 + usize::from(length);
        let data = options.get(4..after).ok_or(Unusual::Edns)?;
        match u16_at(options, 0) {
            Some(ecs::CODE) if edns.ecs == Ecs::Absent => edns.ecs = ecs::parse(data),
            Some(cookie::CODE) if edns.asks.cookie.is_none() => {
                let at = u16::try_from(end - options.len() + 4);
                edns.asks.cookie = Some((at.map_err(|_| Unusual::Edns)?, length));
            }
            Some(NSID) => edns.asks.nsid = true,
            Some(KEEPALIVE) => edns.asks.keepalive = true,
            Some(_) | None => {}
        }
        options = options.get(after..).unwrap_or_default();
    }
    Ok((edns, end))
}
