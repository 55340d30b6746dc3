//! A domain name as the server keeps it: wire form, lower case, root label included (RFC 1035 §3.1, RFC 4343).

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// Longest name on the wire, root label included (RFC 1035 §2.3.4).
pub(crate) const MAX_WIRE_LEN: usize = 255;
/// Most labels in a name, the root's not counted.
const MAX_LABELS: usize = 127;
/// Longest label (RFC 1035 §2.3.4).
pub(crate) const MAX_LABEL_LEN: usize = 63;

/// A domain name: absolute, compared without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why a text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("is empty; a domain name is needed")]
    Empty,
    #[error("has an empty label in `{0}`")]
    EmptyLabel(String),
    #[error("has a label of {0} octets in `{1}`; at most {MAX_LABEL_LEN} are allowed")]
    LabelTooLong(usize, String),
    #[error("takes {0} octets on the wire; at most {MAX_WIRE_LEN} are allowed")]
    TooLong(usize),
    #[error(
        "has the character `{0}` in `{1}`; letters, digits, `-` and `_` are allowed, and `*` as the whole first label"
    )]
    Character(char, String),
}

impl Name {
    /// Parses presentation form, with or without the trailing dot; `.` is the root.
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let body = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(body.len() + 2);
        if !body.is_empty() {
            for (index, label) in body.split('.').enumerate() {
                push_label(&mut wire, label, index == 0, text)?;
            }
        }
        wire.push(0);
        if wire.len() > MAX_WIRE_LEN {
            return Err(NameError::TooLong(wire.len()));
        }
        Ok(Self(wire.into_boxed_slice()))
    }

    /// A name that is already in wire form and lower case.
    pub(crate) fn from_wire(wire: &[u8]) -> Self {
        Self(wire.into())
    }

    /// Wire form, root label included.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// Canonical order: by labels from the right, so that what lies below a name follows it (RFC 4034 §6.1).
    pub(crate) fn cmp_canonical(&self, other: &Self) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        let (mut mine, mut others) = (Starts::of(&self.0), Starts::of(&other.0));
        loop {
            match (mine.pop(), others.pop()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(left), Some(right)) => match left.cmp(right) {
                    Ordering::Equal => {}
                    unequal @ (Ordering::Less | Ordering::Greater) => return unequal,
                },
            }
        }
    }

    /// Octets that compare as names do in canonical order: labels from the right, each ended by 0.
    pub(crate) fn canonical_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.0.len());
        let mut labels = Starts::of(&self.0);
        while let Some(label) = labels.pop() {
            for octet in label {
                match octet {
                    0 | 1 => key.extend_from_slice(&[1, octet + 1]),
                    _ => key.push(*octet),
                }
            }
            key.push(0);
        }
        key
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        let first = usize::from(*self.0.first()?);
        if first == 0 {
            return None;
        }
        self.0.get(first + 1..).map(|rest| Self(rest.into()))
    }

    /// The name and those above it, up to `top`; to the root where that is not above it.
    pub(crate) fn up_to(&self, top: &Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), move |name| {
            (name != top).then(|| name.parent()).flatten()
        })
    }

    /// True when this name is `zone` or lies below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        let mut rest: &[u8] = &self.0;
        loop {
            if rest == &*zone.0 {
                return true;
            }
            match rest.first() {
                None | Some(0) => return false,
                Some(&length) => rest = rest.get(usize::from(length) + 1..).unwrap_or_default(),
            }
        }
    }

    /// True when this name lies below `other`.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self != other && self.is_within(other)
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    #[must_use]
    pub fn label_count(&self) -> usize {
        let mut count = 0;
        let mut rest: &[u8] = &self.0;
        while let Some(&length) = rest.first().filter(|length| **length != 0) {
            count += 1;
            rest = rest.get(usize::from(length) + 1..).unwrap_or_default();
        }
        count
    }
}

/// Where the labels of a name start.
struct Starts<'a> {
    wire: &'a [u8],
    at: [u8; MAX_LABELS],
    count: usize,
}

impl<'a> Starts<'a> {
    fn of(wire: &'a [u8]) -> Self {
        let mut starts = Self {
            wire,
            at: [0; MAX_LABELS],
            count: 0,
        };
        let mut at = 0_u8;
        for slot in &mut starts.at {
            match wire.get(usize::from(at)) {
                None | Some(0) => break,
                Some(length) => {
                    *slot = at;
                    at = at.saturating_add(length + 1);
                    starts.count += 1;
                }
            }
        }
        starts
    }

