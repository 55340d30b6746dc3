//! DNS on the wire (RFC 1035 §4): the header's bits, the hand parser for the common query, the response writer,
//! the encoding of records into ready-made answer bodies.

pub(crate) mod body;
pub(crate) mod ecs;
pub(crate) mod query;
pub(crate) mod writer;

use std::fmt;

use serde::Serialize;

pub(crate) const HEADER_LEN: usize = 12;
/// The UDP payload we advertise and never exceed (RFC 9715 §3.2).
pub(crate) const EDNS_UDP_PAYLOAD: u16 = 1232;
/// The UDP limit for a client without EDNS (RFC 1035 §4.2.1).
pub(crate) const PLAIN_UDP_PAYLOAD: usize = 512;
pub(crate) const CLASS_IN: u16 = 1;
pub(crate) const CLASS_CHAOS: u16 = 3;

/// Flag bits of the header's second 16-bit word.
pub(crate) mod flag {
    pub(crate) const QR: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const AA: u16 = 0x0400;
    pub(crate) const TC: u16 = 0x0200;
    pub(crate) const RD: u16 = 0x0100;
}

/// Record and query types by number.
pub(crate) mod rtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const HINFO: u16 = 13;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const SIG: u16 = 24;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const RRSIG: u16 = 46;
    pub(crate) const NSEC: u16 = 47;
    pub(crate) const DNSKEY: u16 = 48;
    pub(crate) const NSEC3: u16 = 50;
    pub(crate) const NSEC3PARAM: u16 = 51;
    pub(crate) const CDS: u16 = 59;
    pub(crate) const CDNSKEY: u16 = 60;
    pub(crate) const SVCB: u16 = 64;
    pub(crate) const HTTPS: u16 = 65;
    pub(crate) const TKEY: u16 = 249;
    pub(crate) const TSIG: u16 = 250;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const MAILB: u16 = 253;
    pub(crate) const MAILA: u16 = 254;
    pub(crate) const ANY: u16 = 255;
    /// Never on the wire: a name that has the addresses of another (a private type, RFC 6895 §3.1; the number is PowerDNS's).
    pub(crate) const ALIAS: u16 = 65_401;

    /// The type's mnemonic, or `TYPEn` (RFC 3597 §5).
    pub(crate) fn text(number: u16) -> String {
        match number {
            A => "A".to_owned(),
            NS => "NS".to_owned(),
            CNAME => "CNAME".to_owned(),
            SOA => "SOA".to_owned(),
            HINFO => "HINFO".to_owned(),
            TXT => "TXT".to_owned(),
            AAAA => "AAAA".to_owned(),
            DNAME => "DNAME".to_owned(),
            DS => "DS".to_owned(),
            SVCB => "SVCB".to_owned(),
            HTTPS => "HTTPS".to_owned(),
            ANY => "ANY".to_owned(),
            ALIAS => "ALIAS".to_owned(),
            other => format!("TYPE{other}"),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<u16> {
        let upper = text.to_ascii_uppercase();
        match upper.as_str() {
            "A" => Some(A),
            "NS" => Some(NS),
            "CNAME" => Some(CNAME),
            "SOA" => Some(SOA),
            "HINFO" => Some(HINFO),
            "TXT" => Some(TXT),
            "AAAA" => Some(AAAA),
            "DNAME" => Some(DNAME),
            "DS" => Some(DS),
            "SVCB" => Some(SVCB),
            "HTTPS" => Some(HTTPS),
            "ANY" => Some(ANY),
            other => other.strip_prefix("TYPE").and_then(|digits| digits.parse().ok()),
        }
    }
}

/// Response codes this server gives (RFC 6895 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Rcode {
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    YxDomain,
    BadVers,
    BadCookie,
}

impl Rcode {
    pub(crate) const ALL: [Self; 9] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::BadVers,
        Self::BadCookie,
    ];

    /// The code's number; BADVERS and BADCOOKIE need the upper eight bits that only OPT carries (RFC 6891 §6.1.3).
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::YxDomain => 6,
            Self::BadVers => 16,
            Self::BadCookie => 23,
        }
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        })
    }
}

/// Reads a big-endian 16-bit field.
pub(crate) fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    packet
        .get(at..at + 2)
        .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}
