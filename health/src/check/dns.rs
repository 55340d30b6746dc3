//! Words of the DNS check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CheckError;

/// A type of record that a DNS check can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    #[default]
    A,
    Aaaa,
    Caa,
    Cname,
    Https,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Svcb,
    Txt,
}

/// A response code (RFC 1035 §4.1.1) that a DNS check can expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Rcode {
    #[default]
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
}

impl RecordType {
    pub const fn name(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Caa => "CAA",
            RecordType::Cname => "CNAME",
            RecordType::Https => "HTTPS",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Ptr => "PTR",
            RecordType::Soa => "SOA",
            RecordType::Srv => "SRV",
            RecordType::Svcb => "SVCB",
            RecordType::Txt => "TXT",
        }
    }
}

impl Rcode {
    pub const fn code(self) -> u16 {
        match self {
            Rcode::NoError => 0,
            Rcode::FormErr => 1,
            Rcode::ServFail => 2,
            Rcode::NxDomain => 3,
            Rcode::NotImp => 4,
            Rcode::Refused => 5,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Rcode::NoError => "NOERROR",
            Rcode::FormErr => "FORMERR",
            Rcode::ServFail => "SERVFAIL",
            Rcode::NxDomain => "NXDOMAIN",
            Rcode::NotImp => "NOTIMP",
            Rcode::Refused => "REFUSED",
        }
    }
}

pub(super) fn domain_name(given: &str) -> Result<(), CheckError> {
    let bare = given.strip_suffix('.').unwrap_or(given);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if bare.len() <= 253 && (given == "." || bare.split('.').all(label)) {
        Ok(())
    } else {
        Err(CheckError::DomainName {
            given: given.to_owned(),
        })
    }
}

pub(super) fn answer(given: &str) -> Result<(), CheckError> {
    let fits = (1..=255).contains(&given.len()) && given.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if fits {
        Ok(())
    } else {
        Err(CheckError::Answer {
            given: given.to_owned(),
        })
    }
}
