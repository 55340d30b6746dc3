//! What goes wrong in a run, as a scenario writes it and as a seed draws it.

use std::fmt;

use lifeboat_chaos::simulate::{Draws, Timed};
use lifeboat_health::{Family, Path};
use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, cluster_name};

/// One thing that goes wrong. Machines are named by their index; an empty list is all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Fault {
    /// Both paths are silent.
    PowerOff { clusters: Vec<usize> },
    /// One path is silent or, with `refuses`, refuses connections.
    PathDown {
        clusters: Vec<usize>,
        path: Path,
        #[serde(default)]
        family: Option<Family>,
        #[serde(default)]
        refuses: bool,
    },
    /// Both paths silent for `downMs`, well for `upMs`, and so on.
    Flap {
        clusters: Vec<usize>,
        up_ms: u64,
        down_ms: u64,
    },
    /// A path answers 5xx.
    ServerErrors {
        clusters: Vec<usize>,
        #[serde(default = "control")]
        path: Path,
    },
    /// Of users' requests 40 % are answered 5xx while health checks are answered 200: only their reports show it.
    Gray { clusters: Vec<usize> },
    /// Answers come later, by up to `addMs`, which is reached after `rampMs`; with `answersOnly` connections are made as
    /// ever.
    Slow {
        clusters: Vec<usize>,
        add_ms: u64,
        #[serde(default)]
        ramp_ms: u64,
        #[serde(default)]
        answers_only: bool,
    },
    /// These observers cannot reach these clusters or, with `refuses`, say that they were refused.
    LinkCut {
        observers: Vec<usize>,
        clusters: Vec<usize>,
        #[serde(default)]
        refuses: bool,
    },
    /// Probes between these are lost, in bursts with a mean length.
    Loss {
        #[serde(default)]
        observers: Vec<usize>,
        #[serde(default)]
        clusters: Vec<usize>,
        permille: u64,
        burst: u64,
    },
    /// These observers reach nothing, anchors included; their evidence still flows.
    Isolate { observers: Vec<usize> },
    /// What all observers lean on is gone, so that they reach neither clusters nor anchors.
    SharedDependency,
    /// The processes of these observers stand still.
    Pause { observers: Vec<usize> },
    /// These observers start anew at the end of it; with `clockSetBack` with a lower boot id than before.
    Restart {
        observers: Vec<usize>,
        #[serde(default)]
        clock_set_back: bool,
    },
    /// The processes of these consumers stand still.
    PauseConsumer { consumers: Vec<usize> },
    /// No evidence from these observers to these consumers.
    EvidenceCut {
        observers: Vec<usize>,
        #[serde(default)]
        consumers: Vec<usize>,
    },
    /// Datagrams are lost, in bursts.
    EvidenceLoss {
        observers: Vec<usize>,
        #[serde(default)]
        consumers: Vec<usize>,
        permille: u64,
        burst: u64,
    },
    /// Datagrams come later, each by something up to `addMs`, and so in another order.
    EvidenceDelay {
        observers: Vec<usize>,
        #[serde(default)]
        consumers: Vec<usize>,
        add_ms: u64,
    },
}

