//! $GENERATE, as BIND has it: a range of numbers, and templates that they are put into.

use std::str;

/// Widest number that a template may ask for.
const MAX_WIDTH: usize = 255;

/// `START-STOP` or `START-STOP/STEP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    start: u32,
    stop: u32,
    step: u32,
}

impl Range {
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let text = str::from_utf8(raw).ok()?;
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, number(step)?),
            None => (text, 1),
        };
        let (start, stop) = range.split_once('-')?;
        let (start, stop) = (number(start)?, number(stop)?);
        (start <= stop && step > 0).then_some(Self { start, stop, step })
    }

    pub(crate) fn count(self) -> usize {
        usize::try_from((self.stop - self.start) / self.step)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    pub(crate) fn numbers(self) -> impl Iterator<Item = u32> {
        let step = usize::try_from(self.step).unwrap_or(usize::MAX);
        (self.start..=self.stop).step_by(step)
    }
}

/// Digits only, at most 2^31 - 1.
fn number(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<i32>()
        .ok()
        .and_then(|value| u32::try_from(value).ok())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Decimal,
    Octal,
    Hex,
    UpperHex,
    /// Hexadecimal digits in reverse order with dots between them, as under ip6.arpa.
    Nibbles,
    UpperNibbles,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Number { offset: i32, width: usize, base: Base },
}

/// A text with places for the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

impl Template {
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = raw;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after) {
                (b'$', [b'$', after @ ..]) => {
                    literal.push(b'$');
                    rest = after;
                }
                (b'$', _) => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    let (piece, after) = place(after)?;
                    pieces.push(piece);
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    literal.extend_from_slice(&[b'\\', *escaped]);
                    rest = after;
                }
                _ => literal.push(octet),
            }
        }
        pieces.push(Piece::Literal(literal));
        Some(Self(pieces))
    }

    /// The text for one number; `None` when the number with its offset is not below 2^31.
    pub(crate) fn fill(&self, number: u32) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Number { offset, width, base } => {
                    let value = i64::from(number) + i64::from(*offset);
                    push_number(&mut out, i32::try_from(value).ok()?, *width, *base);
                }
            }
        }
        Some(out)
    }
}

/// What follows a `$`: nothing, or `{OFFSET}`, `{OFFSET,WIDTH}` or `{OFFSET,WIDTH,BASE}`.
fn place(rest: &[u8]) -> Option<(Piece, &[u8])> {
    let Some(inner) = rest.strip_prefix(b"{") else {
        let piece = Piece::Number {
            offset: 0,
            width: 0,
            base: Base::Decimal,
        };
        return Some((piece, rest));
    };
    let end = inner.iter().position(|octet| *octet == b'}')?;
    let text = str::from_utf8(inner.get(..end)?).ok()?;
    let mut parts = text.split(',');
    let offset = parts.next()?.parse().ok()?;
    let width = match parts.next() {
        None => 0,
        Some(width) => usize::try_from(number(width).filter(|_| !width.is_empty())?).ok()?,
    };
    let base = match parts.next() {
        None | Some("d") => Base::Decimal,
        Some("o") => Base::Octal,
        Some("x") => Base::Hex,
        Some("X") => Base::UpperHex,
        Some("n") => Base::Nibbles,
        Some("N") => Base::UpperNibbles,
        Some(_) => return None,
    };
    if parts.next().is_some() || width > MAX_WIDTH {
        return None;
    }
    Some((Piece::Number { offset, width, base }, inner.get(end + 1..)?))
}

fn push_number(out: &mut Vec<u8>, value: i32, width: usize, base: Base) {
    let text = match base {
        Base::Decimal => format!("{value:0width$}"),
        Base::Octal => format!("{value:0width$o}"),
        Base::Hex => format!("{value:0width$x}"),
        Base::UpperHex => format!("{value:0width$X}"),
        Base::Nibbles => nibbles(value, width),
        Base::UpperNibbles => nibbles(value, width).to_ascii_uppercase(),
    };
    out.extend_from_slice(text.as_bytes());
}

/// The width counts digits and dots, so an even one ends with a dot.
fn nibbles(value: i32, mut width: usize) -> String {
    let mut digits = value.cast_unsigned();
    let mut text = String::new();
    loop {
        text.push(char::from_digit(digits & 0xf, 16).unwrap_or('0'));
        digits >>= 4;
        width = width.saturating_sub(1);
        if width > 0 || digits > 0 {
            text.push('.');
            width = width.saturating_sub(1);
        }
        if width == 0 && digits == 0 {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        fn check(text: &str, expected: Option<&[u32]>) {
            let got = Range::parse(text.as_bytes()).map(|range| {
                let numbers: Vec<u32> = range.numbers().collect();
                assert_eq!(numbers.len(), range.count());
                numbers
            });
            assert_eq!(got.as_deref(), expected, "{text}");
        }
        check("1-3", Some(&[1, 2, 3]));
        check("0-9/4", Some(&[0, 4, 8]));
        check("2147483646-2147483647/2147483647", Some(&[2_147_483_646]));
        check("7-7", Some(&[7]));
        for refused in [
            "2-1",
            "1-2/0",
            "-1-2",
            "1",
            "0x1-2",
            "1-2147483648",
            "1-2/",
            "1-",
            "-",
            "+1-2",
            "",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn templates() {
        fn check(text: &str, number: u32, expected: Option<&str>) {
            let got = Template::parse(text.as_bytes()).and_then(|template| template.fill(number));
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{text}");
        }
        check("h$", 7, Some("h7"));
        check("h\\$$-$$", 7, Some("h\\$7-$"));
        check("${2}.${-3,4}", 7, Some("9.0004"));
        check(
            "${0,7,X}-${-400,7,x}-${0,0,o}-${-500,5,d}",
            300,
            Some("000012C-ffffff9c-454--0200"),
        );
        check("${0,0,n}", 300, Some("c.2.1"));
        check("${0,0,N}", 300, Some("C.2.1"));
        check("${0,4,n}", 1, Some("1.0."));
        check("${0,3,n}", 1, Some("1.0"));
        check("$", 0, Some("0"));
        check("${1}", 2_147_483_647, None);
        for refused in [
            "${",
            "${}",
            "${0",
            "${0,q}",
            "${0,0,q}",
            "${0,0,d,1}",
            "${0,}",
            "${0,256}",
            "${ 1}",
        ] {
            check(refused, 1, None);
        }
    }
}
