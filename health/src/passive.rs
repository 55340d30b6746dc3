//! What users' requests came to, as an ingress controller or a log shipper reports it: counts by cluster over a sliding
//! window. They travel in the rows of the cluster's traffic path; what follows from them is the consumer's to decide.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::MonoTime;

/// The window moves in this many steps.
const STEPS: u32 = 10;
/// Names of clusters that an error lists.
const MOST_NAMED: usize = 20;

/// Requests that one cluster answered since the last report about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    pub cluster: String,
    /// Requests answered, in whatever way.
    pub requests: u64,
    /// Of those, answered 5xx.
    pub server_errors: u64,
}

/// A report that cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("cluster {given:?} has no traffic target here; allowed: {allowed}")]
    Unknown { given: String, allowed: String },
    #[error("cluster {cluster:?}: serverErrors is {errors}, of requests {requests}: at most as many")]
    Errors {
        cluster: String,
        requests: u64,
        errors: u64,
    },
}

/// The sum over the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub requests: u64,
    pub server_errors: u64,
}

impl Counted {
    /// As a row carries it: requests, saturating, and errors in thousandths of them.
    pub fn facts(self) -> (u16, u16) {
        let permille = (u128::from(self.server_errors) * 1_000)
            .checked_div(self.requests.into())
            .unwrap_or(0);
        let small = |value: u128| u16::try_from(value).unwrap_or(u16::MAX);
        (small(self.requests.into()), small(permille.min(1_000)))
    }
}

/// Counts of each known cluster. Bounded: a few sums for each cluster that is probed.
#[derive(Clone, Debug)]
pub struct Passive {
    step: Duration,
    clusters: BTreeMap<String, VecDeque<(u64, Counted)>>,
}

impl Passive {
    /// Without any cluster.
    pub fn new(window: Duration) -> Passive {
        Passive {
            step: (window / STEPS).max(Duration::from_millis(1)),
            clusters: BTreeMap::new(),
        }
    }

