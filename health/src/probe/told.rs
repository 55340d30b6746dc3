//! What has been told about a target, so that ten failures a second do not make ten lines a second.

use std::time::Duration;

use crate::time::MonoTime;

/// The same is told again after this long.
const AGAIN: Duration = Duration::from_secs(300);
/// Nothing is told sooner than this after something else.
const APART: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Told {
    last: Option<(String, MonoTime)>,
    /// The last problem since the last outcome, told or not.
    standing: Option<String>,
    unusable: bool,
}

impl Told {
    pub(super) fn is_due(&mut self, what: &str, now: MonoTime) -> bool {
        let due = self.last.as_ref().is_none_or(|(said, at)| {
            let since = now.saturating_since(*at);
            since >= AGAIN || (said != what && since >= APART)
        });
        self.standing = Some(what.to_owned());
        if due {
            self.last = Some((what.to_owned(), now));
        }
        due
    }

    /// A probe could not be made. Not yet, where nothing was told of it.
    pub(super) fn unusable(&mut self) {
        self.unusable = self.standing.is_some();
    }

    /// A probe was made and had an outcome.
    pub(super) fn made(&mut self, good: bool) {
        self.unusable = false;
        if good {
            self.standing = None;
        }
    }

    /// What keeps probes from being made.
    pub(super) fn keeps(&self) -> Option<&str> {
        self.standing.as_deref().filter(|_| self.unusable)
    }

    #[cfg(test)]
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_ref().map(|(what, _)| what.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_again_after_a_while() {
        let mut told = Told::default();
        let at = |seconds: u64| MonoTime::from_millis(seconds * 1_000);
        assert!(told.is_due("a", at(0)));
        assert!(!told.is_due("a", at(1)));
        assert!(!told.is_due("b", at(9)));
        assert!(told.is_due("b", at(10)));
        assert!(!told.is_due("b", at(309)));
        assert!(told.is_due("b", at(310)));
    }
}
