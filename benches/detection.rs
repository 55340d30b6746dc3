//! What detection takes: time from a death to every consumer's verdict, processor and memory of observers and consumers.
//!
//! Real `lifeboat observer` processes and DNS servers over loopback, in the default profile `fast`:
//!
//!     cargo bench --bench detection                       # all
//!     cargo bench --bench detection -- silent-death       # by name
//!
//! Exits with 1 where a figure is missed. `docs/detection-figures.md` has what was measured.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement prints what it found and stops at what it cannot use"
)]

#[path = "detection/bad_ways.rs"]
mod bad_ways;
#[path = "detection/consumer_load.rs"]
mod consumer_load;
#[path = "detection/deaths.rs"]
mod deaths;
#[path = "detection/figure.rs"]
mod figure;
#[path = "detection/fleet.rs"]
mod fleet;
#[path = "detection/listener.rs"]
mod listener;
#[path = "detection/metrics.rs"]
mod metrics;
#[path = "detection/observer_load.rs"]
mod observer_load;
#[path = "../tests/observers/relay.rs"]
mod relay;
#[path = "detection/site.rs"]
mod site;
#[path = "detection/usage.rs"]
mod usage;

use std::process::ExitCode;

use figure::Figure;

type Measurement = (&'static str, fn() -> Vec<Figure>);

const ALL: [Measurement; 6] = [
    ("silent-death", deaths::silent),
    ("refused-death", deaths::refused),
    ("observer-load", observer_load::measure),
    ("consumer-load", consumer_load::measure),
    ("blackout", bad_ways::blackout),
    ("loss", bad_ways::loss),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo hands every benchmark this; a test run only wants to see it build.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let asked: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|a| ALL.iter().all(|(name, _)| name != **a)) {
        println!("{unknown}: allowed are {}", ALL.map(|(name, _)| name).join(", "));
        return ExitCode::FAILURE;
    }
    lifeboat_health::probe::raise_descriptor_limit();
    let mut met = true;
    for (name, measure) in ALL {
        if asked.is_empty() || asked.iter().any(|a| *a == name) {
            println!("\n### {name}\n");
            let figures = measure();
            figure::print(&figures);
            met &= figures.iter().all(Figure::met);
        }
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