impl Fault {
    /// Which observers, clusters and consumers it names.
    pub(super) fn whom(&self) -> [&[usize]; 3] {
        match self {
            Fault::PowerOff { clusters }
            | Fault::PathDown { clusters, .. }
            | Fault::Flap { clusters, .. }
            | Fault::ServerErrors { clusters, .. }
            | Fault::Gray { clusters }
            | Fault::Slow { clusters, .. } => [&[], clusters, &[]],
            Fault::LinkCut {
                observers, clusters, ..
            }
            | Fault::Loss {
                observers, clusters, ..
            } => [observers, clusters, &[]],
            Fault::Isolate { observers } | Fault::Pause { observers } | Fault::Restart { observers, .. } => {
                [observers, &[], &[]]
            }
            Fault::SharedDependency => [&[], &[], &[]],
            Fault::PauseConsumer { consumers } => [&[], &[], consumers],
            Fault::EvidenceCut { observers, consumers }
            | Fault::EvidenceLoss {
                observers, consumers, ..
            }
            | Fault::EvidenceDelay {
                observers, consumers, ..
            } => [observers, &[], consumers],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clusters = |list: &[usize]| join(list, |index| cluster_name(*index));
        let observers = |list: &[usize]| join(list, |index| format!("o{index}"));
        let consumers = |list: &[usize]| join(list, |index| format!("dns-{index}"));
        match self {
            Fault::PowerOff { clusters: hit } => write!(f, "power-off {}", clusters(hit)),
            Fault::PathDown {
                clusters: hit,
                path,
                family,
                refuses,
            } => {
                let how = if *refuses { "refuses" } else { "silent" };
                write!(f, "{path} path {how} {}", clusters(hit))?;
                family.map_or(Ok(()), |family| write!(f, " {family}"))
            }
            Fault::Flap {
                clusters: hit,
                up_ms,
                down_ms,
            } => write!(f, "flap {} {up_ms} ms up {down_ms} ms down", clusters(hit)),
            Fault::ServerErrors { clusters: hit, path } => {
                write!(f, "server errors on the {path} path {}", clusters(hit))
            }
            Fault::Gray { clusters: hit } => write!(f, "gray {}", clusters(hit)),
            Fault::Slow {
                clusters: hit,
                add_ms,
                ramp_ms,
                answers_only,
            } => {
                let what = if *answers_only { "late answers" } else { "slow" };
                write!(f, "{what} {} +{add_ms} ms in {ramp_ms} ms", clusters(hit))
            }
            Fault::LinkCut {
                observers: of,
                clusters: hit,
                refuses,
            } => {
                let how = if *refuses { "refused" } else { "cut" };
                write!(f, "link {how} {} to {}", observers(of), clusters(hit))
            }
            Fault::Loss {
                observers: of,
                clusters: hit,
                permille,
                burst,
            } => write!(
                f,
                "loss of {permille} in 1000 in bursts of {burst}, {} to {}",
                observers(of),
                clusters(hit)
            ),
            Fault::Isolate { observers: of } => write!(f, "isolate {}", observers(of)),
            Fault::SharedDependency => f.write_str("shared dependency of all observers gone"),
            Fault::Pause { observers: of } => write!(f, "pause {}", observers(of)),
            Fault::Restart {
                observers: of,
                clock_set_back,
            } => {
                let how = if *clock_set_back {
                    " with the clock set back"
                } else {
                    ""
                };
                write!(f, "restart {}{how}", observers(of))
            }
            Fault::PauseConsumer { consumers: of } => write!(f, "pause {}", consumers(of)),
            Fault::EvidenceCut {
                observers: of,
                consumers: to,
            } => write!(f, "evidence cut {} to {}", observers(of), consumers(to)),
            Fault::EvidenceLoss {
                observers: of,
                consumers: to,
                permille,
                burst,
            } => write!(
                f,
                "evidence loss of {permille} in 1000 in bursts of {burst}, {} to {}",
                observers(of),
                consumers(to)
            ),
            Fault::EvidenceDelay {
                observers: of,
                consumers: to,
                add_ms,
            } => write!(
                f,
                "evidence late by up to {add_ms} ms, {} to {}",
                observers(of),
                consumers(to)
            ),
        }
    }
}

fn control() -> Path {
    Path::Control
}

fn join(list: &[usize], name: impl Fn(&usize) -> String) -> String {
    if list.is_empty() {
        "all".to_owned()
    } else {
        list.iter().map(name).collect::<Vec<_>>().join("+")
    }
}

/// Faults of one run, between two times.
pub(super) fn draw(draws: &mut Draws, fleet: &Fleet, from_us: u64, until_us: u64) -> Vec<Timed<Fault>> {
    let count = 1 + draws.index(7);
    let unit_ms = fleet.unit_us() / 1_000;
    let mut faults = Vec::with_capacity(count);
    for _ in 0..count {
        let from = draws.between(from_us, until_us);
        // Blips, outages of seconds, and those that last to the end.
        let (least, most) = [(100, 800), (800, 4_000), (3_000, 20_000)][draws.index(3)];
        let length = draws.between(least * unit_ms, most * unit_ms);
        faults.push(Timed {
            from_us: from,
            until_us: (from + length).min(until_us),
            fault: one(draws, fleet, unit_ms),
        });
    }
    faults
}

fn one(draws: &mut Draws, fleet: &Fleet, unit_ms: u64) -> Fault {
    // Mostly few, now and then all.
    let mut few = |of: usize| {
        let count = match draws.below(10) {
            0..=5 => 1,
            6..=8 => 1 + draws.index(of),
            _ => of,
        };
        draws.some(count, of)
    };
    let (clusters, observers, consumers) = (few(fleet.clusters), few(fleet.observers), few(fleet.consumers));
    match draws.below(20) {
        0..=3 => Fault::PowerOff { clusters },
        4 | 5 => Fault::PathDown {
            clusters,
            path: if draws.chance(0.7) {
                Path::Traffic
            } else {
                Path::Control
            },
            family: fleet.families.get(draws.index(2 * fleet.families.len())).copied(),
            refuses: draws.chance(0.5),
        },
        6 | 7 => Fault::Flap {
            clusters: clusters.into_iter().take(1).collect(),
            up_ms: draws.between(unit_ms, 2 * unit_ms),
            down_ms: draws.between(unit_ms, 3 * unit_ms / 2),
        },
        8 => Fault::ServerErrors {
            clusters,
            path: if draws.chance(0.5) {
                Path::Traffic
            } else {
                Path::Control
            },
        },
        9 => {
            let answers_only = draws.chance(0.5);
            let most_ms = if answers_only {
                fleet.profile.late_ms
            } else {
                fleet.profile.timeout_max_ms
            };
            Fault::Slow {
                clusters,
                add_ms: draws.between(5, most_ms.into()),
                ramp_ms: draws.below(3 * unit_ms),
                answers_only,
            }
        }
        10 | 11 => Fault::LinkCut {
            observers,
            clusters,
            refuses: draws.chance(0.3),
        },
        12 => Fault::Loss {
            observers,
            clusters,
            permille: draws.between(5, 300),
            burst: draws.between(1, 5),
        },
        13 => Fault::Isolate { observers },
        14 => {
            if draws.chance(0.5) {
                Fault::SharedDependency
            } else {
                Fault::Gray { clusters }
            }
        }
        15 => Fault::Pause { observers },
        16 => Fault::Restart {
            observers,
            clock_set_back: draws.chance(0.3),
        },
        17 => Fault::PauseConsumer { consumers },
        18 => Fault::EvidenceCut { observers, consumers },
        _ => {
            if draws.chance(0.5) {
                Fault::EvidenceLoss {
                    observers,
                    consumers,
                    permille: draws.between(10, 500),
                    burst: draws.between(1, 4),
                }
            } else {
                Fault::EvidenceDelay {
                    observers,
                    consumers,
                    add_ms: draws.between(10, 2 * u64::from(fleet.profile.fresh_ms)),
                }
            }
        }
    }
}

/// A fault with its times, on one line.
pub fn timed(timed: &Timed<Fault>) -> String {
    let seconds = |us: u64| us as f64 / 1e6;
    format!(
        "{:.3} s to {:.3} s: {}",
        seconds(timed.from_us),
        seconds(timed.until_us),
        timed.fault
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_as_they_are_written() {
        let yaml = "{kind: path-down, clusters: [0, 2], path: traffic, family: ipv6, refuses: true}";
        let fault: Fault = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(fault.to_string(), "traffic path refuses a+c ipv6");
        let yaml = "{kind: loss, permille: 20, burst: 3}";
        let fault: Fault = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(fault.to_string(), "loss of 20 in 1000 in bursts of 3, all to all");
        assert!(serde_saphyr::from_str::<Fault>("{kind: power-off, clusters: [0], x: 1}").is_err());
    }
}
