//! What observers send: raw facts about targets, in datagrams that each stand alone.
//!
//! ```text
//! Detector ──facts──> Row ─┐
//! Detector ──facts──> Row ─┼─> Table::datagrams ──encode──> ≤ 1100 bytes each ──QUIC──> decode ──> Quorum::ingest
//! Detector ──facts──> Row ─┘
//! ```
//! A row has one size whatever it says, so a dead fleet costs as many bytes as a healthy one.

mod hard;
mod wire;

pub use hard::Hard;
#[cfg(feature = "transport")]
pub(crate) use wire::in_region;
pub use wire::{
    DecodeError, MAX_DATAGRAM_BYTES, MAX_NAME_BYTES, ROW_BYTES, decode, encode_table, table_bytes,
};

use crate::profile::Probing;
use crate::target::TargetId;
use crate::time::MonoTime;

/// One observer's facts about one target. No threshold has been applied to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub target: TargetId,
    /// Misses in a row, up to now; saturates.
    pub miss_streak: u16,
    /// How long the streak of misses was when an answer last came all the same: after its timeout, or an error of the
    /// server. The misses since then are silence ([`Row::silence`]).
    pub heard_at: u16,
    /// Successes in a row, up to now; saturates.
    pub success_streak: u16,
    /// Good ones among the last 100 probes.
    pub good_of_100: u8,
    /// Among the last 100 probes, those answered after their timeout.
    pub late_of_100: u8,
    /// Among the last 100 probes, those answered with an error of the server (5xx) on a traffic path.
    pub errors_of_100: u8,
    /// Such errors in a row, up to now; saturates.
    pub error_streak: u8,
    pub hard: Hard,
    /// Smoothed round-trip time of warm probes in microseconds: of those answered in time, or of all while the last answer came
    /// late; 0 before the first.
    pub rtt_us: u32,
    /// The least smoothed round-trip time in time of the last half hour to an hour in microseconds; 0 before the first.
    pub usual_rtt_us: u32,
    /// Requests of users that were reported to the observer for the profile's `grayWindowMs`; saturates.
    pub user_requests: u16,
    /// Of those, answered 5xx, in thousandths.
    pub user_errors_permille: u16,
    /// Milliseconds from the last probe's outcome to the sending of the row; saturates.
    pub age_ms: u32,
}

impl Default for Row {
    fn default() -> Row {
        Row {
            target: TargetId(0),
            miss_streak: 0,
            heard_at: 0,
            success_streak: 0,
            good_of_100: 0,
            late_of_100: 0,
            errors_of_100: 0,
            error_streak: 0,
            hard: Hard::NONE,
            rtt_us: 0,
            usual_rtt_us: 0,
            user_requests: 0,
            user_errors_permille: 0,
            age_ms: 0,
        }
    }
}

impl Row {
    /// Misses in a row since anything was answered, late and wrong answers included: only these speak of a death.
    pub fn silence(&self) -> u16 {
        self.miss_streak.saturating_sub(self.heard_at)
    }
}

/// Who sends, and how the sender is: the part that every datagram of a table repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The observer's name; must be the one in its certificate.
    pub observer: String,
    pub region: String,
    /// Rises with every start of the observer.
    pub boot: u64,
    /// Rises with every datagram of a boot.
    pub seq: u64,
    /// On the observer's own monotonic clock.
    pub sent_at: MonoTime,
    /// The observer's self-check failed: its rows do not count.
    pub abstain: bool,
    /// How the targets of the rows are probed; those that are probed otherwise are in another datagram. `None`: an observer of before
    /// version 3 does not say.
    pub probing: Option<Probing>,
}

/// One self-contained message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Datagram {
    pub header: Header,
    pub rows: Vec<Row>,
}
