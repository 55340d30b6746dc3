//! What is asked for: the text and JSON forms of a fault, checked.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use super::FaultKind;

/// How long a fault lasts when nobody says.
pub const TTL_DEFAULT: Duration = Duration::from_secs(600);
/// No fault lasts longer, whatever was asked for and whoever forgot it.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// The delay of `slow` when nobody says.
pub const DELAY_DEFAULT: Duration = Duration::from_millis(200);
/// The largest delay of `slow`.
pub const DELAY_MAX: Duration = Duration::from_secs(30);
/// Clusters one fault may name.
const CLUSTERS_MAX: usize = 256;

/// A fault to inject into some clusters at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpec {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where; empty for `controller-down` only.
    pub clusters: Vec<String>,
    /// Added to each response by `slow`; `None` is [`DELAY_DEFAULT`]. Other kinds take none.
    pub delay: Option<Duration>,
    /// How long it lasts; `None` is [`TTL_DEFAULT`], never above [`TTL_MAX`].
    pub ttl: Option<Duration>,
}

/// A fault and when to inject it, counted from the start of a drill; written `KIND:CLUSTER[,CLUSTER]@DURATION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledFault {
    /// What to inject.
    pub spec: FaultSpec,
    /// When, from the start of the drill.
    pub at: Duration,
}

/// Why a fault cannot be meant as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No such kind.
    #[error("unknown fault kind `{given}`; allowed: {}", kinds())]
    UnknownKind {
        /// As written.
        given: String,
    },
    /// The kind acts on clusters and none is named.
    #[error("fault `{kind}` needs at least one cluster, as in `{kind}:CLUSTER[,CLUSTER]`")]
    NoCluster {
        /// The kind.
        kind: FaultKind,
    },
    /// The kind acts on no cluster.
    #[error("fault `{kind}` takes no clusters, given: {}", given.join(", "))]
    ClustersNotAllowed {
        /// The kind.
        kind: FaultKind,
        /// As written.
        given: Vec<String>,
    },
    /// An empty name, the same name twice, or too many.
    #[error("clusters of fault `{kind}`: {problem}")]
    BadClusters {
        /// The kind.
        kind: FaultKind,
        /// What is wrong.
        problem: String,
    },
    /// Only `slow` has a delay.
    #[error("fault `{kind}` takes no delay; only `slow` does")]
    DelayNotAllowed {
        /// The kind.
        kind: FaultKind,
    },
    /// A duration out of its bounds.
    #[error("{field} of {given:?} is out of bounds; allowed: above 0, at most {max:?}")]
    OutOfBounds {
        /// Which duration.
        field: &'static str,
        /// As written.
        given: Duration,
        /// The largest allowed.
        max: Duration,
    },
    /// A text that is no duration.
    #[error("`{given}` is not a duration; allowed: numbers with ms, s, m or h, such as 500ms, 10s or 1m30s")]
    BadDuration {
        /// As written.
        given: String,
    },
    /// A scheduled fault without its time.
    #[error(
        "`{given}` has no time; write KIND:CLUSTER[,CLUSTER]@DURATION, such as power-off:eu-central-1@10s"
    )]
    NoTime {
        /// As written.
        given: String,
    },
}

fn kinds() -> String {
    FaultKind::ALL.map(FaultKind::as_str).join(", ")
}

impl FaultSpec {
    /// A fault with the default duration and delay.
    pub fn new(kind: FaultKind, clusters: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            kind,
            clusters: clusters.into_iter().map(Into::into).collect(),
            delay: None,
            ttl: None,
        }
    }

    /// Checks what can be checked without knowing the fleet.
    ///
    /// # Errors
    /// The first thing that is not allowed.
    pub fn check(&self) -> Result<(), SpecError> {
        let kind = self.kind;
        if kind.needs_clusters() && self.clusters.is_empty() {
            return Err(SpecError::NoCluster { kind });
        }
        if !kind.needs_clusters() && !self.clusters.is_empty() {
            return Err(SpecError::ClustersNotAllowed {
                kind,
                given: self.clusters.clone(),
            });
        }
        let bad = |problem: String| Err(SpecError::BadClusters { kind, problem });
        if self.clusters.len() > CLUSTERS_MAX {
            return bad(format!(
                "{} named, allowed: at most {CLUSTERS_MAX}",
                self.clusters.len()
            ));
        }
        let mut seen = BTreeSet::new();
        for cluster in &self.clusters {
            if cluster.is_empty() {
                return bad("one name is empty".to_owned());
            }
            if !seen.insert(cluster) {
                return bad(format!("`{cluster}` is named twice"));
            }
        }
        if self.delay.is_some() && kind != FaultKind::Slow {
            return Err(SpecError::DelayNotAllowed { kind });
        }
        bounded("delay", self.delay, DELAY_MAX)?;
        bounded("duration", self.ttl, TTL_MAX)
    }
}

