//! Failure detection: probes, evidence, votes, quorum, verdicts.
//!
//! ```text
//! observer:  probe ──Outcome──> Detector ──Row──> evidence ──QUIC datagram──┐   each 100 ms, from each observer
//! consumer:  VerdictSink <──Transition, FleetView── Quorum <──vote── Row <──┘   in each DNS server and controller
//! ```
//! Everything but `probe`, `transport` and `clock` is pure: time and randomness are arguments.

mod check;
mod clock;
mod evidence;
mod profile;
mod target;
mod time;
mod verdict;
mod view;
mod vote;

pub use check::{Check, CheckError, Probe, Remote, StatusRange};
pub use clock::MonoClock;
pub use evidence::{
    Datagram, DecodeError, Hard, Header, MAX_DATAGRAM_BYTES, MAX_NAME_BYTES, ROW_BYTES, Row, decode,
    encode_table, table_bytes,
};
pub use profile::{Preset, Profile, ProfileError, ProfilePatch};
pub use target::{Family, Path, Target, TargetError, TargetId};
pub use time::MonoTime;
pub use verdict::{Transition, Verdict, Witness};
pub use view::{Cell, CellKey, FleetView, ObserverView, VerdictSink, Votes};
pub use vote::{Vote, standing, vote};
