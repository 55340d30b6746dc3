//! The addresses of names that may change. Each name is looked up for itself and keeps the addresses it had while its lookup
//! fails or takes long.
//!
//! Probes keep addresses by themselves (`probe/remote.rs` of the crate `lifeboat-health`), with the same lookup: they want one address of one family at
//! once, ten times a second, where here all addresses of all names are waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    time::Duration,
};

use lifeboat_health::{MonoClock, MonoTime, probe::look_up};
use tokio::{task::JoinSet, time::timeout};

use super::host_port;

/// How long is waited for lookups. What takes longer goes on, and counts at a later look.
const WITHIN: Duration = Duration::from_secs(2);
/// A problem of a name is told when it begins, and not again for this long.
const TOLD_FOR: Duration = Duration::from_secs(60);

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

pub(super) struct Names {
    /// The field they stand in, for messages.
    field: &'static str,
    look_up: fn(String) -> Found,
    within: Duration,
    known: BTreeMap<String, BTreeSet<SocketAddr>>,
    /// At most one lookup a name.
    looking: BTreeSet<String>,
    lookups: JoinSet<(String, io::Result<Vec<SocketAddr>>)>,
    told: BTreeMap<String, Told>,
    clock: MonoClock,
}

/// What was last told of a name's problems.
struct Told {
    at: MonoTime,
    /// It is not resolved since.
    stands: bool,
}

impl Names {
    pub(super) fn of(field: &'static str) -> Names {
        Names::new(field, |name| Box::pin(look_up(name)))
    }

    fn new(field: &'static str, look_up: fn(String) -> Found) -> Names {
        Names {
            field,
            look_up,
            within: WITHIN,
            known: BTreeMap::new(),
            looking: BTreeSet::new(),
            lookups: JoinSet::new(),
            told: BTreeMap::new(),
            clock: MonoClock::new(),
        }
    }

    /// The addresses of all of `names`, each `HOST:PORT`, after at most two seconds. May be dropped while it waits.
    pub(super) async fn resolve(&mut self, names: &[String]) -> BTreeSet<SocketAddr> {
        self.known.retain(|name, _| names.contains(name));
        self.told.retain(|name, _| names.contains(name));
        for name in names {
            if let Err(wrong) = host_port::check(name) {
                self.tell(name, &wrong);
            } else if let Ok(address) = name.parse() {
                self.known.insert(name.clone(), BTreeSet::from([address]));
            } else if self.looking.insert(name.clone()) {
                let (name, found) = (name.clone(), (self.look_up)(name.clone()));
                self.lookups.spawn(async move { (name, found.await) });
            }
        }
        let within = self.within;
        let all = async {
            while names.iter().any(|name| self.looking.contains(name))
                && let Some(ended) = self.lookups.join_next().await
            {
                let Ok((name, found)) = ended else { continue };
                self.looking.remove(&name);
                if names.contains(&name) {
                    self.take(name, found);
                }
            }
        };
        if timeout(within, all).await.is_err() {
            for name in self.looking.clone() {
                self.tell(&name, &format!("no answer for {} s", within.as_secs()));
            }
        }
        self.known.values().flatten().copied().collect()
    }

    fn take(&mut self, name: String, found: io::Result<Vec<SocketAddr>>) {
        match found {
            Ok(found) if found.is_empty() => self.tell(&name, "it has no address"),
            Ok(found) => {
                if self.is_resolved_again(&name) {
                    tracing::info!(field = self.field, name, addresses = ?found, "a name is resolved again");
                }
                self.known.insert(name, found.into_iter().collect());
            }
            Err(error) => self.tell(&name, &error.to_string()),
        }
    }

    fn tell(&mut self, name: &str, error: &str) {
        if !self.is_due(name, self.clock.now()) {
            return;
        }
        if self.known.contains_key(name) {
            tracing::warn!(
                field = self.field,
                name,
                error,
                "a name is not resolved; its last addresses stay"
            );
        } else {
            tracing::warn!(field = self.field, name, error, "a name was never resolved");
        }
    }

    /// Whether a problem of a name is to be told now.
    fn is_due(&mut self, name: &str, now: MonoTime) -> bool {
        let last = self.told.get(name);
        let due = last.is_none_or(|last| now.saturating_since(last.at) >= TOLD_FOR);
        if due {
            let told = Told {
                at: now,
                stands: true,
            };
            self.told.insert(name.to_owned(), told);
        }
        due
    }

