//! LOC data (RFC 1876).

use std::str;

use super::scan::{ScanError, Words};

const EXPECTED: ScanError = ScanError::Syntax("expected a location");
/// The equator and the prime meridian, in thousandths of a second of arc.
const MIDDLE: u32 = 1 << 31;
/// The altitude of 0 is this many centimetres above the base.
const BASE_CM: i64 = 10_000_000;

pub(crate) fn read(words: &mut Words<'_>) -> Result<[u8; 16], ScanError> {
    let latitude = angle(words, 90, b'N', b'S')?;
    let longitude = angle(words, 180, b'E', b'W')?;
    let altitude = centimetres(words.word()?.raw)?;
    let altitude = u32::try_from(altitude + BASE_CM).map_err(|_| EXPECTED)?;
    let size = precision(words, 0x12)?;
    let horizontal = precision(words, 0x16)?;
    let vertical = precision(words, 0x13)?;
    let mut wire = [0; 16];
    wire[1..4].copy_from_slice(&[size, horizontal, vertical]);
    wire[4..8].copy_from_slice(&latitude.to_be_bytes());
    wire[8..12].copy_from_slice(&longitude.to_be_bytes());
    wire[12..].copy_from_slice(&altitude.to_be_bytes());
    Ok(wire)
}

/// Degrees, then minutes and seconds if given, then the direction.
fn angle(words: &mut Words<'_>, limit: u32, plus: u8, minus: u8) -> Result<u32, ScanError> {
    let mut parts = [0_u32; 3];
    let limits_ms = [limit * 3_600_000, 59 * 60_000, 59_999];
    let units_ms = [3_600_000, 60_000, 1];
    let mut count = 0;
    loop {
        let raw = words.word()?.raw;
        if let [direction] = raw
            && count > 0
            && !direction.is_ascii_digit()
        {
            let sum: u32 = parts.iter().sum();
            return match direction.to_ascii_uppercase() {
                _ if sum > limits_ms[0] => Err(EXPECTED),
                upper if upper == plus => Ok(MIDDLE + sum),
                upper if upper == minus => Ok(MIDDLE - sum),
                _ => Err(EXPECTED),
            };
        }
        let decimals = if count == 2 { 3 } else { 0 };
        let value = decimal(raw, decimals)?;
        let (Some(part), Some(unit), Some(most)) =
            (parts.get_mut(count), units_ms.get(count), limits_ms.get(count))
        else {
            return Err(EXPECTED);
        };
        let value_ms = u32::try_from(value)
            .ok()
            .and_then(|value| value.checked_mul(*unit))
            .filter(|value| value <= most);
        *part = value_ms.ok_or(EXPECTED)?;
        count += 1;
    }
}

fn centimetres(raw: &[u8]) -> Result<i64, ScanError> {
    let number = match raw {
        [number @ .., b'm' | b'M'] => number,
        number => number,
    };
    match number {
        [b'-', number @ ..] => decimal(number, 2).map(|value| -value),
        number => decimal(number, 2),
    }
}

/// Centimetres as a digit and a power of ten (RFC 1876 §2).
fn precision(words: &mut Words<'_>, default: u8) -> Result<u8, ScanError> {
    if words.peek().is_none() {
        return Ok(default);
    }
    let mut digit = centimetres(words.word()?.raw)?;
    let mut power = 0_u8;
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    let digit = u8::try_from(digit).map_err(|_| EXPECTED)?;
    if power > 9 {
        Err(EXPECTED)
    } else {
        Ok(digit << 4 | power)
    }
}

/// A number with at most so many decimals, multiplied until it has none.
fn decimal(raw: &[u8], decimals: usize) -> Result<i64, ScanError> {
    let text = str::from_utf8(raw).map_err(|_| EXPECTED)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, fraction].concat();
    let odd = whole.is_empty() || fraction.len() > decimals || digits.len() > 12;
    if odd || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    let padding = u32::try_from(decimals - fraction.len()).map_err(|_| EXPECTED)?;
    let value: i64 = digits.parse().map_err(|_| EXPECTED)?;
    Ok(value * 10_i64.pow(padding))
}
