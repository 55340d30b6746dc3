//! Failure detection: probes, evidence, votes, quorum, verdicts.
//!
//! ```text
//! observer:  probe ──Outcome──> Detector ──Row──> evidence ──QUIC datagram──┐   each 100 ms, from each observer
//! consumer:  VerdictSink <──Transition, FleetView── Quorum <──vote── Row <──┘   in each DNS server and controller
//! ```
//! Everything but `probe`, `transport` and `clock` is pure: time and randomness are arguments.

mod brakes;
mod check;
mod clock;
mod detector;
mod evidence;
mod flap;
mod gray;
pub mod invariants;
mod loss;
pub mod metrics;
mod mutant;
mod passive;
#[cfg(feature = "probe")]
pub mod probe;
mod profile;
mod qos;
mod quadrant;
mod quorum;
pub mod recording;
mod recurrence;
mod region;
mod schedule;
mod selfcheck;
mod target;
mod time;
mod transit;
#[cfg(feature = "transport")]
mod transport;
mod verdict;
mod view;
mod vote;

pub use brakes::DownShare;
pub use check::{
    Check, CheckError, EXPIRY_WARNING_DAYS, HttpProbe, Probe, Rcode, RecordType, Remote, Roots, StatusRange,
    TlsOptions, TlsProbe,
};
pub use clock::MonoClock;
pub use detector::{Detector, Outcome, Phase, Rtt, Series, Timeouts, Window};
pub use evidence::{
    Datagram, DecodeError, Hard, Header, MAX_DATAGRAM_BYTES, MAX_NAME_BYTES, ROW_BYTES, Row, decode,
    encode_table, table_bytes,
};
pub use flap::Flap;
pub use gray::{Gray, GrayState, opinion};
pub use loss::LossEstimate;
pub use metrics::{ConsumerMetrics, ObserverMetrics};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use passive::{Counted, Passive, Report, ReportError};
pub use profile::{Preset, ProbesOtherwise, Probing, Profile, ProfileError, ProfilePatch, UnknownPreset};
pub use qos::{Measured, Qos};
pub use quadrant::Quadrant;
pub use quorum::{Ingested, MAX_OBSERVERS, Quorum, Rejected};
pub use recurrence::{Bursts, false_alarms_per_second, mistakes_per_second, usual_timeout};
pub use region::{Ballot, PartialOutage, Reach, RegionView, by_region};
pub use schedule::Schedule;
pub use selfcheck::{AbstainReason, Anchor, SelfCheck};
pub use target::{
    Family, MAX_TARGETS, Path, Selection, Target, TargetError, TargetId, check_overrides, check_targets,
};
pub use time::MonoTime;
pub use transit::Transit;
#[cfg(feature = "transport")]
pub use transport::{
    ALPN, Authority, AuthorityError, CONSUMER_NAME, Consumer, ConsumerConfig, ConsumerError, Identity,
    IdentityError, Issued, Listed, Observer, ObserverConfig, ObserverError, PemError, RENEWAL_WARNING_DAYS,
    Role, TlsError,
};
pub use verdict::{Transition, Verdict, Witness};
pub use view::{Cell, CellKey, FleetView, ObserverView, VerdictSink, Votes};
pub use vote::{Vote, standing, vote};

#[cfg(all(test, feature = "probe"))]
#[path = "../tests/server/mod.rs"]
mod server;
