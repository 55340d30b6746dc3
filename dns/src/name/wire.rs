//! Names where they stand in wire form, lower case: compared and cut without a copy.

use std::cmp::Ordering;

use super::MAX_LABELS;

/// Canonical order: by labels from the right, so that what lies below a name follows it (RFC 4034 §6.1).
pub(crate) fn cmp(left: &[u8], right: &[u8]) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let (mut lefts, mut rights) = (Starts::of(left), Starts::of(right));
    loop {
        match (lefts.pop(), rights.pop()) {
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

/// The name one label up; `None` of the root.
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    match name.first() {
        None | Some(0) => None,
        Some(&length) => name.get(usize::from(length) + 1..),
    }
}

/// The name, then those above it up to the root.
pub(crate) fn upward(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name))
}

/// True when a name is `top` or lies below it.
pub(crate) fn is_within(name: &[u8], top: &[u8]) -> bool {
    name.ends_with(top) && upward(name).any(|above| above.len() == top.len())
}

pub(crate) fn is_wildcard(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

/// How many labels a name has, the root's not counted.
pub(crate) fn label_count(name: &[u8]) -> usize {
    upward(name).count().saturating_sub(1)
}

/// Whether octets are one name in wire form, lower case.
pub(crate) fn is_name(octets: &[u8]) -> bool {
    let mut at = 0;
    loop {
        let Some(&length) = octets.get(at) else {
            return false;
        };
        at += 1 + usize::from(length);
        if length == 0 {
            return at == octets.len() && at <= super::MAX_WIRE_LEN;
        }
        let label = octets.get(at - usize::from(length)..at);
        let lower = |label: &[u8]| !label.iter().any(u8::is_ascii_uppercase);
        if usize::from(length) > super::MAX_LABEL_LEN || !label.is_some_and(lower) {
            return false;
        }
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
                    at = at.saturating_add(length.saturating_add(1));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4034 §6.1.
    #[test]
    fn canonical_order() {
        let names: [&[u8]; 9] = [
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
        for (index, name) in names.iter().enumerate() {
            for (other_index, other) in names.iter().enumerate() {
                assert_eq!(cmp(name, other), index.cmp(&other_index), "{name:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_a_name_is() {
        fn check(octets: &[u8], expected: bool) {
            assert_eq!(is_name(octets), expected, "{octets:?}");
        }
        check(b"\x00", true);
        check(b"\x01a\x02bc\x00", true);
        check(b"", false);
        check(b"\x01a", false);
        check(b"\x01a\x00\x00", false);
        check(b"\x01A\x00", false);
        check(b"\x03ab\x00", false);
        check(&[&[64; 65][..], &[0]].concat(), false);
        check(&[[1, b'a'].repeat(127), vec![0]].concat(), true);
        check(&[[1, b'a'].repeat(128), vec![0]].concat(), false);
    }

    #[test]
    fn places() {
        assert!(is_within(b"\x01a\x01b\x00", b"\x01b\x00"));
        assert!(is_within(b"\x01b\x00", b"\x01b\x00"));
        assert!(is_within(b"\x01b\x00", b"\x00"));
        assert!(
            !is_within(b"\x03x\x01b\x00", b"\x01b\x00"),
            "the octets of a label are no name"
        );
        assert!(!is_within(b"\x01b\x00", b"\x01a\x01b\x00"));
        assert_eq!((label_count(b"\x00"), label_count(b"\x01a\x01b\x00")), (0, 2));
    }
}
