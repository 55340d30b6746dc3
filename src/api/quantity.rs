//! Kubernetes quantities (`250m`, `1.5Gi`, `2e3`) as exact numbers.

/// A quantity in units of one billionth, exact for everything Kubernetes can store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(i128);

/// Text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a quantity: a decimal number with an optional suffix n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or exponent is allowed"
)]
pub struct QuantityError {
    text: String,
}

const NANOS_PER_UNIT: i128 = 1_000_000_000;
/// Kubernetes caps quantities at 2^63 - 1.
const MAX: i128 = i64::MAX as i128 * NANOS_PER_UNIT;

impl Nanos {
    /// Reads a quantity. What is finer than a billionth is rounded up, what is too large is capped.
    ///
    /// # Errors
    /// The text is not a quantity.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse(text).map(Self).ok_or_else(|| QuantityError {
            text: text.to_owned(),
        })
    }

    /// Whole units, rounded away from zero as Kubernetes' `Value()` does.
    pub fn value(self) -> i64 {
        self.scaled(NANOS_PER_UNIT)
    }

    /// Thousandths, rounded away from zero as Kubernetes' `MilliValue()` does.
    pub fn milli_value(self) -> i64 {
        self.scaled(NANOS_PER_UNIT / 1000)
    }

    /// `units` whole units.
    pub fn from_units(units: i64) -> Self {
        Self(i128::from(units) * NANOS_PER_UNIT)
    }

    fn scaled(self, unit: i128) -> i64 {
        let magnitude = (self.0.abs() + unit - 1) / unit;
        let signed = if self.0 < 0 { -magnitude } else { magnitude };
        i64::try_from(signed).unwrap_or(if signed < 0 { i64::MIN } else { i64::MAX })
    }
}

impl std::ops::Add for Nanos {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Nanos {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

fn parse(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let number_len = unsigned
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let (number, suffix) = unsigned.split_at(number_len);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let scale = Scale::of(suffix)?;
    let magnitude = scale.apply(whole, fraction);
    Some(if negative { -magnitude } else { magnitude })
}

/// What a suffix multiplies by, before the conversion to nanos.
enum Scale {
    Decimal(i32),
    Binary(u32),
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            exponent => {
                let digits = exponent.strip_prefix(['e', 'E'])?;
                if !digits
                    .trim_start_matches(['+', '-'])
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
                {
                    return None;
                }
                Self::Decimal(digits.parse().ok()?)
            }
        })
    }

    /// `whole.fraction` times the scale in nanos, rounded up and capped.
    fn apply(&self, whole: &str, fraction: &str) -> i128 {
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return 0;
        }
        let point = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
        let (exponent, shift) = match self {
            Self::Decimal(exponent) => (exponent.saturating_add(9).saturating_sub(point), 0),
            Self::Binary(shift) => (9_i32.saturating_sub(point), *shift),
        };
        // Digits beyond the 30th cannot change a number that is capped at 19 whole digits and nine decimals.
        let kept = digits.get(..30).unwrap_or(digits);
        let dropped = i32::try_from(digits.len() - kept.len()).unwrap_or(i32::MAX);
        let Ok(mantissa) = kept.parse::<i128>() else {
            return MAX;
        };
        let exponent = exponent.saturating_add(dropped);
        if exponent >= 0 {
            let Some(power) = u32::try_from(exponent)
                .ok()
                .and_then(|power| 10_i128.checked_pow(power))
            else {
                return MAX;
            };
            let Some(scaled) = mantissa.checked_mul(power) else {
                return MAX;
            };
            return scaled.checked_mul(1 << shift).unwrap_or(MAX).min(MAX);
        }
        let Some(divisor) = 10_i128.checked_pow(exponent.unsigned_abs()) else {
            return 1;
        };
        // Whole part and remainder are shifted apart, so that a binary suffix cannot overflow early.
        let (quotient, remainder) = (mantissa / divisor, mantissa % divisor);
        let Some(high) = quotient.checked_mul(1 << shift) else {
            return MAX;
        };
        let low = match remainder.checked_mul(1 << shift) {
            Some(shifted) => shifted.div_euclid(divisor) + i128::from(shifted % divisor != 0),
            None => (remainder / (divisor >> shift).max(1)) + 1,
        };
        high.saturating_add(low).min(MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, value: i64, milli: i64) {
        let parsed = Nanos::parse(text).unwrap();
        assert_eq!((parsed.value(), parsed.milli_value()), (value, milli), "{text}");
    }

    #[test]
    fn reads_every_form() {
        check("0", 0, 0);
        check("1", 1, 1000);
        check("250m", 1, 250);
        check("1500m", 2, 1500);
        check("1.5", 2, 1500);
        check(".5", 1, 500);
        check("-1500m", -2, -1500);
        check("+2k", 2000, 2_000_000);
        check("1Ki", 1024, 1_024_000);
        check("1.5Gi", 1_610_612_736, 1_610_612_736_000);
        check("2e3", 2000, 2_000_000);
        check("1E2", 100, 100_000);
        check("1E", 1_000_000_000_000_000_000, i64::MAX);
        check("0.0000000001", 1, 1);
        check("8Ei", i64::MAX, i64::MAX);
        check("99999999999999999999999999999999999999", i64::MAX, i64::MAX);
    }

    #[test]
    fn refuses_what_is_not_a_quantity() {
        for text in [
            "", "-", ".", "1.2.3", "abc", "1 Gi", "1gi", "1e", "e3", "1e+-2", "1Mii", "0x10",
        ] {
            assert!(Nanos::parse(text).is_err(), "{text}");
        }
    }
}
