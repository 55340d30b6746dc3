//! Serials of zones (RFC 1982): numbers that go round, of which one half is higher than the other.

/// Whether a serial is higher than another (RFC 1982 §3.2); of two that are half the circle apart neither is.
pub(crate) fn is_higher(serial: u32, than: u32) -> bool {
    serial != than && serial.wrapping_sub(than) < 1 << 31
}

/// What a zone is served under after a change: its own serial where secondaries would notice it, else the next after
/// the one they saw last.
pub(crate) fn after_change(own: u32, last_served: Option<u32>) -> u32 {
    match last_served {
        Some(last) if !is_higher(own, last) => last.wrapping_add(1),
        Some(_) | None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1982 §3.2, with SERIAL_BITS of 32.
    #[test]
    fn order() {
        fn check(serial: u32, than: u32, expected: bool) {
            assert_eq!(is_higher(serial, than), expected, "{serial} {than}");
        }
        check(1, 0, true);
        check(0, 1, false);
        check(5, 5, false);
        check(0, u32::MAX, true);
        check(u32::MAX, 0, false);
        check(1 << 31, 0, false);
        check((1 << 31) - 1, 0, true);
        check(0, 1 << 31, false);
    }

    #[test]
    fn a_change_is_always_higher() {
        assert_eq!(after_change(7, None), 7);
        assert_eq!(after_change(9, Some(7)), 9);
        assert_eq!(after_change(7, Some(7)), 8);
        assert_eq!(after_change(3, Some(7)), 8);
        assert_eq!(after_change(3, Some(u32::MAX)), 3);
        assert_eq!(after_change(u32::MAX, Some(u32::MAX)), 0);
        for last in [0, 7, u32::MAX, 1 << 31] {
            for own in [0, 1, 7, u32::MAX, (1 << 31) - 1, 1 << 31] {
                assert!(is_higher(after_change(own, Some(last)), last), "{own} {last}");
            }
        }
    }
}
