//! Record data from its words: by the library where it knows the type, by our own table of fields where it does not,
//! and in the form for unknown types for all (RFC 3597 §5).

use domain::base::iana::Rtype as Type;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::scan::Scanner;
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::utils::base16;

use super::algorithm;
use super::fields::{self, after_name};
use super::problem::{Reason, Spot, shown};
use super::scan::{ScanError, Words};
use super::svcb;
use super::token::Token;
use crate::wire::rtype;

/// Longest data of a record (RFC 1035 §3.2.1).
const MAX_RDATA_LEN: usize = 65_535;

/// A type's mnemonic, or `TYPEn`.
pub(crate) fn kind_text(kind: u16) -> String {
    if kind == rtype::ALIAS {
        return "ALIAS".to_owned();
    }
    Type::from_int(kind).to_string()
}

/// The type of a mnemonic or `TYPEn`; `None` also for the reserved type 0.
pub(crate) fn parse_kind(raw: &[u8]) -> Option<u16> {
    let common = match raw {
        b"A" => 1,
        b"AAAA" => 28,
        b"NS" => 2,
        b"CNAME" => 5,
        b"PTR" => 12,
        b"MX" => 15,
        b"TXT" => 16,
        _ if raw.eq_ignore_ascii_case(b"ALIAS") => rtype::ALIAS,
        _ => Type::from_bytes(raw)?.to_int(),
    };
    (common != 0).then_some(common)
}

/// Types that only stand in queries, in messages or in no zone (RFC 6895 §3.1, RFC 6891, RFC 9824).
pub(crate) fn is_meta(kind: u16) -> bool {
    kind == Type::OPT.to_int() || (128..=255).contains(&kind)
}

