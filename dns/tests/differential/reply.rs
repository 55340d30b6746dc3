//! A response as what it says: header, and each section as a set of records whose names are whole and in lower case
//! (RFC 4343; NSD and Knot keep owners so).

use std::collections::BTreeSet;
use std::fmt;

use super::data::mnemonic;

/// What two servers are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// With the upper bits of OPT.
    pub(crate) rcode: u16,
    /// Without the rcode: QR, opcode, AA, TC, RD, RA, Z, AD, CD.
    pub(crate) flags: u16,
    /// Octet for octet.
    pub(crate) question: Vec<u8>,
    pub(crate) answer: BTreeSet<Record>,
    pub(crate) authority: BTreeSet<Record>,
    pub(crate) additional: BTreeSet<Record>,
    pub(crate) opt: Option<Opt>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) owner: Vec<u8>,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl_s: u32,
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opt {
    pub(crate) version: u8,
    pub(crate) flags: u16,
    /// The codes of the options.
    pub(crate) options: Vec<u16>,
}

pub(crate) const AA: u16 = 0x0400;
pub(crate) const TC: u16 = 0x0200;

/// The reply, and the records that it has twice in one section, which RFC 2181 §5 leaves no use for.
pub(crate) fn read(packet: &[u8]) -> Option<(Reply, usize)> {
    let flags = u16_at(packet, 2)?;
    let counts = [
        u16_at(packet, 4)?,
        u16_at(packet, 6)?,
        u16_at(packet, 8)?,
        u16_at(packet, 10)?,
    ];
    let mut at = 12;
    for _ in 0..counts[0] {
        at = name(packet, at)?.1 + 4;
    }
    let question = packet.get(12..at)?.to_vec();
    let mut sections = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    let mut repeated = 0;
    let mut opt = None;
    let mut upper = 0;
    for (section, count) in sections.iter_mut().zip(&counts[1..]) {
        for _ in 0..*count {
            let (owner, end) = name(packet, at)?;
            let (kind, class) = (u16_at(packet, end)?, u16_at(packet, end + 2)?);
            let ttl_s = u32::from_be_bytes(packet.get(end + 4..end + 8)?.try_into().ok()?);
            let from = end + 10;
            at = from + usize::from(u16_at(packet, end + 8)?);
            if kind == 41 {
                let [high, version, flags @ ..] = ttl_s.to_be_bytes();
                upper = u16::from(high) << 4;
                let options = options(packet.get(from..at)?)?;
                if opt
                    .replace(Opt {
                        version,
                        flags: u16::from_be_bytes(flags),
                        options,
                    })
                    .is_some()
                {
                    return None;
                }
            } else {
                let data = data(packet, kind, from, at)?;
                repeated += usize::from(!section.insert(Record {
                    owner,
                    kind,
                    class,
                    ttl_s,
                    data,
                }));
            }
        }
    }
    let [answer, authority, additional] = sections;
    let rcode = upper | flags & 0xf;
    let whole = at == packet.len();
    whole.then_some((
        Reply {
            rcode,
            flags: flags & !0xf,
            question,
            answer,
            authority,
            additional,
            opt,
        },
        repeated,
    ))
}

fn options(mut octets: &[u8]) -> Option<Vec<u16>> {
    let mut codes = Vec::new();
    while !octets.is_empty() {
        codes.push(u16_at(octets, 0)?);
        octets = octets.get(4 + usize::from(u16_at(octets, 2)?)..)?;
    }
    Some(codes)
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}

/// A name without compression in lower case, and where it ends.
fn name(packet: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut wire = Vec::new();
    let mut end = None;
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => {
                wire.push(0);
                return Some((wire, end.unwrap_or(at + 1)));
            }
            1..=63 => {
                wire.push(packet[at]);
                wire.extend(
                    packet
                        .get(at + 1..=at + length)?
                        .iter()
                        .map(u8::to_ascii_lowercase),
                );
                at += 1 + length;
            }
            _ => {
                let to = usize::from(u16_at(packet, at)? & 0x3fff);
                end = end.or(Some(at + 2));
                // Backwards only (RFC 1035 §4.1.4), so this ends.
                at = (to < at).then_some(to)?;
            }
        }
        if wire.len() > 255 {
            return None;
        }
    }
}

/// The data, its names whole and in lower case where the type is one whose names may be compressed, or were once (RFC 3597 §4).
fn data(packet: &[u8], kind: u16, from: usize, to: usize) -> Option<Vec<u8>> {
    let (before, names) = match kind {
        2 | 5 | 12 | 39 => (0, 1),
        6 | 14 | 17 => (0, 2),
        15 | 18 | 36 => (2, 1),
        33 => (6, 1),
        35 => (naptr_strings(packet, from)?, 1),
        _ => return Some(packet.get(from..to)?.to_vec()),
    };
    let mut data = packet.get(from..from + before)?.to_vec();
    let mut at = from + before;
    for _ in 0..names {
        let (wire, end) = name(packet, at)?;
        data.extend(wire);
        at = end;
    }
    data.extend_from_slice(packet.get(at..to)?);
    Some(data)
}

fn naptr_strings(packet: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 4;
    for _ in 0..3 {
        at += 1 + usize::from(*packet.get(at)?);
    }
    Some(at - from)
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  rcode {} flags {:#06x} opt {:?}",
            self.rcode, self.flags, self.opt
        )?;
        for (section, records) in [
            ("answer", &self.answer),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ] {
            for record in records {
                writeln!(f, "  {section}: {record}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record {
            owner,
            kind,
            class,
            ttl_s,
            data,
        } = self;
        write!(
            f,
            "{} {ttl_s} {class} {} {}",
            text(owner),
            mnemonic(*kind),
            data.escape_ascii()
        )
    }
}

/// A name for people.
pub(crate) fn text(wire: &[u8]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(length) = wire
        .get(at)
        .copied()
        .map(usize::from)
        .filter(|length| *length > 0)
    {
        let label = wire.get(at + 1..=at + length).unwrap_or_default();
        text.push_str(&label.escape_ascii().to_string().replace('.', "\\."));
        text.push('.');
        at += 1 + length;
    }
    text
}
