//! Hard evidence: answers that only something broken or stopping gives, unlike silence.

use std::fmt;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// A set of flags. Unknown bits of a newer observer are kept: they still are hard evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hard(pub u8);

impl Hard {
    pub const NONE: Hard = Hard(0);
    /// The connection was refused.
    pub const REFUSED: Hard = Hard(1);
    /// The connection was reset.
    pub const RESET: Hard = Hard(2);
    /// A TLS alert ended the handshake.
    pub const TLS_ALERT: Hard = Hard(4);
    /// A control path answered 5xx.
    pub const SERVER_ERROR: Hard = Hard(8);
    /// The agent said that it stops.
    pub const STOPPING: Hard = Hard(16);

    /// A program said so.
    pub const PROGRAM: Hard = Hard(32);

    const NAMES: [(Hard, &'static str); 6] = [
        (Hard::REFUSED, "refused"),
        (Hard::RESET, "reset"),
        (Hard::TLS_ALERT, "tls-alert"),
        (Hard::SERVER_ERROR, "server-error"),
        (Hard::STOPPING, "stopping"),
        (Hard::PROGRAM, "program"),
    ];

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn union(self, other: Hard) -> Hard {
        Hard(self.0 | other.0)
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        let known = Hard::NAMES
            .into_iter()
            .filter(move |(flag, _)| self.0 & flag.0 != 0)
            .map(|(_, name)| name);
        known.chain((self.0 & 0xc0 != 0).then_some("other"))
    }
}

impl fmt::Display for Hard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// As a list of names.
impl Serialize for Hard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for name in self.names() {
            list.serialize_element(name)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names() {
        let both = Hard::REFUSED.union(Hard::SERVER_ERROR);
        assert_eq!(both.to_string(), "refused, server-error");
        assert_eq!(
            serde_json::to_string(&both).unwrap(),
            r#"["refused","server-error"]"#
        );
        assert_eq!(Hard(128).to_string(), "other");
        assert!(Hard::NONE.is_empty() && Hard::NONE.to_string().is_empty());
    }
}
