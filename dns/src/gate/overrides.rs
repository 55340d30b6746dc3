//! What operators have ordered of clusters and names, whatever health says: up, down, or a part of the weight, until a time.
//!
//! The safety rule "at least N clusters active" bounds it: an order that breaks it is refused when it is given, and is
//! lifted, newest first, when other clusters die under it. What Route 53 ARC calls an assertion rule.

pub(crate) mod names;
mod subject;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use lifeboat_health::{Family, MonoTime};
use serde::{Deserialize, Serialize};
pub(crate) use subject::Subject;
use thiserror::Error;

/// An operator's standing instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// A cluster, a steered name, or `NAME/CLUSTER`: one cluster in the answers of one name.
    #[serde(alias = "cluster")]
    pub of: String,
    pub action: Action,
    pub until: SystemTime,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Answered in full, even if it looks dead; of a name, all its clusters.
    Up,
    /// Not answered where another can serve; of a name, none of its clusters, but what its `onAllDown` says.
    Down,
    /// This percentage of its weight, as far as health lets it.
    Weight(u8),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Weight(percent) => write!(f, "weight={percent}"),
        }
    }
}

/// Why overrides were not taken. Those before stay in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OverrideRefused {
    #[error("override of {of}: there is no such cluster or steered name in the plan; clusters are {known}")]
    Nobody { of: String, known: String },
    #[error("override of {of}: {name} is no steered name of the plan")]
    NoName { of: String, name: String },
    #[error("override of {of}: {name} is not answered with {cluster}, but with {known}")]
    NoPart {
        of: String,
        name: String,
        cluster: String,
        known: String,
    },
    #[error("override of {of}: there are two; one is allowed")]
    Twice { of: String },
    #[error("override of {of}: weight={percent}; 1 to 100 percent are allowed, and down for none")]
    Weight { of: String, percent: u8 },
    #[error(
        "override of {of}: a name has no weight of its own; up, down, and {of}/CLUSTER weight={percent} are allowed"
    )]
    NameWeight { of: String, percent: u8 },
    #[error(
        "override of {of}: down would change nothing, since its onAllDown is {on_all_down}; it is allowed where that is fallback or servfail"
    )]
    NameDown { of: String, on_all_down: &'static str },
    #[error("override of {of}: has ended already; a time to come is needed")]
    Ended { of: String },
    #[error(
        "override of {of}: down would leave {active} of {clusters} clusters active for {family}; at least {least} must stay"
    )]
    TooFewActive {
        of: String,
        family: &'static str,
        active: usize,
        clusters: usize,
        least: usize,
    },
}

/// An override on the clock of the gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) what: Override,
    pub(crate) subject: Subject,
    pub(crate) until: MonoTime,
}

/// All overrides of a server, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) standing: Vec<Standing>,
    /// How many clusters of a family must stay active.
    pub(crate) min_active: usize,
}

/// What the safety rule asks of a cluster: whether health lets it serve.
pub(crate) type Served<'a> = (&'a str, bool);

/// What becomes of one override at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    Up,
    Down,
    /// Percent.
    Weight(u8),
    /// It is not obeyed: too few clusters would be active.
    Lifted,
}

impl Overrides {
    /// Whether any about a cluster has not ended.
    pub(crate) fn stand(&self, now: MonoTime) -> bool {
        let mut standing = self.standing.iter();
        standing.any(|standing| standing.subject.cluster().is_some() && now < standing.until)
    }

    /// Refuses what means nothing; the safety rule is asked by [`Self::breach`].
    pub(crate) fn check(&self, now: MonoTime) -> Result<(), OverrideRefused> {
        for (index, standing) in self.standing.iter().enumerate() {
            let Standing { what, subject, until } = standing;
            let of = what.of.clone();
            let mut earlier = self.standing.iter().take(index);
            if earlier.any(|other| other.subject == *subject) {
                return Err(OverrideRefused::Twice { of });
            }
            if *until <= now {
                return Err(OverrideRefused::Ended { of });
            }
            match (what.action, subject) {
                (Action::Weight(percent), _) if percent == 0 || percent > 100 => {
                    return Err(OverrideRefused::Weight { of, percent });
                }
                (Action::Weight(percent), Subject::Name(_)) => {
                    return Err(OverrideRefused::NameWeight { of, percent });
                }
                (Action::Up | Action::Down | Action::Weight(_), _) => {}
            }
        }
        Ok(())
    }

