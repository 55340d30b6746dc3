//! Types that the library does not read; SOA, whose times may have units; and addresses, which may not be quoted. Each
//! is a row of fields.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str;

use domain::base::iana::{Rtype, SecurityAlgorithm};
use domain::base::scan::{Scan, Scanner};
use domain::rdata::dnssec::RtypeBitmap;
use domain::utils::{base16, base64};

use super::loc;
use super::scan::{ScanError, Words};
use super::text;
use crate::wire::rtype;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    U8,
    U16,
    U32,
    Seconds,
    Name,
    Ipv4,
    Ipv6,
    /// A type's mnemonic.
    Type,
    /// A DNSSEC algorithm's mnemonic or number.
    Algorithm,
    /// A certificate type's mnemonic or number (RFC 4398 §2.1).
    Certificate,
    /// One character string.
    Text,
    /// One character string or none, at the end.
    OptionalText,
    /// Character strings to the end, at least one.
    Texts,
    /// One string of any length, to the end (RFC 7553 §4.4).
    LongText,
    /// To the end.
    Hex,
    Base64,
    Bitmap,
    /// So many octets as `xx-xx` (RFC 7043).
    Eui(usize),
    /// 64 bits as `xxxx:xxxx:xxxx:xxxx` (RFC 6742 §2.1.2).
    Node,
    Location,
}

/// The fields of a type that is read here.
pub(crate) fn of(kind: u16) -> Option<&'static [Field]> {
    use Field::{
        Algorithm, Base64, Bitmap, Certificate, Eui, Hex, Ipv4, Ipv6, Location, LongText, Name, Node,
        OptionalText, Seconds, Text, Texts, Type, U8, U16, U32,
    };
    if kind == rtype::ALIAS {
        return Some(&[Name]);
    }
    Some(match Rtype::from_int(kind) {
        Rtype::A => &[Ipv4],
        Rtype::AAAA => &[Ipv6],
        Rtype::SOA => &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds],
        Rtype::SPF | Rtype::NINFO | Rtype::AVC | Rtype::RESINFO | Rtype::WALLET | Rtype::CLA => &[Texts],
        Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::LP => &[U16, Name],
        Rtype::PX => &[U16, Name, Name],
        Rtype::TALINK => &[Name, Name],
        Rtype::X25 => &[Text],
        Rtype::ISDN => &[Text, OptionalText],
        Rtype::GPOS => &[Text, Text, Text],
        Rtype::LOC => &[Location],
        Rtype::KEY | Rtype::RKEY => &[U16, U8, Algorithm, Base64],
        Rtype::CERT => &[Certificate, U16, Algorithm, Base64],
        Rtype::DHCID => &[Base64],
        Rtype::SMIMEA => &[U8, U8, U8, Hex],
        Rtype::CSYNC => &[U32, U16, Bitmap],
        Rtype::DSYNC => &[Type, U8, U16, Name],
        Rtype::NID | Rtype::L64 => &[U16, Node],
        Rtype::L32 => &[U16, Ipv4],
        Rtype::EUI48 => &[Eui(6)],
        Rtype::EUI64 => &[Eui(8)],
        Rtype::URI => &[U16, U16, LongText],
        Rtype::DLV | Rtype::TA => &[U16, Algorithm, U8, Hex],
        _ => return None,
    })
}

pub(crate) fn read(fields: &[Field], words: &mut Words<'_>) -> Result<Vec<u8>, ScanError> {
    let mut out = Vec::new();
    for field in fields {
        read_field(*field, words, &mut out)?;
    }
    Ok(out)
}

