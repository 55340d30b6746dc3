//! The same generated zones on our server and on NSD, Knot and BIND, and the same queries to all: each difference is in the one
//! list of those that are meant (`differential/known.rs`), or fails. `LIFEBOAT_SEED` takes the seed that a failure prints, and
//! `LIFEBOAT_ROUNDS` repeats with the seeds after it.
#![allow(clippy::print_stderr, reason = "a test tells what it compared")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "support/daemon.rs"]
mod daemon;
mod differential {
    pub(crate) mod data;
    pub(crate) mod exchange;
    pub(crate) mod known;
    pub(crate) mod name;
    pub(crate) mod peer;
    pub(crate) mod question;
    pub(crate) mod reply;
    pub(crate) mod run;
    pub(crate) mod zone;
}

use std::env;

use differential::run::{self, Round};

/// A run asks at least so many different queries of every server.
const QUERIES: usize = 20_000;

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Without other servers: every zone that the generator makes is one that we read, and serve all of.
#[test]
fn generated_zones_are_valid() {
    for seed in 0..20 {
        let round = Round::draw(seed, 5);
        let home = tempfile::tempdir().unwrap();
        round.write(home.path());
        let server = round.serve(home.path());
        server.stop();
    }
}

#[test]
#[ignore = "needs Debian's nsd, knot and bind9: just dns-differential"]
fn the_same_answers_as_nsd_knot_and_bind() {
    let first = number("LIFEBOAT_SEED", 1);
    for seed in first..first + number("LIFEBOAT_ROUNDS", 1) {
        let asked = run::compare(seed, 60, 300);
        assert!(asked >= QUERIES, "only {asked} different queries");
    }
}
