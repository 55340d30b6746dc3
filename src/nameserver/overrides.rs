//! What operators have ordered, over restarts: kept in the state folder, and each order written to an audit log.
//!
//! The safety rule is the server's: an order that it refuses is not kept.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use lifeboat_dns::{Action, Override, OverrideRefused, Server};
use serde::{Deserialize, Serialize};

use super::last::replace;

const FILE: &str = "overrides.json";
const AUDIT: &str = "audit.log";
/// The longest an order may stand; whoever wants it longer changes the configuration.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    /// A cluster, a steered name, or `NAME/CLUSTER`.
    pub(crate) of: String,
    pub(crate) action: Action,
    pub(crate) for_ms: u64,
    pub(crate) reason: String,
}

/// One line of the audit log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    at: String,
    /// The user that asked, by number.
    uid: Option<u32>,
    did: &'a str,
    of: &'a str,
    action: Option<String>,
    until: Option<String>,
    reason: &'a str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// Why an order is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("--reason is empty: whoever looks next wants to know why")]
    NoReason,
    #[error("--for is {}: allowed is 1s to {}", told(*.0), told(LONGEST))]
    Time(Duration),
    #[error(transparent)]
    Refused(#[from] OverrideRefused),
    #[error("no override of {of:?} stands; standing: {standing}")]
    NoSuch { of: String, standing: String },
    #[error("keeping it in {path}: {source}", path = path.display())]
    Keep { path: PathBuf, source: io::Error },
}

/// The orders of one server.
pub(super) struct Overrides {
    state: PathBuf,
}

impl Overrides {
    pub(super) fn new(state: PathBuf) -> Self {
        Self { state }
    }

    /// Brings what was ordered before a restart into force again. An order that cannot be any more is dropped, and told.
    pub(super) fn restore(&self, server: &Server, now: SystemTime) {
        let path = self.state.join(FILE);
        let kept: Vec<Override> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::error!(path = %path.display(), %error, "the overrides cannot be read; none is in force");
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the overrides cannot be read; none is in force");
                Vec::new()
            }
        };
        let mut standing = Vec::new();
        for order in kept.into_iter().filter(|order| order.until > now) {
            let mut with = standing.clone();
            with.push(order.clone());
            match server.set_overrides(with.clone()) {
                Ok(()) => standing = with,
                Err(refused) => {
                    tracing::error!(%refused, "an override from before the restart is dropped");
                    self.audit(now, None, "drop", &order, Some(refused.to_string()));
                }
            }
        }
    }

    /// Puts an order in force, in place of an earlier one about the same.
    pub(super) fn order(
        &self,
        server: &Server,
        now: SystemTime,
        uid: Option<u32>,
        order: Order,
    ) -> Result<Override, OrderError> {
        let Order {
            of,
            action,
            for_ms,
            reason,
        } = order;
        let lasting = Duration::from_millis(for_ms);
        let what = Override {
            of,
            action,
            until: now + lasting.min(LONGEST),
            reason,
        };
        let taken = if what.reason.trim().is_empty() {
            Err(OrderError::NoReason)
        } else if lasting < Duration::from_secs(1) || lasting > LONGEST {
            Err(OrderError::Time(lasting))
        } else {
            let before = server.overrides();
            let others = before.iter().filter(|other| !same(&other.of, &what.of));
            let next = others.cloned().chain([what.clone()]).collect();
            self.replace(server, before, next)
        };
        let refused = taken.as_ref().err().map(ToString::to_string);
        self.audit(now, uid, "order", &what, refused);
        taken.map(|()| what)
    }

    /// Ends an order before its time; all orders where none is named.
    pub(super) fn clear(
        &self,
        server: &Server,
        now: SystemTime,
        uid: Option<u32>,
        of: Option<&str>,
    ) -> Result<Vec<Override>, OrderError> {
        let before = server.overrides();
        let ends = |order: &Override| of.is_none_or(|of| same(&order.of, of));
        let (cleared, left): (Vec<_>, Vec<_>) = before.iter().cloned().partition(ends);
        if let (Some(of), true) = (of, cleared.is_empty()) {
            let standing: Vec<&str> = before.iter().map(|order| order.of.as_str()).collect();
            return Err(OrderError::NoSuch {
                of: of.to_owned(),
                standing: if standing.is_empty() {
                    "none".to_owned()
                } else {
                    standing.join(", ")
                },
            });
        }
        self.replace(server, before, left)?;
        for order in &cleared {
            self.audit(now, uid, "clear", order, None);
        }
        Ok(cleared)
    }

    /// In force and on disk, or neither.
    fn replace(&self, server: &Server, before: Vec<Override>, next: Vec<Override>) -> Result<(), OrderError> {
        server.set_overrides(next.clone())?;
        self.keep(&next).map_err(|source| {
            if let Err(error) = server.set_overrides(before) {
                tracing::error!(%error, "the earlier overrides are not in force any more");
            }
            OrderError::Keep {
                path: self.state.clone(),
                source,
            }
        })
    }

    fn keep(&self, orders: &[Override]) -> io::Result<()> {
        replace(&self.state, FILE, &serde_json::to_vec_pretty(orders)?)
    }

    /// An order is obeyed whether or not it can be written down; that it cannot is told.
    fn audit(&self, now: SystemTime, uid: Option<u32>, did: &str, order: &Override, refused: Option<String>) {
        let entry = Entry {
            at: time(now),
            uid,
            did,
            of: &order.of,
            action: Some(order.action.to_string()),
            until: Some(time(order.until)),
            reason: &order.reason,
            refused,
        };
        let path = self.state.join(AUDIT);
        let written = serde_json::to_string(&entry)
            .map_err(io::Error::from)
            .and_then(|line| {
                let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
                writeln!(file, "{line}")
            });
        if let Err(error) = written {
            tracing::error!(path = %path.display(), %error, "an override is not in the audit log");
        }
    }
}

/// Names are the same with or without the last dot, in upper and lower case.
fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('.')
        .eq_ignore_ascii_case(b.trim_end_matches('.'))
}

#[expect(clippy::disallowed_methods, reason = "orders end at a time of day")]
pub(super) fn today() -> SystemTime {
    SystemTime::now()
}

/// As people and other programs read it, UTC.
fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), crate::store::conditions::stamp)
}

fn told(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..86_400 => format!("{seconds}s"),
        _ => format!("{} days", seconds / 86_400),
    }
}