    /// The last label that was not yet given.
    fn pop(&mut self) -> Option<&'a [u8]> {
        self.count = self.count.checked_sub(1)?;
        let start = usize::from(*self.at.get(self.count)?);
        let length = usize::from(*self.wire.get(start)?);
        self.wire.get(start + 1..start + 1 + length)
    }
}

fn push_label(wire: &mut Vec<u8>, label: &str, first: bool, text: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel(text.to_owned()));
    }
    if label.len() > MAX_LABEL_LEN {
        return Err(NameError::LabelTooLong(label.len(), text.to_owned()));
    }
    let wildcard = first && label == "*";
    if let Some(odd) = label
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || wildcard))
    {
        return Err(NameError::Character(odd, text.to_owned()));
    }
    wire.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
    wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
    Ok(())
}

/// Presentation form with escapes (RFC 1035 §5.1), without the last dot.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest: &[u8] = &self.0;
        if rest == [0] {
            return f.write_str(".");
        }
        let mut dot = "";
        while let Some(&length) = rest.first().filter(|length| **length != 0) {
            let (label, next) = rest.split_at((usize::from(length) + 1).min(rest.len()));
            f.write_str(dot)?;
            for octet in label.get(1..).unwrap_or_default() {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(*octet))?
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            dot = ".";
            rest = next;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[u8], &str>) {
        match (Name::parse(text), expected) {
            (Ok(name), Ok(wire)) => assert_eq!(name.wire(), wire, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (got, expected) => panic!("{text}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn parses_presentation_form() {
        check("Shop.Example", Ok(b"\x04shop\x07example\x00"));
        check("shop.example.", Ok(b"\x04shop\x07example\x00"));
        check("*.example", Ok(b"\x01*\x07example\x00"));
        check(".", Ok(b"\x00"));
        check("", Err("is empty"));
        check("a..b", Err("empty label"));
        check("..", Err("empty label"));
        check("a.*.b", Err("character `*`"));
        check("a b.example", Err("character ` `"));
        check(&format!("{}.example", "x".repeat(64)), Err("at most 63"));
        check(&vec!["abcdefgh"; 30].join("."), Err("at most 255"));
    }

    /// The example of RFC 4034 §6.1.
    #[test]
    fn canonical_order() {
        let wires: [&[u8]; 9] = [
            b"\x07example\x00",
            b"\x01a\x07example\x00",
            b"\x08yljkjljk\x01a\x07example\x00",
            b"\x01z\x01a\x07example\x00",
            b"\x04zabc\x01a\x07example\x00",
            b"\x01z\x07example\x00",
            b"\x01\x01\x01z\x07example\x00",
            b"\x01*\x01z\x07example\x00",
            b"\x01\xc8\x01z\x07example\x00",
        ];
        let names = wires.map(Name::from_wire);
        for (index, name) in names.iter().enumerate() {
            for (other_index, other) in names.iter().enumerate() {
                assert_eq!(
                    name.cmp_canonical(other),
                    index.cmp(&other_index),
                    "{name} {other}"
                );
                assert_eq!(
                    name.canonical_key().cmp(&other.canonical_key()),
                    index.cmp(&other_index)
                );
            }
        }
    }

    #[test]
    fn displays_with_escapes() {
        let name = Name::from_wire(b"\x06a.\\\"\x00\xe9\x01z\x00");
        assert_eq!(name.to_string(), r#"a\.\\\"\000\233.z"#);
    }

    #[test]
    fn knows_its_place() {
        let zone = Name::parse("demo.example").unwrap();
        assert!(Name::parse("a.b.demo.example").unwrap().is_within(&zone));
        assert!(zone.is_within(&zone));
        assert!(!Name::parse("xdemo.example").unwrap().is_within(&zone));
        assert!(!Name::parse("example").unwrap().is_within(&zone));
        assert_eq!(zone.parent().unwrap().to_string(), "example");
        assert_eq!(Name::parse("a.b.c").unwrap().label_count(), 3);
        assert_eq!(Name::parse(".").unwrap().to_string(), ".");
    }
}
