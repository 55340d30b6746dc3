//! Whether the control plane's API answers. Pure.

use jiff::Timestamp;

use crate::store::conditions::stamp;

/// What came of asking the API again and again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contact {
    pub(super) reached: Option<Timestamp>,
    pub(super) lost: Option<Lost>,
}

/// It does not answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lost {
    pub(super) since: Timestamp,
    pub(super) why: String,
}

impl Contact {
    /// It has answered; whether that is news.
    pub(super) fn reached(&mut self, now: Timestamp) -> bool {
        let news = self.reached.is_none() || self.lost.is_some();
        *self = Self {
            reached: Some(now),
            lost: None,
        };
        news
    }

    /// It has not; whether that is news.
    pub(super) fn failed(&mut self, now: Timestamp, why: String) -> bool {
        let news = self.lost.is_none();
        let since = self.lost.as_ref().map_or(now, |lost| lost.since);
        self.lost = Some(Lost { since, why });
        news
    }

    pub(super) fn problem(&self) -> Option<String> {
        let Lost { since, why } = self.lost.as_ref()?;
        let last = self.reached.map_or_else(
            || "not reached since the start".to_owned(),
            |at| format!("last reached {}", stamp(at)),
        );
        Some(format!(
            "control plane unreachable since {}, {last}: {why}; what is served and what is probed stay as they are",
            stamp(*since)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn each_change_is_news_once_and_a_loss_keeps_its_begin() {
        let mut contact = Contact::default();
        assert_eq!(contact.problem(), None);
        assert!(contact.failed(at(1), "refused".to_owned()));
        assert!(!contact.failed(at(6), "timed out".to_owned()));
        let told = contact.problem().unwrap();
        assert!(
            told.contains(&format!(
                "since {}, not reached since the start: timed out",
                stamp(at(1))
            )),
            "{told}"
        );
        assert!(contact.reached(at(11)));
        assert!(!contact.reached(at(16)));
        assert_eq!(contact.problem(), None);
        assert!(contact.failed(at(21), "refused".to_owned()));
        let told = contact.problem().unwrap();
        assert!(
            told.contains(&format!(
                "since {}, last reached {}",
                stamp(at(21)),
                stamp(at(16))
            )),
            "{told}"
        );
    }
}
