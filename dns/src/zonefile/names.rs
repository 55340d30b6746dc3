//! Where domain names stand in record data: for comparing without case, and for what records point at.

use std::borrow::Cow;
use std::ops::Range;

use domain::base::iana::Rtype;

use super::fields::after_name;

/// How many octets, character strings and names come first in the data of a type.
struct Layout {
    octets: usize,
    strings: usize,
    names: usize,
}

/// The types whose names compare without case (RFC 4034 §6.2, RFC 6840 §5.1).
fn layout(kind: u16) -> Option<Layout> {
    let (octets, strings, names) = match Rtype::from_int(kind) {
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::DNAME => (0, 0, 1),
        Rtype::SOA | Rtype::MINFO | Rtype::RP => (0, 0, 2),
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX => (2, 0, 1),
        Rtype::PX => (2, 0, 2),
        Rtype::SRV => (6, 0, 1),
        Rtype::NAPTR => (4, 3, 1),
        Rtype::RRSIG => (18, 0, 1),
        _ => return None,
    };
    Some(Layout {
        octets,
        strings,
        names,
    })
}

/// The range of all names, which follow each other.
fn range(kind: u16, rdata: &[u8]) -> Option<Range<usize>> {
    let Layout {
        octets,
        strings,
        names,
    } = layout(kind)?;
    let mut start = octets;
    for _ in 0..strings {
        start += 1 + usize::from(*rdata.get(start)?);
    }
    let mut rest = rdata.get(start..)?;
    for _ in 0..names {
        rest = after_name(rest)?;
    }
    Some(start..rdata.len() - rest.len())
}

/// The data with its names in lower case, in which equal records are equal (RFC 4034 §6.2).
pub(crate) fn canonical(kind: u16, rdata: &[u8]) -> Cow<'_, [u8]> {
    let Some(range) = range(kind, rdata) else {
        return Cow::Borrowed(rdata);
    };
    if !rdata
        .get(range.clone())
        .is_some_and(|names| names.iter().any(u8::is_ascii_uppercase))
    {
        return Cow::Borrowed(rdata);
    }
    let mut lower = rdata.to_vec();
    if let Some(names) = lower.get_mut(range) {
        names.make_ascii_lowercase();
    }
    Cow::Owned(lower)
}

/// The names in the data of such a type, in their order.
pub(crate) fn in_data(kind: u16, rdata: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut names = range(kind, rdata)
        .and_then(|range| rdata.get(range))
        .unwrap_or_default();
    std::iter::from_fn(move || {
        let rest = after_name(names)?;
        let name = names.get(..names.len() - rest.len())?;
        names = rest;
        Some(name)
    })
}
