//! What words mean: escapes, names, lengths of time (RFC 1035 §5.1).

use thiserror::Error;

use crate::name::{MAX_LABEL_LEN, MAX_WIRE_LEN};

/// One octet of a word and how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Octet {
    Plain(u8),
    /// `\X`
    Escaped(u8),
    /// `\DDD`
    Decimal(u8),
}

impl Octet {
    pub(crate) fn value(self) -> u8 {
        match self {
            Self::Plain(value) | Self::Escaped(value) | Self::Decimal(value) => value,
        }
    }
}

/// The octets of a word. A bad escape stands for the character after the backslash, as NSD has it.
#[derive(Clone, Debug)]
pub(crate) struct Octets<'a>(&'a [u8]);

pub(crate) fn octets(raw: &[u8]) -> Octets<'_> {
    Octets(raw)
}

impl Iterator for Octets<'_> {
    type Item = Octet;

    fn next(&mut self) -> Option<Octet> {
        let (&first, rest) = self.0.split_first()?;
        if first != b'\\' {
            self.0 = rest;
            return Some(Octet::Plain(first));
        }
        if let Some(value) = decimal(rest) {
            self.0 = rest.get(3..).unwrap_or_default();
            return Some(Octet::Decimal(value));
        }
        let (&escaped, rest) = rest.split_first()?;
        self.0 = rest;
        Some(Octet::Escaped(escaped))
    }
}

fn decimal(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..3)?;
    let value = digits.iter().try_fold(0_u16, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u16::from(digit - b'0'))
    })?;
    u8::try_from(value).ok()
}

/// Whether a word has an escape that is neither `\X` nor `\DDD`.
pub(crate) fn has_bad_escape(raw: &[u8]) -> bool {
    if !raw.contains(&b'\\') {
        return false;
    }
    let mut rest = octets(raw);
    loop {
        let lone = rest.0 == b"\\";
        match rest.next() {
            None => return lone,
            Some(Octet::Escaped(value)) if value.is_ascii_digit() => return true,
            Some(_) => {}
        }
    }
}

pub(crate) fn unescape(raw: &[u8]) -> Vec<u8> {
    octets(raw).map(Octet::value).collect()
}

/// Why a word is not a domain name (RFC 1035 §2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameFault {
    #[error("it has an empty label; one to {MAX_LABEL_LEN} octets are allowed")]
    EmptyLabel,
    #[error("it has a label of {0} octets; at most {MAX_LABEL_LEN} are allowed")]
    LabelTooLong(usize),
    #[error("it takes {0} octets on the wire; at most {MAX_WIRE_LEN} are allowed")]
    TooLong(usize),
}

/// The wire form of a name, its case kept; a relative one is completed with the origin, `@` is the origin.
pub(crate) fn name(raw: &[u8], origin: &[u8]) -> Result<Vec<u8>, NameFault> {
    match raw {
        b"@" => return Ok(origin.to_vec()),
        b"." => return Ok(vec![0]),
        _ => {}
    }
    let mut wire = Vec::with_capacity(raw.len() + 1 + origin.len());
    let mut label = 0;
    wire.push(0);
    for octet in octets(raw) {
        if octet == Octet::Plain(b'.') {
            close_label(&mut wire, label)?;
            label = wire.len();
            wire.push(0);
        } else {
            wire.push(octet.value());
        }
    }
    if wire.len() == label + 1 {
        if label == 0 {
            return Err(NameFault::EmptyLabel);
        }
    } else {
        close_label(&mut wire, label)?;
        wire.extend_from_slice(origin);
    }
    if wire.len() > MAX_WIRE_LEN {
        return Err(NameFault::TooLong(wire.len()));
    }
    Ok(wire)
}

fn close_label(wire: &mut [u8], at: usize) -> Result<(), NameFault> {
    let length = wire.len() - at - 1;
    if length == 0 {
        return Err(NameFault::EmptyLabel);
    }
    match (u8::try_from(length), wire.get_mut(at)) {
        (Ok(octet), Some(slot)) if length <= MAX_LABEL_LEN => *slot = octet,
        _ => return Err(NameFault::LabelTooLong(length)),
    }
    Ok(())
}

