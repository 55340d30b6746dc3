//! What the gates of the DNS servers have to tell, entered into the timeline once, whichever server tells it first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lifeboat_dns::Notice;
use lifeboat_health::{Family, Gray};
use parking_lot::Mutex;

use super::Timeline;

/// Cheap to clone; all clones share what was told.
#[derive(Clone)]
pub(crate) struct Notices {
    timeline: Timeline,
    told: Arc<Mutex<Told>>,
}

/// Who says so now: it begins with the first server and ends with the last.
#[derive(Default)]
struct Told {
    panic: BTreeSet<String>,
    held_back: BTreeMap<String, BTreeSet<(String, Family)>>,
    /// What was entered last of a cluster's gray failure.
    gray: BTreeMap<(String, Family), (Gray, u32)>,
}

impl Notices {
    pub(crate) fn new(timeline: Timeline) -> Self {
        Self {
            timeline,
            told: Arc::default(),
        }
    }

    pub(crate) fn tell(&self, server: &str, notice: &Notice) {
        let mut told = self.told.lock();
        match notice {
            Notice::Panic => {
                if told.panic.is_empty() {
                    let detail = format!(
                        "PANIC: for some name no candidate is known to be healthy: its last good set is served (told by {server})"
                    );
                    self.timeline.push("controlplane.panic", None, detail);
                }
                told.panic.insert(server.to_owned());
            }
            Notice::Calm => {
                if told.panic.remove(server) && told.panic.is_empty() {
                    self.timeline
                        .push("controlplane.calm", None, "the last PANIC is over");
                }
            }
            Notice::HeldBack {
                cluster,
                family,
                held_back,
            } => {
                let tellers = told.held_back.entry(cluster.clone()).or_default();
                if tellers.is_empty() {
                    let detail = format!(
                        "{held_back}: its names are answered with other clusters while one of those can serve (told by {server})"
                    );
                    self.timeline.push("cluster.heldback", Some(cluster), detail);
                }
                tellers.insert((server.to_owned(), *family));
            }
            Notice::Gray {
                cluster,
                family,
                gray,
            } => {
                let now = (gray.degree, gray.factor_permille);
                let before = told.gray.insert((cluster.clone(), *family), now);
                if before.unwrap_or((Gray::None, 1_000)) != now {
                    let percent = f64::from(gray.factor_permille) / 10.0;
                    let detail = match gray.degree {
                        Gray::None => format!("{family}: gray no more: {percent} % of its weight"),
                        Gray::Mild | Gray::Severe | Gray::Failing => format!(
                            "{family}: gray: {percent} % of its weight: {} (told by {server})",
                            gray.reason
                        ),
                    };
                    self.timeline.push("cluster.gray", Some(cluster), detail);
                }
            }
            Notice::Released { cluster, family } => {
                let Some(tellers) = told.held_back.get_mut(cluster) else {
                    return;
                };
                tellers.remove(&(server.to_owned(), *family));
                if tellers.is_empty() {
                    told.held_back.remove(cluster);
                    let detail = "no longer held back for flapping";
                    self.timeline.push("cluster.released", Some(cluster), detail);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use lifeboat_dns::HeldBack;
    use lifeboat_health::{GrayState, MonoClock};

    use super::*;

    #[test]
    fn what_several_servers_tell_is_entered_once() {
        let timeline = Timeline::new(MonoClock::new());
        let notices = Notices::new(timeline.clone());
        let held_back = Notice::HeldBack {
            cluster: "a".to_owned(),
            family: Family::V4,
            held_back: HeldBack {
                downs: 3,
                until: UNIX_EPOCH + Duration::from_secs(3_600),
            },
        };
        let released = Notice::Released {
            cluster: "a".to_owned(),
            family: Family::V4,
        };
        let gray = Notice::Gray {
            cluster: "a".to_owned(),
            family: Family::V4,
            gray: GrayState {
                degree: Gray::Severe,
                factor_permille: 250,
                reason: "late".to_owned(),
                ..GrayState::default()
            },
        };
        for notice in [Notice::Panic, held_back, Notice::Calm, released, gray] {
            notices.tell("dns-1", &notice);
            notices.tell("dns-2", &notice);
        }
        let told: Vec<(String, String)> = timeline
            .since(0)
            .0
            .into_iter()
            .map(|entry| (entry.kind, entry.detail))
            .collect();
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "controlplane.panic",
                "cluster.heldback",
                "controlplane.calm",
                "cluster.released",
                "cluster.gray"
            ]
        );
        assert_eq!(told[4].1, "ipv4: gray: 25 % of its weight: late (told by dns-1)");
        assert!(
            told[1]
                .1
                .starts_with("held back after 3 Downs, until about 01:00:00 UTC"),
            "{told:?}"
        );
    }
}
