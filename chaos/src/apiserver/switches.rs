//! Faults of an API server that is reachable but unwell; all adjustable while it runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::store::Store;

/// What goes wrong with requests to one server. A fresh one does nothing.
#[derive(Debug)]
pub struct Switches {
    store: Store,
    settings: RwLock<Settings>,
    hang: watch::Sender<bool>,
    dropped_watches: watch::Sender<u64>,
    refuse: AtomicBool,
    injected: AtomicU64,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    latency: Duration,
    /// (HTTP status, share of requests in 0..=1).
    errors: Vec<(u16, f64)>,
}

/// What is to be done to one request before it is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Injection {
    pub latency: Duration,
    pub error: Option<u16>,
}

impl Switches {
    pub(crate) fn new(store: Store) -> Switches {
        Switches {
            store,
            settings: RwLock::default(),
            hang: watch::Sender::new(false),
            dropped_watches: watch::Sender::new(0),
            refuse: AtomicBool::new(false),
            injected: AtomicU64::new(0),
        }
    }

    /// Every request waits this long first.
    pub fn set_latency(&self, latency: Duration) {
        self.settings.write().latency = latency;
    }

    /// This share (0 to 1) of requests is answered with this HTTP status (429, 500, 503, …). A share of 0
    /// takes the code out again. Shares of several codes add up.
    pub fn set_error_rate(&self, code: u16, share: f64) {
        let mut settings = self.settings.write();
        settings.errors.retain(|(existing, _)| *existing != code);
        if share > 0.0 && (400..600).contains(&code) {
            settings.errors.push((code, share.min(1.0)));
        }
    }

    /// Ends every watch now, in the middle of the stream; clients are expected to come back.
    pub fn drop_watches(&self) {
        self.dropped_watches.send_modify(|generation| *generation += 1);
    }

    /// Accepted connections are closed at once, without an answer.
    pub fn set_refuse(&self, refuse: bool) {
        self.refuse.store(refuse, Ordering::Relaxed);
    }

    /// Requests are taken and not answered until this is switched off.
    pub fn set_hang(&self, hang: bool) {
        self.hang.send_replace(hang);
    }

    /// Lists keep answering with what was there when this was switched on, as a stale cache would.
    /// Once the history no longer reaches back that far, such lists are refused with 410.
    pub fn set_stale_lists(&self, stale: bool) {
        let mut state = self.store.inner.state.write();
        state.stale_at = stale.then_some(state.rv);
    }

    /// Everything off.
    pub fn clear(&self) {
        *self.settings.write() = Settings::default();
        self.set_refuse(false);
        self.set_hang(false);
        self.set_stale_lists(false);
    }

    /// Requests answered with an injected error so far.
    #[must_use]
    pub fn injected_errors(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuse.load(Ordering::Relaxed)
    }

    /// Draws what happens to the next request; `draw` in 0..1.
    pub(crate) fn inject(&self, draw: f64) -> Injection {
        let settings = self.settings.read();
        let mut edge = 0.0;
        let error = settings.errors.iter().find(|(_, share)| {
            edge += share;
            draw < edge
        });
        let error = error.map(|(code, _)| *code);
        if error.is_some() {
            self.injected.fetch_add(1, Ordering::Relaxed);
        }
        Injection {
            latency: settings.latency,
            error,
        }
    }

    /// Waits while the server hangs.
    pub(crate) async fn pass(&self) {
        let mut hang = self.hang.subscribe();
        // The sender lives as long as `self`; an error cannot happen while we are borrowed.
        let _ = hang.wait_for(|hang| !hang).await;
    }

    pub(crate) fn watch_drops(&self) -> watch::Receiver<u64> {
        self.dropped_watches.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_can_be_taken_out() {
        let switches = Switches::new(Store::new(16));
        switches.set_error_rate(500, 0.25);
        switches.set_error_rate(429, 0.25);
        assert_eq!(switches.inject(0.1).error, Some(500));
        assert_eq!(switches.inject(0.3).error, Some(429));
        assert_eq!(switches.inject(0.6).error, None);
        switches.set_error_rate(500, 0.0);
        assert_eq!(switches.inject(0.1).error, Some(429));
        switches.clear();
        assert_eq!(switches.inject(0.0).error, None);
    }
}