fn bounded(field: &'static str, given: Option<Duration>, max: Duration) -> Result<(), SpecError> {
    match given {
        Some(given) if given.is_zero() || given > max => Err(SpecError::OutOfBounds { field, given, max }),
        _ => Ok(()),
    }
}

/// `KIND` or `KIND:CLUSTER[,CLUSTER]`.
impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, clusters) = text
            .split_once(':')
            .map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let kind = kind.parse()?;
        let clusters = clusters
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(str::trim);
        let spec = Self::new(kind, clusters);
        spec.check()?;
        Ok(spec)
    }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if !self.clusters.is_empty() {
            write!(formatter, ":{}", self.clusters.join(","))?;
        }
        Ok(())
    }
}

impl FromStr for ScheduledFault {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (spec, at) = text.rsplit_once('@').ok_or_else(|| SpecError::NoTime {
            given: text.to_owned(),
        })?;
        Ok(Self {
            spec: spec.parse()?,
            at: parse_duration(at)?,
        })
    }
}

/// Reads `500ms`, `10s`, `2m`, `1h` and sums such as `1m30s`.
///
/// # Errors
/// [`SpecError::BadDuration`] for anything else, a bare number included.
pub fn parse_duration(text: &str) -> Result<Duration, SpecError> {
    let bad = || SpecError::BadDuration {
        given: text.to_owned(),
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(bad()),
        };
        rest = &rest[letters..];
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .ok_or_else(bad)?;
    }
    Ok(Duration::from_millis(total_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_spec(text: &str, expected: Result<(FaultKind, &[&str]), &str>) {
        match (text.parse::<FaultSpec>(), expected) {
            (Ok(spec), Ok((kind, clusters))) => {
                assert_eq!(
                    (spec.kind, spec.clusters.as_slice()),
                    (
                        kind,
                        &*clusters.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()
                    )
                );
                assert_eq!(spec.to_string(), text);
            }
            (Err(error), Err(part)) => {
                assert!(
                    error.to_string().contains(part),
                    "`{error}` does not say `{part}`"
                );
            }
            (got, expected) => panic!("{text}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn specs() {
        check_spec(
            "power-off:eu-central-1",
            Ok((FaultKind::PowerOff, &["eu-central-1"])),
        );
        check_spec("slow:a,b", Ok((FaultKind::Slow, &["a", "b"])));
        check_spec("controller-down", Ok((FaultKind::ControllerDown, &[])));
        check_spec(
            "explode:a",
            Err("allowed: power-off, black-hole, api-down, vip-down, slow, controller-down"),
        );
        check_spec("power-off", Err("needs at least one cluster"));
        check_spec("power-off:", Err("one name is empty"));
        check_spec("power-off:a,a", Err("`a` is named twice"));
        check_spec("controller-down:a", Err("takes no clusters, given: a"));
    }

    #[test]
    fn delays_and_durations_have_bounds() {
        let mut spec = FaultSpec::new(FaultKind::PowerOff, ["a"]);
        spec.delay = Some(Duration::from_millis(1));
        assert!(matches!(spec.check(), Err(SpecError::DelayNotAllowed { .. })));
        spec.delay = None;
        spec.ttl = Some(TTL_MAX + Duration::from_millis(1));
        assert!(matches!(
            spec.check(),
            Err(SpecError::OutOfBounds {
                field: "duration",
                ..
            })
        ));
        spec.ttl = Some(TTL_MAX);
        assert_eq!(spec.check(), Ok(()));
    }

    #[test]
    fn durations() {
        let check = |text: &str, expected_ms: Option<u64>| {
            assert_eq!(
                parse_duration(text).ok(),
                expected_ms.map(Duration::from_millis),
                "{text}"
            );
        };
        check("500ms", Some(500));
        check("10s", Some(10_000));
        check("1m30s", Some(90_000));
        check("2h", Some(7_200_000));
        check("", None);
        check("10", None);
        check("-1s", None);
        check("s", None);
        check("99999999999999999999h", None);
        check("1h99999999999999999h", None);
        check("10ß", None);
    }

    #[test]
    fn scheduled_faults() {
        let fault: ScheduledFault = "power-off:eu-central-1,us-east1@10s".parse().unwrap();
        assert_eq!(fault.at, Duration::from_secs(10));
        assert_eq!(fault.spec.clusters, ["eu-central-1", "us-east1"]);
        assert!(matches!(
            "power-off:a".parse::<ScheduledFault>(),
            Err(SpecError::NoTime { .. })
        ));
    }
}
