//! A domain name as the server keeps it: wire form, lower case, root label included (RFC 1035 §3.1, RFC 4343).

pub(crate) mod wire;

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
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// The name one label below this one.
    pub(crate) fn child(&self, label: &str) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(label.len() + 1 + self.0.len());
        push_label(&mut wire, label, false, label)?;
        wire.extend_from_slice(&self.0);
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

    /// True when this name is `zone` or lies below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        wire::is_within(&self.0, &zone.0)
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        wire::is_wildcard(&self.0)
    }

    /// Labels, the root's not counted.
    #[must_use]
    pub fn label_count(&self) -> usize {
        wire::label_count(&self.0)
    }
}

/// Canonical order: what lies below a name follows it (RFC 4034 §6.1).
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        wire::cmp(&self.0, &other.0)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
        assert_eq!(Name::parse(".").unwrap().to_string(), ".");
    }
}
