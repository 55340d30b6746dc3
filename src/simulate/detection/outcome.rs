//! What a run came to.

use lifeboat_health::LossEstimate;
use lifeboat_health::invariants::Broken;
use serde::Serialize;

/// An invariant that did not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub invariant: &'static str,
    pub detail: String,
    pub at_us: u64,
    /// The consumer, where it is one's.
    pub consumer: Option<usize>,
}

impl Finding {
    pub(super) fn new(broken: Broken, at_us: u64, consumer: Option<usize>) -> Finding {
        Finding {
            invariant: broken.invariant,
            detail: broken.detail,
            at_us,
            consumer,
        }
    }
}

/// What each set of runs must have met at least once, or it has not tried enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sometimes {
    /// No survivor was positively healthy: the last good set was served.
    pub panic: u64,
    /// So many clusters Down that nothing would be evicted.
    pub freeze: u64,
    pub flap_suppression: u64,
    pub abstention: u64,
    /// Clusters that went Down in one decision.
    pub group_cut: u64,
    /// Some observer regions were cut off from what others reached.
    pub partial_outage: u64,
    /// Too few fresh observers to decide anything.
    pub frozen: u64,
    /// A weight was lowered for gray failure.
    pub gray: u64,
}

impl Sometimes {
    pub(super) fn add(&mut self, other: &Sometimes) {
        let Sometimes {
            panic,
            freeze,
            flap_suppression,
            abstention,
            group_cut,
            partial_outage,
            frozen,
            gray,
        } = other;
        self.panic += panic;
        self.freeze += freeze;
        self.flap_suppression += flap_suppression;
        self.abstention += abstention;
        self.group_cut += group_cut;
        self.partial_outage += partial_outage;
        self.frozen += frozen;
        self.gray += gray;
    }

    /// Name and count of each.
    pub fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("PANIC", self.panic),
            ("FREEZE", self.freeze),
            ("flap suppression", self.flap_suppression),
            ("abstention", self.abstention),
            ("group cut", self.group_cut),
            ("partial outage", self.partial_outage),
            ("frozen", self.frozen),
            ("gray failure", self.gray),
        ]
    }
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub hash: u64,
    /// Events of the simulation.
    pub events: u64,
    /// Of those, probe outcomes that a detector took in.
    pub probes: u64,
    pub ended_us: u64,
    pub finding: Option<Finding>,
    pub sometimes: Sometimes,
    /// How long each power-off of the liveness phase took to be Down, at each consumer, in microseconds.
    pub detections_us: Vec<u64>,
    /// Transitions of the first consumer, by text; kept only where asked for.
    pub story: Vec<String>,
    pub lines: Vec<String>,
    /// Transitions to Down at the first consumer.
    pub(super) downs: u64,
    /// What the first consumer estimates of losses at the end, by target.
    pub(super) losses: Vec<LossEstimate>,
}
