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

use lifeboat_health::probe::look_up;
use tokio::{task::JoinSet, time::timeout};

/// How long is waited for lookups. What takes longer goes on, and counts at a later look.
const WITHIN: Duration = Duration::from_secs(2);

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

pub(super) struct Names {
    look_up: fn(String) -> Found,
    within: Duration,
    known: BTreeMap<String, BTreeSet<SocketAddr>>,
    /// At most one lookup a name.
    looking: BTreeSet<String>,
    lookups: JoinSet<(String, io::Result<Vec<SocketAddr>>)>,
}

impl Default for Names {
    fn default() -> Names {
        Names::new(|name| Box::pin(look_up(name)))
    }
}

impl Names {
    fn new(look_up: fn(String) -> Found) -> Names {
        Names {
            look_up,
            within: WITHIN,
            known: BTreeMap::new(),
            looking: BTreeSet::new(),
            lookups: JoinSet::new(),
        }
    }

    /// The addresses of all of `names`, each `HOST:PORT`, after at most two seconds. May be dropped while it waits.
    pub(super) async fn resolve(&mut self, names: &[String]) -> BTreeSet<SocketAddr> {
        self.known.retain(|name, _| names.contains(name));
        for name in names {
            if let Ok(address) = name.parse() {
                self.known.insert(name.clone(), BTreeSet::from([address]));
            } else if self.looking.insert(name.clone()) {
                let (name, found) = (name.clone(), (self.look_up)(name.clone()));
                self.lookups.spawn(async move { (name, found.await) });
            }
        }
        let all = async {
            while names.iter().any(|name| self.looking.contains(name))
                && let Some(ended) = self.lookups.join_next().await
            {
                let Ok((name, found)) = ended else { continue };
                self.looking.remove(&name);
                if !names.contains(&name) {
                    continue;
                }
                match found {
                    Ok(found) if found.is_empty() => tracing::warn!(name, "it has no address"),
                    Ok(found) => {
                        self.known.insert(name, found.into_iter().collect());
                    }
                    Err(error) if self.known.contains_key(&name) => {
                        tracing::warn!(name, %error, "a name is not resolved; its last addresses stay");
                    }
                    Err(error) => tracing::warn!(name, %error, "its address is not known"),
                }
            }
        };
        if timeout(self.within, all).await.is_err() {
            tracing::warn!(names = ?self.looking, "lookups take long; the last addresses stay");
        }
        self.known.values().flatten().copied().collect()
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
        let mut names = Names::new(found);
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
}
