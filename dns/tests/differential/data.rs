//! Data of every common type in presentation form, drawn at random.

use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use super::name::Labels;

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const DNAME: u16 = 39;
pub(crate) const AAAA: u16 = 28;
pub(crate) const DS: u16 = 43;
pub(crate) const ANY: u16 = 255;

/// Types whose records may stand at any name, with their mnemonics; a type of RFC 3597 as it is written there.
pub(crate) const PLAIN: [(u16, &str); 27] = [
    (A, "A"),
    (AAAA, "AAAA"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (20, "TYPE20"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (44, "SSHFP"),
    (52, "TLSA"),
    (61, "OPENPGPKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (108, "EUI48"),
    (109, "EUI64"),
    (256, "URI"),
    (257, "CAA"),
    (65_280, "TYPE65280"),
    (731, "TYPE731"),
];

pub(crate) fn mnemonic(kind: u16) -> String {
    let named = match kind {
        NS => "NS",
        CNAME => "CNAME",
        SOA => "SOA",
        DNAME => "DNAME",
        DS => "DS",
        ANY => "ANY",
        other => match PLAIN.iter().find(|(number, _)| *number == other) {
            Some((_, mnemonic)) => mnemonic,
            None => return format!("TYPE{other}"),
        },
    };
    named.to_owned()
}

pub(crate) fn ipv4(rng: &mut Rng) -> Ipv4Addr {
    Ipv4Addr::from(rng.u32(0x0100_0000..0xdfff_ffff))
}

pub(crate) fn ipv6(rng: &mut Rng) -> Ipv6Addr {
    Ipv6Addr::from(0x2001_0db8_u128 << 96 | rng.u128(..) >> 32)
}

/// One record's data. `name` draws a name to point to, already written.
pub(crate) fn draw(kind: u16, rng: &mut Rng, name: &mut dyn FnMut(&mut Rng) -> String) -> String {
    // RFC 3597 §5: known types in the form for unknown ones too.
    match kind {
        A if rng.u8(..8) == 0 => return generic(&ipv4(rng).octets()),
        A => return ipv4(rng).to_string(),
        AAAA => return ipv6(rng).to_string(),
        _ => {}
    }
    let n = rng.u16(..);
    match kind {
        NS | CNAME | DNAME | 12 => name(rng),
        13 => format!("{} {}", string(rng, 20), string(rng, 20)),
        14 | 17 => format!("{} {}", name(rng), name(rng)),
        15 | 18 | 36 => format!("{n} {}", name(rng)),
        16 | 99 => {
            let strings: Vec<String> = (0..rng.usize(1..5)).map(|_| string(rng, 60)).collect();
            strings.join(" ")
        }
        // ISDN, whose name Knot does not know.
        20 => generic(b"\x04ISDN"),
        29 => {
            let (a, b, c) = (rng.u8(..90), rng.u8(..60), rng.u16(..60_000));
            let seconds = format!("{}.{:03}", c / 1_000, c % 1_000);
            format!("{a} {b} {seconds} N {a} {b} {seconds} W {n}.50m 10m 100m 2m")
        }
        33 => format!("{n} {} {} {}", rng.u16(..), rng.u16(..), name(rng)),
        35 => format!(
            "{n} 10 \"u\" \"E2U+sip\" \"!^.*$!sip:x@e.example!\" {}",
            name(rng)
        ),
        37 => format!("PGP {n} 13 {}", base64(rng)),
        44 => format!("4 2 {}", hex(rng, 32)),
        52 => format!("3 1 1 {}", hex(rng, 32)),
        61 => base64(rng),
        64 | 65 => {
            let port = rng.u16(..);
            format!(
                "{} svc{n}.example. alpn=\"h2,h3\" port={port} ipv4hint={}",
                rng.u16(1..),
                ipv4(rng)
            )
        }
        108 => eui(rng, 6),
        109 => eui(rng, 8),
        256 => format!("{n} 1 \"https://e{n}.example/\""),
        257 => format!("{} issue \"ca{n}.example\"", if rng.bool() { 0 } else { 128 }),
        DS => format!("{n} 13 2 {}", hex(rng, 32)),
        _ => {
            let octets: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            generic(&octets)
        }
    }
}

fn generic(octets: &[u8]) -> String {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\\# {} {digits}", octets.len())
}

/// A character string of any octets (RFC 1035 §5.1).
fn string(rng: &mut Rng, most: usize) -> String {
    let mut text = String::from("\"");
    for _ in 0..rng.usize(..most) {
        match rng.u8(..12) {
            0 => text.push_str(&format!("\\{:03}", rng.u8(..))),
            1 => text.push_str("\\\""),
            2 => text.push_str("\\\\"),
            3 => text.push(*b" ;()@$".get(rng.usize(..6)).unwrap() as char),
            _ => text.push(rng.alphanumeric()),
        }
    }
    text.push('"');
    text
}

fn hex(rng: &mut Rng, octets: usize) -> String {
    (0..octets).map(|_| format!("{:02X}", rng.u8(..))).collect()
}

fn base64(rng: &mut Rng) -> String {
    (0..4 * rng.usize(1..16)).map(|_| rng.alphanumeric()).collect()
}

fn eui(rng: &mut Rng, octets: usize) -> String {
    let pairs: Vec<String> = (0..octets).map(|_| format!("{:02x}", rng.u8(..))).collect();
    pairs.join("-")
}

/// A name that is none of ours.
pub(crate) fn elsewhere(rng: &mut Rng) -> Labels {
    Labels::of(&format!("h{}.elsewhere.test", rng.u8(..20)))
}