/// Reads the data of one record from `tokens`, all of them; `spot` is where the type stands.
pub(crate) fn read(
    kind: u16,
    tokens: &[Token<'_>],
    origin: &[u8],
    spot: Spot,
    mut warn: impl FnMut((Spot, Reason)),
) -> Result<Vec<u8>, (Spot, Reason)> {
    let tokens = algorithm::numbered(kind, tokens);
    let (tokens, params) = svcb::put_aside(kind, &tokens).map_err(|svcb::Twice(token)| {
        let reason = Reason::Data {
            kind: kind_text(kind),
            word: shown(token.raw),
            fault: ScanError::Syntax("duplicate SvcParamKey"),
            allowed: form(kind),
        };
        (token.spot, reason)
    })?;
    let mut words = Words::new(&tokens, origin);
    let data = words
        .scan_opt_unknown_marker()
        .map_err(|fault| refused(kind, &words, spot, fault))
        .and_then(|generic| {
            if generic {
                read_generic(kind, &mut words, spot)
            } else {
                read_typed(kind, &mut words, spot)
            }
        });
    let left = words.peek();
    words.warnings.into_iter().for_each(&mut warn);
    let too_long = || (spot, Reason::DataTooLong(kind_text(kind)));
    let data = svcb::put_back(data?, params).ok_or_else(too_long)?;
    if let Some(fault) = svcb::contradiction(kind, &data) {
        let kind = kind_text(kind);
        warn((spot, Reason::ServiceParams { kind, fault }));
    }
    if let Some(token) = left {
        let reason = Reason::Extra {
            word: shown(token.raw),
            after: format!("{} data", kind_text(kind)),
        };
        return Err((token.spot, reason));
    }
    if data.len() > MAX_RDATA_LEN {
        return Err(too_long());
    }
    Ok(data)
}

fn refused(kind: u16, words: &Words<'_>, spot: Spot, fault: ScanError) -> (Spot, Reason) {
    let Some(last) = words.last() else {
        let kind_text = kind_text(kind);
        let allowed = form(kind);
        return (
            spot,
            Reason::NoData {
                kind: kind_text,
                allowed,
            },
        );
    };
    let reason = Reason::Data {
        kind: kind_text(kind),
        word: shown(last.raw),
        fault,
        allowed: form(kind),
    };
    (last.spot, reason)
}

fn read_typed(kind: u16, words: &mut Words<'_>, spot: Spot) -> Result<Vec<u8>, (Spot, Reason)> {
    let data = if let Some(fields) = fields::of(kind) {
        fields::read(fields, words)
    } else if is_known(kind) {
        ZoneRecordData::scan(Type::from_int(kind), words).and_then(|data| {
            let mut out = Vec::new();
            let Ok(()) = data.compose_rdata(&mut out);
            if is_complete(kind, &out) {
                Ok(out)
            } else {
                Err(ScanError::TooShort)
            }
        })
    } else {
        return Err((spot, Reason::OnlyGeneric(kind_text(kind))));
    };
    data.map_err(|fault| refused(kind, words, spot, fault))
}

fn read_generic(kind: u16, words: &mut Words<'_>, spot: Spot) -> Result<Vec<u8>, (Spot, Reason)> {
    let length = words.word().map_err(|fault| refused(kind, words, spot, fault))?;
    let said: Option<usize> = std::str::from_utf8(length.raw)
        .ok()
        .and_then(|digits| digits.parse().ok());
    if said.is_none() {
        let fault = ScanError::Syntax("expected a number of octets");
        return Err(refused(kind, words, spot, fault));
    }
    let data = words
        .convert_entry(base16::SymbolConverter::new())
        .map_err(|fault| refused(kind, words, spot, fault))?;
    if said != Some(data.len()) {
        let reason = Reason::GenericLength {
            said: shown(length.raw),
            octets: data.len(),
        };
        words.warnings.push((length.spot, reason));
    }
    if !is_wire_form(kind, &data) {
        return Err((length.spot, Reason::GenericData(kind_text(kind))));
    }
    Ok(data)
}

/// Whether octets are the wire form of a type's data, without compression; those of unknown types always are.
fn is_wire_form(kind: u16, data: &[u8]) -> bool {
    if let Some(fields) = fields::of(kind) {
        return fields::fit(fields, data);
    }
    if !is_known(kind) {
        return true;
    }
    let mut parser = Parser::from_ref(data);
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(Type::from_int(kind), &mut parser);
    let Ok(Some(parsed)) = parsed else {
        return false;
    };
    let mut out = Vec::with_capacity(data.len());
    let Ok(()) = parsed.compose_rdata(&mut out);
    parser.remaining() == 0 && out == data && is_complete(kind, data)
}

/// Whether the last field, a tag, digest, key or signature, has octets at all, which the library does not ask for.
fn is_complete(kind: u16, data: &[u8]) -> bool {
    match Type::from_int(kind) {
        Type::OPENPGPKEY => !data.is_empty(),
        Type::CAA => data.get(1).is_some_and(|length| *length > 0),
        Type::SSHFP => data.len() > 2,
        Type::TLSA => data.len() > 3,
        Type::DS | Type::CDS | Type::DNSKEY | Type::CDNSKEY => data.len() > 4,
        Type::ZONEMD => data.len() > 6,
        Type::RRSIG => data
            .get(18..)
            .and_then(after_name)
            .is_some_and(|signature| !signature.is_empty()),
        _ => true,
    }
}

/// Whether the library reads the type.
fn is_known(kind: u16) -> bool {
    matches!(
        Type::from_int(kind),
        Type::NS
            | Type::MD
            | Type::MF
            | Type::CNAME
            | Type::MB
            | Type::MG
            | Type::MR
            | Type::PTR
            | Type::HINFO
            | Type::MINFO
            | Type::MX
            | Type::TXT
            | Type::RP
            | Type::SRV
            | Type::NAPTR
            | Type::DNAME
            | Type::DS
            | Type::SSHFP
            | Type::IPSECKEY
            | Type::RRSIG
            | Type::NSEC
            | Type::DNSKEY
            | Type::NSEC3
            | Type::NSEC3PARAM
            | Type::TLSA
            | Type::CDS
            | Type::CDNSKEY
            | Type::OPENPGPKEY
            | Type::ZONEMD
            | Type::SVCB
            | Type::HTTPS
            | Type::CAA
    )
}

/// What may stand in the data of a type.
fn form(kind: u16) -> &'static str {
    match Type::from_int(kind) {
        Type::A => "an IPv4 address",
        Type::AAAA => "an IPv6 address",
        Type::NS | Type::CNAME | Type::DNAME | Type::PTR | Type::MB | Type::MG | Type::MR => "one name",
        Type::SOA => "MNAME RNAME SERIAL REFRESH RETRY EXPIRE MINIMUM",
        Type::MX => "PREFERENCE NAME",
        Type::TXT | Type::SPF => "one or more character strings of at most 255 octets",
        Type::SRV => "PRIORITY WEIGHT PORT TARGET",
        Type::CAA => "FLAGS TAG \"VALUE\"",
        Type::HINFO => "CPU OS",
        Type::RP => "MAILBOX TXT-NAME",
        Type::NAPTR => "ORDER PREFERENCE \"FLAGS\" \"SERVICES\" \"REGEXP\" REPLACEMENT",
        Type::DS | Type::CDS => "KEY-TAG ALGORITHM DIGEST-TYPE DIGEST",
        Type::DNSKEY | Type::CDNSKEY => "FLAGS PROTOCOL ALGORITHM KEY",
        Type::TLSA | Type::SMIMEA => "USAGE SELECTOR MATCHING-TYPE DATA",
        Type::SSHFP => "ALGORITHM TYPE FINGERPRINT",
        Type::SVCB | Type::HTTPS => "PRIORITY TARGET [KEY=VALUE ...]",
        Type::URI => "PRIORITY WEIGHT \"TARGET\"",
        Type::LOC => "D [M [S]] N|S D [M [S]] E|W ALTITUDE [SIZE [HORIZONTAL [VERTICAL]]] in metres",
        Type::EUI48 => "six octets as xx-xx-xx-xx-xx-xx",
        Type::EUI64 => "eight octets as xx-xx-xx-xx-xx-xx-xx-xx",
        _ => "the type's form, or `\\# LENGTH HEX`",
    }
}
