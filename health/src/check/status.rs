//! A range of HTTP status codes.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CheckError;

/// An inclusive range of HTTP status codes, written `200-399` or `204`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// # Errors
    /// Bounds outside 100..=599 or in the wrong order.
    pub fn new(first: u16, last: u16) -> Result<StatusRange, CheckError> {
        if (100..=599).contains(&first) && (first..=599).contains(&last) {
            Ok(StatusRange { first, last })
        } else {
            Err(CheckError::Expect {
                given: format!("{first}-{last}"),
            })
        }
    }

    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl Default for StatusRange {
    /// 200-399.
    fn default() -> StatusRange {
        StatusRange {
            first: 200,
            last: 399,
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for StatusRange {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<StatusRange, CheckError> {
        let wrong = || CheckError::Expect {
            given: text.to_owned(),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |part: &str| part.trim().parse::<u16>().map_err(|_| wrong());
        StatusRange::new(parse(first)?, parse(last)?).map_err(|_| wrong())
    }
}

impl TryFrom<String> for StatusRange {
    type Error = CheckError;

    fn try_from(text: String) -> Result<StatusRange, CheckError> {
        text.parse()
    }
}

impl From<StatusRange> for String {
    fn from(range: StatusRange) -> String {
        range.to_string()
    }
}
