//! Questions worth asking of a zone: its names, what lies around them, and every way to put them.

use fastrand::Rng;

use super::data::{A, AAAA, ANY, CNAME, DNAME, DS, NS, PLAIN, SOA};
use super::name::{Labels, label};
use super::zone::Zone;

/// A query and how it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// As it is sent, in the case in which it is sent.
    pub(crate) qname: Vec<u8>,
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) edns: Option<Edns>,
    pub(crate) tcp: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) flags: u16,
    /// An option that nobody knows (RFC 6891 §6.1.2).
    pub(crate) option: bool,
}

impl Question {
    pub(crate) fn draw(zone: &Zone, rng: &mut Rng) -> Question {
        let name = name(zone, rng);
        let kind = kind(zone, &name, rng);
        let mut qname = name.wire();
        if rng.bool() {
            let mut at = 0;
            while let Some(length) = qname.get(at).copied().filter(|length| *length > 0) {
                for octet in &mut qname[at + 1..=at + usize::from(length)] {
                    *octet = if rng.bool() {
                        octet.to_ascii_uppercase()
                    } else {
                        *octet
                    };
                }
                at += 1 + usize::from(length);
            }
        }
        let mut flags = 0;
        for flag in [0x0100, 0x0010, 0x0020] {
            flags |= if rng.u8(..4) == 0 { flag } else { 0 };
        }
        let edns = rng.bool().then(|| Edns {
            payload: [0, 511, 512, 600, 1_232, 1_400, 4_096, 65_535][rng.usize(..8)],
            version: if rng.u8(..40) == 0 { rng.u8(1..) } else { 0 },
            flags: [0, 0x8000, 0x8000, 0x0001][rng.usize(..4)],
            option: rng.u8(..8) == 0,
        });
        Question {
            qname,
            kind,
            flags,
            edns,
            tcp: rng.u8(..3) == 0,
        }
    }

    pub(crate) fn packet(&self, id: u16) -> Vec<u8> {
        let mut packet = Vec::with_capacity(512);
        for field in [id, self.flags, 1, 0, 0, u16::from(self.edns.is_some())] {
            packet.extend_from_slice(&field.to_be_bytes());
        }
        packet.extend_from_slice(&self.qname);
        packet.extend_from_slice(&self.kind.to_be_bytes());
        packet.extend_from_slice(&[0, 1]);
        if let Some(Edns {
            payload,
            version,
            flags,
            option,
        }) = self.edns
        {
            packet.extend_from_slice(&[0, 0, 41]);
            packet.extend_from_slice(&payload.to_be_bytes());
            packet.extend_from_slice(&[0, version]);
            packet.extend_from_slice(&flags.to_be_bytes());
            let options: &[u8] = if option { b"\xfd\xe9\x00\x03abc" } else { b"" };
            packet.extend_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
            packet.extend_from_slice(options);
        }
        packet
    }

    /// The UDP size that the client takes (RFC 6891 §6.2.3), and we give at most (RFC 9715 §3.2).
    pub(crate) fn limit(&self) -> usize {
        match self.edns {
            _ if self.tcp => usize::from(u16::MAX),
            Some(edns) => usize::from(edns.payload.clamp(512, 1_232)),
            None => 512,
        }
    }
}

fn name(zone: &Zone, rng: &mut Rng) -> Labels {
    let mut name = match rng.u8(..40) {
        0 => zone.apex.parent().unwrap_or_else(|| zone.apex.clone()),
        1 => super::data::elsewhere(rng),
        2 => zone.apex.clone(),
        3..=11 if !zone.mentioned.is_empty() => zone
            .mentioned
            .get(rng.usize(..zone.mentioned.len()))
            .unwrap()
            .clone(),
        _ => zone.any(rng),
    };
    // Itself, names above it, beside it, below it.
    match rng.u8(..10) {
        0 => {
            for _ in 0..rng.usize(1..3) {
                name = name
                    .parent()
                    .filter(|above| above.is_within(&zone.apex))
                    .unwrap_or(name);
            }
        }
        1 | 2 => {
            name = name
                .parent()
                .filter(|above| above.is_within(&zone.apex))
                .unwrap_or(name)
                .below(label(rng))
        }
        3..=5 => {
            for _ in 0..rng.usize(1..4) {
                name = name.below(label(rng));
            }
        }
        6 if name.is_wildcard() => name = name.parent().unwrap_or(name).below(label(rng)),
        _ => {}
    }
    while name.wire_len() > 255 {
        name = name.parent().unwrap_or(name);
    }
    name
}

fn kind(zone: &Zone, name: &Labels, rng: &mut Rng) -> u16 {
    let own: Vec<u16> = zone
        .nodes
        .get(name)
        .map(|sets| sets.keys().copied().collect())
        .unwrap_or_default();
    match rng.u8(..16) {
        0..=5 if !own.is_empty() => *own.get(rng.usize(..own.len())).unwrap(),
        6 => PLAIN[rng.usize(..PLAIN.len())].0,
        7 => [NS, SOA, CNAME, DNAME, DS][rng.usize(..5)],
        8 => ANY,
        9 => DS,
        // None of those that only signed zones have: peers take them for metadata, which no alias hides (RFC 4035 §2.5).
        10 => [45, 48, 59, 10_000][rng.usize(..4)],
        11 => AAAA,
        _ => A,
    }
}