    /// Know exactly these clusters from now on. Counts of those that stay are kept.
    pub fn know<'a>(&mut self, clusters: impl IntoIterator<Item = &'a str>) {
        let wanted: BTreeSet<&str> = clusters.into_iter().collect();
        self.clusters.retain(|name, _| wanted.contains(name.as_str()));
        for name in wanted {
            self.clusters.entry(name.to_owned()).or_default();
        }
    }

    /// Add reports, all of them or none.
    ///
    /// # Errors
    /// The first report that cannot be, and what is allowed.
    pub fn add(&mut self, reports: &[Report], now: MonoTime) -> Result<(), ReportError> {
        for report in reports {
            if !self.clusters.contains_key(&report.cluster) {
                return Err(self.unknown(&report.cluster));
            }
            if report.server_errors > report.requests {
                return Err(ReportError::Errors {
                    cluster: report.cluster.clone(),
                    requests: report.requests,
                    errors: report.server_errors,
                });
            }
        }
        let step = self.step_of(now);
        for report in reports {
            let Some(sums) = self.clusters.get_mut(&report.cluster) else {
                continue;
            };
            if sums.back().is_none_or(|(at, _)| *at != step) {
                sums.push_back((step, Counted::default()));
            }
            if let Some((_, sum)) = sums.back_mut() {
                sum.requests = sum.requests.saturating_add(report.requests);
                sum.server_errors = sum.server_errors.saturating_add(report.server_errors);
            }
            while sums.len() > STEPS as usize {
                sums.pop_front();
            }
        }
        Ok(())
    }

    /// The sum over the window that ends now.
    pub fn counted(&self, cluster: &str, now: MonoTime) -> Counted {
        let oldest = (self.step_of(now) + 1).saturating_sub(STEPS.into());
        let sums = self.clusters.get(cluster).into_iter().flatten();
        sums.filter(|(at, _)| *at >= oldest)
            .fold(Counted::default(), |all, (_, sum)| Counted {
                requests: all.requests.saturating_add(sum.requests),
                server_errors: all.server_errors.saturating_add(sum.server_errors),
            })
    }

    fn step_of(&self, now: MonoTime) -> u64 {
        let step = u64::try_from(self.step.as_micros()).unwrap_or(u64::MAX);
        now.as_micros() / step
    }

    fn unknown(&self, given: &str) -> ReportError {
        let names: Vec<&str> = self
            .clusters
            .keys()
            .map(String::as_str)
            .take(MOST_NAMED)
            .collect();
        let more = self.clusters.len().saturating_sub(MOST_NAMED);
        let mut allowed = names.join(", ");
        if allowed.is_empty() {
            "none, since nothing is probed".clone_into(&mut allowed);
        }
        if more > 0 {
            allowed.push_str(&format!(" and {more} more"));
        }
        ReportError::Unknown {
            given: given.chars().take(63).collect(),
            allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_millis(ms)
    }

    fn report(cluster: &str, requests: u64, server_errors: u64) -> Report {
        Report {
            cluster: cluster.to_owned(),
            requests,
            server_errors,
        }
    }

    fn passive() -> Passive {
        let mut passive = Passive::new(Duration::from_secs(10));
        passive.know(["eu", "us"]);
        passive
    }

    #[test]
    fn counts_add_up_within_the_window_and_leave_it() {
        let mut passive = passive();
        for second in 0..20 {
            passive
                .add(&[report("eu", 100, 40)], at(second * 1_000 + 500))
                .unwrap();
        }
        let sum = |passive: &Passive, ms| passive.counted("eu", at(ms));
        assert_eq!(sum(&passive, 19_999).requests, 1_000);
        assert_eq!(sum(&passive, 19_999).facts(), (1_000, 400));
        assert_eq!(sum(&passive, 24_000).requests, 500);
        assert_eq!(sum(&passive, 40_000), Counted::default());
        assert_eq!(passive.counted("us", at(19_999)).facts(), (0, 0));
        assert_eq!(passive.clusters["eu"].len(), 10, "no more sums than steps");
    }

    #[test]
    fn what_cannot_be_is_refused_whole() {
        let mut passive = passive();
        let refused = passive.add(&[report("eu", 5, 0), report("mars", 1, 0)], at(1));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "cluster \"mars\" has no traffic target here; allowed: eu, us"
        );
        let refused = passive.add(&[report("eu", 5, 6)], at(1));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "cluster \"eu\": serverErrors is 6, of requests 5: at most as many"
        );
        assert_eq!(passive.counted("eu", at(1)), Counted::default());
    }

    #[test]
    fn clusters_that_stay_keep_their_counts() {
        let mut passive = passive();
        passive
            .add(&[report("eu", 9, 1), report("us", 9, 1)], at(1))
            .unwrap();
        passive.know(["eu", "asia"]);
        assert_eq!(passive.counted("eu", at(1)).requests, 9);
        assert!(passive.add(&[report("us", 1, 0)], at(1)).is_err());
        assert!(passive.add(&[report("asia", u64::MAX, u64::MAX)], at(1)).is_ok());
        assert!(passive.add(&[report("asia", u64::MAX, 1)], at(1)).is_ok());
        assert_eq!(passive.counted("asia", at(1)).facts(), (u16::MAX, 1_000));
    }

    proptest! {
        /// Whatever is reported whenever, memory is bounded and no share exceeds the whole.
        #[test]
        fn sums_are_bounded(reports in proptest::collection::vec((0..60_000_u64, any::<u64>(), any::<u64>()), 0..80)) {
            let mut passive = passive();
            let mut now = 0;
            for (later, a, b) in reports {
                now += later;
                passive.add(&[report("eu", a.max(b), a.min(b))], at(now)).unwrap();
                prop_assert!(passive.counted("eu", at(now)).facts().1 <= 1_000);
                prop_assert!(passive.clusters["eu"].len() <= 10);
            }
        }
    }
}