fn read_field(field: Field, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), ScanError> {
    match field {
        Field::U8 => out.push(u8::scan(words)?),
        Field::U16 => out.extend_from_slice(&u16::scan(words)?.to_be_bytes()),
        Field::U32 => out.extend_from_slice(&u32::scan(words)?.to_be_bytes()),
        Field::Seconds => {
            let seconds =
                text::seconds(words.word()?.raw).and_then(|seconds| u32::try_from(seconds.value).ok());
            let seconds = seconds.ok_or(ScanError::Syntax(
                "expected seconds, or numbers with units, below 2^32",
            ))?;
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Field::Name => out.extend_from_slice(&words.name()?),
        Field::Ipv4 => {
            let address: Ipv4Addr = parse(words, "expected an IPv4 address")?;
            out.extend_from_slice(&address.octets());
        }
        Field::Ipv6 => {
            let address: Ipv6Addr = parse(words, "expected an IPv6 address")?;
            out.extend_from_slice(&address.octets());
        }
        Field::Type => out.extend_from_slice(&Rtype::scan(words)?.to_int().to_be_bytes()),
        Field::Algorithm => out.push(SecurityAlgorithm::scan(words)?.to_int()),
        Field::Certificate => out.extend_from_slice(&certificate(words)?.to_be_bytes()),
        Field::Text => push_string(out, &words.char_string()?),
        Field::OptionalText => {
            if words.continues() {
                push_string(out, &words.char_string()?);
            }
        }
        Field::Texts => {
            push_string(out, &words.char_string()?);
            out.extend_from_slice(&words.scan_charstr_entry()?);
        }
        Field::LongText => out.extend_from_slice(&text::unescape(words.string()?.raw)),
        Field::Hex => {
            let data = words.convert_entry(base16::SymbolConverter::new())?;
            if data.is_empty() {
                return Err(ScanError::TooShort);
            }
            out.extend_from_slice(&data);
        }
        Field::Base64 => {
            let data = words.convert_entry(base64::SymbolConverter::new())?;
            if data.is_empty() {
                return Err(ScanError::TooShort);
            }
            out.extend_from_slice(&data);
        }
        Field::Bitmap => out.extend_from_slice(RtypeBitmap::scan(words)?.as_slice()),
        Field::Eui(octets) => eui(words.word()?.raw, octets, out)?,
        Field::Node => node(words.word()?.raw, out)?,
        Field::Location => out.extend_from_slice(&loc::read(words)?),
    }
    Ok(())
}

fn push_string(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(u8::try_from(octets.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(octets);
}

fn parse<T: str::FromStr>(words: &mut Words<'_>, expected: &'static str) -> Result<T, ScanError> {
    str::from_utf8(words.word()?.raw)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(ScanError::Syntax(expected))
}

fn certificate(words: &mut Words<'_>) -> Result<u16, ScanError> {
    let raw = words.word()?.raw;
    let known: [(&str, u16); 10] = [
        ("PKIX", 1),
        ("SPKI", 2),
        ("PGP", 3),
        ("IPKIX", 4),
        ("ISPKI", 5),
        ("IPGP", 6),
        ("ACPKIX", 7),
        ("IACPKIX", 8),
        ("URI", 253),
        ("OID", 254),
    ];
    known
        .iter()
        .find(|(mnemonic, _)| raw.eq_ignore_ascii_case(mnemonic.as_bytes()))
        .map(|(_, number)| *number)
        .or_else(|| str::from_utf8(raw).ok()?.parse().ok())
        .ok_or(ScanError::Syntax("expected a certificate type"))
}

fn eui(raw: &[u8], octets: usize, out: &mut Vec<u8>) -> Result<(), ScanError> {
    let expected = ScanError::Syntax("expected octets in hexadecimal with `-` between them");
    let mut count = 0;
    for pair in raw.split(|octet| *octet == b'-') {
        let value = hex(pair, 2).and_then(|value| u8::try_from(value).ok());
        out.push(value.ok_or(expected)?);
        count += 1;
    }
    if count == octets { Ok(()) } else { Err(expected) }
}

fn node(raw: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
    let expected = ScanError::Syntax("expected four hexadecimal numbers with `:` between them");
    let mut count = 0;
    for part in raw.split(|octet| *octet == b':') {
        let value = hex(part, part.len().clamp(1, 4)).ok_or(expected)?;
        out.extend_from_slice(&value.to_be_bytes());
        count += 1;
    }
    if count == 4 { Ok(()) } else { Err(expected) }
}

/// A hexadecimal number of exactly so many digits.
fn hex(digits: &[u8], length: usize) -> Option<u16> {
    let all_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let text = str::from_utf8(digits)
        .ok()
        .filter(|_| all_hex && digits.len() == length)?;
    u16::from_str_radix(text, 16).ok()
}

/// Whether octets in wire form have these fields and nothing else.
pub(crate) fn fit(fields: &[Field], wire: &[u8]) -> bool {
    let mut rest = wire;
    for field in fields {
        match after(*field, rest) {
            Some(left) => rest = left,
            None => return false,
        }
    }
    rest.is_empty()
}

fn after(field: Field, wire: &[u8]) -> Option<&[u8]> {
    match field {
        Field::U8 | Field::Algorithm => wire.get(1..),
        Field::U16 | Field::Type | Field::Certificate => wire.get(2..),
        Field::U32 | Field::Seconds | Field::Ipv4 => wire.get(4..),
        Field::Node => wire.get(8..),
        Field::Ipv6 => wire.get(16..),
        Field::Eui(octets) => wire.get(octets..),
        Field::Name => after_name(wire),
        Field::Text => after_string(wire),
        Field::OptionalText if wire.is_empty() => Some(wire),
        Field::OptionalText => after_string(wire),
        Field::Texts => {
            let mut rest = after_string(wire)?;
            while !rest.is_empty() {
                rest = after_string(rest)?;
            }
            Some(rest)
        }
        Field::LongText => Some(&[]),
        Field::Hex | Field::Base64 => (!wire.is_empty()).then_some(&[]),
        Field::Bitmap => RtypeBitmap::from_octets(wire).is_ok().then_some(&[]),
        // Only version 0 has a form (RFC 1876 §2).
        Field::Location if wire.first() == Some(&0) => wire.get(16..),
        Field::Location => (!wire.is_empty()).then_some(&[]),
    }
}

/// What follows an uncompressed name.
pub(crate) fn after_name(wire: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let length = usize::from(*wire.get(at)?);
        at += 1 + length;
        if length > crate::name::MAX_LABEL_LEN || at > crate::name::MAX_WIRE_LEN {
            return None;
        }
        if length == 0 {
            return wire.get(at..);
        }
    }
}

fn after_string(wire: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*wire.first()?);
    wire.get(1 + length..)
}
