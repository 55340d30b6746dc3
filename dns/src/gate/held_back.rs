//! What people are told of a cluster that is held back for flapping.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// A cluster that went down too often is kept out after its return, as far as others can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldBack {
    /// How often it went Down since its flap penalty was last below the profile's `flapRelease`.
    pub downs: u32,
    /// When the penalty will have decayed to `flapRelease`, if it does not go Down again.
    pub until: SystemTime,
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix_s = self
            .until
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let (hour, minute, second) = (unix_s / 3_600 % 24, unix_s / 60 % 60, unix_s % 60);
        write!(
            f,
            "held back after {} Downs, until about {hour:02}:{minute:02}:{second:02} UTC",
            self.downs
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_says_how_often_and_until_when() {
        let held_back = HeldBack {
            downs: 3,
            until: UNIX_EPOCH + Duration::from_secs(86_400 + 3 * 3_600 + 25 * 60 + 9),
        };
        assert_eq!(
            held_back.to_string(),
            "held back after 3 Downs, until about 03:25:09 UTC"
        );
    }
}
