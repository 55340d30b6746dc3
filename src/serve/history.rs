//! The last minutes of what the console charts, so that a page that opens now does not begin with empty charts.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use super::state::State;

/// Samples kept: three minutes of two a second.
const KEPT: usize = 360;

/// Rates at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Sample {
    /// The server's clock, in milliseconds since 1970.
    t: i64,
    /// Requests of synthetic users a second; 0 outside the demo.
    ok: f64,
    failed: f64,
    /// Queries a second that each DNS server answered.
    dns: BTreeMap<String, f64>,
}

/// A bounded record of samples, oldest dropped first; clones share it.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<VecDeque<Sample>>>);

impl History {
    /// Enters the rates of a state.
    pub fn push(&self, state: &State) {
        let users = |field: &str| state.users.as_ref().and_then(|users| users[field].as_f64());
        let sample = Sample {
            t: state.now.as_millisecond(),
            ok: users("okPerSecond").unwrap_or(0.0),
            failed: users("failedPerSecond").unwrap_or(0.0),
            dns: state
                .dns
                .iter()
                .map(|dns| (dns.server.clone(), dns.qps))
                .collect(),
        };
        let mut samples = self.0.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// All samples, oldest first.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(&*self.0.lock()).unwrap_or_default()
    }
}