    /// The override that breaks the safety rule for these clusters of one family.
    pub(crate) fn breach(
        &self,
        now: MonoTime,
        family: Family,
        clusters: &[Served<'_>],
    ) -> Result<(), OverrideRefused> {
        let obeyed = self.obeyed(now);
        let active = active(&obeyed, clusters);
        let least = self.min_active.min(clusters.len());
        match self.newest_down(&obeyed, clusters) {
            Some(cluster) if active < least => Err(OverrideRefused::TooFewActive {
                of: cluster.to_owned(),
                family: family_name(family),
                active,
                clusters: clusters.len(),
                least,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// What is ordered of each cluster at `now`, within the safety rule.
    pub(crate) fn ordered(&self, now: MonoTime, clusters: &[Served<'_>]) -> BTreeMap<&str, Ordered> {
        let mut obeyed = self.obeyed(now);
        let least = self.min_active.min(clusters.len());
        while active(&obeyed, clusters) < least {
            let Some(cluster) = self.newest_down(&obeyed, clusters) else {
                break;
            };
            obeyed.insert(cluster, Ordered::Lifted);
        }
        obeyed
    }

    fn obeyed(&self, now: MonoTime) -> BTreeMap<&str, Ordered> {
        self.standing
            .iter()
            .filter(|standing| now < standing.until)
            .filter_map(|Standing { what, subject, .. }| {
                let ordered = match what.action {
                    Action::Up => Ordered::Up,
                    Action::Down => Ordered::Down,
                    Action::Weight(percent) => Ordered::Weight(percent),
                };
                Some((subject.cluster()?, ordered))
            })
            .collect()
    }

    /// The last cluster ordered down that could serve.
    fn newest_down(&self, obeyed: &BTreeMap<&str, Ordered>, clusters: &[Served<'_>]) -> Option<&str> {
        self.standing
            .iter()
            .rev()
            .filter_map(|standing| standing.subject.cluster())
            .find(|cluster| {
                obeyed.get(cluster) == Some(&Ordered::Down) && clusters.contains(&(*cluster, true))
            })
    }
}

pub(crate) fn family_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

/// A cluster is active if it is answered, and not against all evidence: an operator's word is evidence.
fn active(obeyed: &BTreeMap<&str, Ordered>, clusters: &[Served<'_>]) -> usize {
    clusters
        .iter()
        .filter(|(cluster, serves)| match obeyed.get(cluster) {
            Some(Ordered::Up) => true,
            Some(Ordered::Down) => false,
            Some(Ordered::Weight(_) | Ordered::Lifted) | None => *serves,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(orders: &[(&str, Action)], min_active: usize) -> Overrides {
        let standing = |(cluster, action): &(&str, Action)| Standing {
            subject: Subject::Cluster((*cluster).to_owned()),
            what: Override {
                of: (*cluster).to_owned(),
                action: *action,
                until: SystemTime::UNIX_EPOCH,
                reason: String::new(),
            },
            until: MonoTime::from_millis(1_000),
        };
        Overrides {
            standing: orders.iter().map(standing).collect(),
            min_active,
        }
    }

    const ALL: [Served<'_>; 3] = [("a", true), ("b", true), ("c", true)];

    #[test]
    fn an_order_ends_at_its_time() {
        let overrides = overrides(&[("a", Action::Down)], 1);
        let at = |ms| overrides.ordered(MonoTime::from_millis(ms), &ALL);
        assert_eq!(at(999), BTreeMap::from([("a", Ordered::Down)]));
        assert_eq!(at(1_000), BTreeMap::new());
    }

    #[test]
    fn too_few_active_is_refused_by_name() {
        let refused = |orders: &[(&str, Action)], min_active, clusters: &[Served<'_>]| {
            let breach = overrides(orders, min_active).breach(MonoTime::ZERO, Family::V4, clusters);
            breach.err().map(|refused| refused.to_string())
        };
        let (a, b, c) = (("a", Action::Down), ("b", Action::Down), ("c", Action::Down));
        assert_eq!(refused(&[a, b], 1, &ALL), None);
        assert_eq!(
            refused(&[a, b, c], 1, &ALL).unwrap(),
            "override of c: down would leave 0 of 3 clusters active for IPv4; at least 1 must stay"
        );
        assert!(refused(&[a, b], 2, &ALL).is_some());
        // The dead do not count, and neither does an order that changes nothing for a family it is not in.
        let one_dead = [("a", true), ("b", false), ("c", true)];
        assert_eq!(refused(&[a], 1, &one_dead), None);
        assert!(refused(&[a, c], 1, &one_dead).is_some());
        assert_eq!(refused(&[a, c, ("b", Action::Up)], 1, &one_dead), None);
        assert_eq!(refused(&[a], 1, &[("z", false)]), None);
        // Nobody is to blame for a rule that health breaks.
        assert_eq!(
            refused(&[("a", Action::Weight(10))], 2, &[("a", true), ("b", false)]),
            None
        );
    }

    #[test]
    fn when_others_die_the_newest_order_is_lifted_first() {
        let overrides = overrides(&[("a", Action::Down), ("b", Action::Down)], 1);
        let ordered = |clusters: &[Served<'_>]| overrides.ordered(MonoTime::ZERO, clusters);
        let both = BTreeMap::from([("a", Ordered::Down), ("b", Ordered::Down)]);
        assert_eq!(ordered(&ALL), both);
        let c_dead = [("a", true), ("b", true), ("c", false)];
        assert_eq!(
            ordered(&c_dead),
            BTreeMap::from([("a", Ordered::Down), ("b", Ordered::Lifted)])
        );
        let b_dead_too = [("a", true), ("b", false), ("c", false)];
        assert_eq!(
            ordered(&b_dead_too),
            BTreeMap::from([("a", Ordered::Lifted), ("b", Ordered::Down)])
        );
        assert_eq!(
            ordered(&[("a", false), ("b", false), ("c", false)]),
            both,
            "lifting would bring nobody back"
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let refused = |orders: &[(&str, Action)], ms| {
            let checked = overrides(orders, 1).check(MonoTime::from_millis(ms));
            checked.unwrap_err().to_string()
        };
        assert!(refused(&[("a", Action::Weight(0))], 0).contains("weight=0; 1 to 100"));
        assert!(refused(&[("a", Action::Weight(101))], 0).contains("weight=101; 1 to 100"));
        assert!(refused(&[("a", Action::Up)], 1_000).contains("has ended already"));
        assert!(refused(&[("a", Action::Up), ("a", Action::Down)], 0).contains("there are two"));
    }
}
