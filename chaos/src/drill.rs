//! Drills: declared faults, injected on schedule, and measured only from outside.
//!
//! ```text
//! Prober ───── DNS servers over UDP, every name every 10 ms ──┐
//! Users ────── resolve, then HTTP to the address they got ────┤
//! Watches ──── members' APIs, control plane's API, console ───┼─► EventLog ──report()──► DrillReport
//! Faults ───── what was injected and cleared, and when ───────┘
//! ```
//!
//! [`report()`] is a pure function of the log, so that a report can be checked from a log written by hand. The
//! prober and the users also run without a drill, for the live figures of a console: [`LiveStats`].

mod bindings;
mod client;
mod config;

mod judge;
mod live;
mod log;
mod prober;
mod recorder;
mod report;
mod run;
mod users;
mod verdicts;
mod workloads;

pub use self::{
    config::{DrillConfig, Limits, MemberEndpoint, WorkloadRef},
    live::{DnsRates, LiveSnapshot, LiveStats, UserRates},
    log::{
        BindingSample, ClusterMask, DnsOutcome, DnsSample, EventLog, Injection, UserRequest, VerdictChange,
        WorkloadSample,
    },
    prober::{Prober, ProberConfig, ProberError},
    recorder::Recorder,
    report::{DnsFigures, DrillReport, Outcome, ReportEvent, Timings, UserFigures, WorkloadFigures, report},
    run::{Drill, DrillError, Progress},
    users::{Users, UsersConfig, UsersError},
};