/// A length of time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds {
    /// Stops at the largest number there is.
    pub(crate) value: u64,
    /// A number without unit came after one with.
    pub(crate) unit_missing: bool,
}

/// Reads `3600`, `1h` or `1h30m`; `None` for anything else.
pub(crate) fn seconds(raw: &[u8]) -> Option<Seconds> {
    let mut total = 0_u64;
    let mut number: Option<u64> = None;
    let mut units = false;
    for octet in raw {
        if octet.is_ascii_digit() {
            let digits = number.map_or(0, |before| before.saturating_mul(10));
            number = Some(digits.saturating_add(u64::from(octet - b'0')));
            continue;
        }
        let unit_s = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.saturating_add(number.take()?.saturating_mul(unit_s));
        units = true;
    }
    if !units && number.is_none() {
        return None;
    }
    Some(Seconds {
        value: total.saturating_add(number.unwrap_or(0)),
        unit_missing: units && number.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        fn check(raw: &[u8], expected: Result<&[u8], NameFault>) {
            assert_eq!(
                name(raw, b"\x01z\x00").as_deref(),
                expected.as_ref().map(|wire| *wire)
            );
        }
        check(b"A.b", Ok(b"\x01A\x01b\x01z\x00"));
        check(b"a.b.", Ok(b"\x01a\x01b\x00"));
        check(b"@", Ok(b"\x01z\x00"));
        check(b".", Ok(b"\x00"));
        check(b"\\@", Ok(b"\x01@\x01z\x00"));
        check(b"a\\.b\\046c.", Ok(b"\x05a.b.c\x00"));
        check(b"\\000\\255.", Ok(b"\x02\x00\xff\x00"));
        check(b"", Err(NameFault::EmptyLabel));
        check(b"a..b", Err(NameFault::EmptyLabel));
        check(b".a", Err(NameFault::EmptyLabel));
        check(b"..", Err(NameFault::EmptyLabel));
        check(&[b'x'; 64], Err(NameFault::LabelTooLong(64)));
        check(&[b'x'; 300], Err(NameFault::LabelTooLong(300)));
        check(&b"abcdefg.".repeat(32), Err(NameFault::TooLong(257)));
        check(
            &b"abcdefgh.".repeat(28),
            Ok(&[b"\x08abcdefgh".repeat(28), vec![0]].concat()),
        );
        check(
            &[b"abcdefgh.".repeat(28), b"x".to_vec()].concat(),
            Err(NameFault::TooLong(257)),
        );
    }

    #[test]
    fn escapes() {
        fn check(raw: &[u8], expected: &[u8], bad: bool) {
            assert_eq!(unescape(raw), expected);
            assert_eq!(has_bad_escape(raw), bad, "{raw:?}");
        }
        check(b"plain", b"plain", false);
        check(b"\\\\\\\"\\065", b"\\\"A", false);
        check(b"\\256", b"256", true);
        check(b"\\25", b"25", true);
        check(b"\\2x", b"2x", true);
        check(b"a\\", b"a", true);
        check(b"a\\\\", b"a\\", false);
    }

    #[test]
    fn lengths_of_time() {
        fn check(raw: &str, expected: Option<(u64, bool)>) {
            let got = seconds(raw.as_bytes()).map(|seconds| (seconds.value, seconds.unit_missing));
            assert_eq!(got, expected, "{raw}");
        }
        check("0", Some((0, false)));
        check("1h30m", Some((5_400, false)));
        check("1W2d3H4m5S", Some((788_645, false)));
        check("1h1h", Some((7_200, false)));
        check("1H1", Some((3_601, true)));
        check("99999999999999999999", Some((u64::MAX, false)));
        check("", None);
        check("h", None);
        check("1hh", None);
        check("-1", None);
        check("1y", None);
    }
}
