//! Wall-clock stamps and names for objects: the one place of the API server that reads the clock or draws.

use std::time::Duration;

use jiff::{Timestamp, Unit};

/// Now, to the second, as `metadata.creationTimestamp` and its like carry it.
pub(crate) fn now_rfc3339() -> String {
    let now = now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// A stamp that lies ahead: when a graceful deletion is due.
pub(crate) fn after_rfc3339(seconds: i64) -> String {
    let then = now()
        .checked_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap_or_else(|_| now());
    then.round(Unit::Second).unwrap_or(then).to_string()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Time since an RFC 3339 stamp; zero if it lies ahead, `None` if it does not parse.
pub(crate) fn age(stamp: &str, now: Timestamp) -> Option<Duration> {
    let then: Timestamp = stamp.parse().ok()?;
    Some(Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO))
}

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let bits = (fastrand::u128(..) & !(0xf000 << 64) & !(0xc000 << 48)) | (0x4000 << 64) | (0x8000 << 48);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// The five characters that follow `metadata.generateName`.
pub(crate) fn name_suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..5)
        .map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_version_four() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
    }
}