    /// Whether the end of a name's problem is to be told: the problem was.
    fn is_resolved_again(&mut self, name: &str) -> bool {
        let told = self.told.get_mut(name);
        told.is_some_and(|told| std::mem::take(&mut told.stands))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Answers `good` always, `once` the first time, and then not at all.
    fn found(name: String) -> Found {
        static ONCE: AtomicUsize = AtomicUsize::new(0);
        Box::pin(async move {
            match name.as_str() {
                "good:1" => Ok(vec![address("192.0.2.1:1")]),
                "once:1" if ONCE.fetch_add(1, Ordering::Relaxed) == 0 => Ok(vec![address("192.0.2.2:1")]),
                "once:1" => Err(io::Error::other("no such name")),
                _ => std::future::pending().await,
            }
        })
    }

    #[tokio::test]
    async fn a_name_keeps_its_addresses_whatever_becomes_of_others() {
        let mut names = Names::new("consumers", found);
        let list = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |texts: &[&str]| texts.iter().map(|text| address(text)).collect::<BTreeSet<_>>();
        let all = list(&["192.0.2.9:1", "good:1", "once:1"]);
        let three = of(&["192.0.2.9:1", "192.0.2.1:1", "192.0.2.2:1"]);
        for _ in 0..3 {
            assert_eq!(names.resolve(&all).await, three);
        }
        // A lookup that hangs holds nothing up for long, and is not begun again.
        let hanging = list(&["192.0.2.9:1", "good:1", "once:1", "hangs:1"]);
        names.within = Duration::from_millis(20);
        for _ in 0..3 {
            assert_eq!(names.resolve(&hanging).await, three);
            assert_eq!(names.lookups.len(), 1);
        }
        names.within = WITHIN;
        assert_eq!(names.resolve(&list(&["once:1"])).await, of(&["192.0.2.2:1"]));
        assert_eq!(names.resolve(&list(&["good:1"])).await, of(&["192.0.2.1:1"]));
    }

    #[test]
    fn a_problem_is_told_once_a_minute_and_its_end_once() {
        let mut names = Names::new("consumers", found);
        let at = |seconds: u64| MonoTime::from_millis(seconds * 1_000);
        assert!(!names.is_resolved_again("a:1"), "there was no problem");
        let due: Vec<u64> = (0..=120)
            .step_by(2)
            .filter(|second| names.is_due("a:1", at(*second)))
            .collect();
        assert_eq!(due, [0, 60, 120]);
        assert!(names.is_due("b:1", at(120)), "each name for itself");
        assert!(names.is_resolved_again("a:1"));
        assert!(!names.is_resolved_again("a:1"));
        // One that comes and goes is told no more often, and the end of what was not told is not told either.
        assert!(!names.is_due("a:1", at(122)));
        assert!(!names.is_resolved_again("a:1"));
        assert!(names.is_due("a:1", at(180)));
        assert!(names.is_resolved_again("a:1"));
    }

    #[tokio::test]
    async fn what_is_no_host_and_port_is_told_and_the_others_go_on() {
        let mut names = Names::new("consumers", found);
        let list = ["good:1", "a:99999", "192.0.2.1:0"].map(str::to_owned);
        assert_eq!(
            names.resolve(&list).await,
            BTreeSet::from([address("192.0.2.1:1")])
        );
        assert_eq!(names.told.keys().collect::<Vec<_>>(), ["192.0.2.1:0", "a:99999"]);
    }

    #[tokio::test]
    async fn what_does_not_resolve_is_remembered_as_told() {
        let mut names = Names::new("consumers", found);
        names.within = Duration::from_millis(20);
        let list = ["good:1", "hangs:1"].map(str::to_owned);
        names.resolve(&list).await;
        assert_eq!(names.told.keys().collect::<Vec<_>>(), ["hangs:1"]);
        names.take("hangs:1".to_owned(), Ok(vec![address("192.0.2.3:1")]));
        assert!(!names.told["hangs:1"].stands);
        names.resolve(&list[..1]).await;
        assert!(
            names.told.is_empty(),
            "of names that are not asked for nothing is kept"
        );
    }
}
