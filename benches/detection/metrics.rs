//! Reads a process's metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn of(admin: SocketAddr) -> Metrics {
        let mut stream = TcpStream::connect(admin).expect("its admin listener");
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("metrics");
        Metrics(text)
    }

    /// The value of the metric of this name that has this label.
    pub(crate) fn value(&self, name: &str, label: &str) -> f64 {
        let line = self
            .0
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')))
            .find(|line| line.contains(label));
        let value = line
            .and_then(|line| line.rsplit(' ').next())
            .and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} with {label}:\n{}", self.0))
    }

    /// A histogram's cumulative buckets: the bound and how many are not above it.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let prefix = format!("{name}_bucket{{");
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines
            .map(|line| {
                let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
                let bound = bound.expect("a bound").parse().expect("a number");
                let count = line.rsplit(' ').next().expect("a count");
                (bound, count.parse().expect("a number"))
            })
            .collect()
    }
}

/// The quantile of what a histogram saw between two readings, interpolated within its bucket.
pub(crate) fn quantile(before: &Metrics, after: &Metrics, histogram: &str, share: f64) -> f64 {
    let seen: Vec<(f64, f64)> = before
        .buckets(histogram)
        .into_iter()
        .zip(after.buckets(histogram))
        .map(|((_, before), (bound, after))| (bound, after - before))
        .collect();
    let all = seen.last().map_or(0.0, |(_, all)| *all);
    assert!(all > 0.0, "{histogram} saw nothing");
    let mut below = (0.0, 0.0);
    for (bound, count) in seen {
        if count >= all * share {
            let part = (all * share - below.1) / (count - below.1);
            return below.0 + (bound - below.0) * part;
        }
        below = (bound, count);
    }
    f64::INFINITY
}
