//! The clusters that are nearest to a client by round-trip time, from a table that is measured and smoothed outside. Where no
//! row tells of a usable cluster, all stay.

use super::region::{Located, Region, Regions};
use super::{Wrong, client::Client, compile::Names};
use crate::geo::{Builder, Prefixes};
use crate::input::{self, LatencyRow};

/// More than ten times the least is no longer near.
const MAX_WITHIN_PERCENT: u16 = 1_000;

/// A time that is not known.
const UNKNOWN: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Latency {
    prefixes: Prefixes,
    regions: Regions<u32>,
    /// Milliseconds by row and candidate.
    times: Box<[u32]>,
    candidates: usize,
    within_percent: u16,
}

/// Why the filter left whom it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The longest prefix of a row that holds the client.
    Prefix {
        best_ms: u32,
    },
    Region {
        region: Region,
        best_ms: u32,
    },
    Nothing,
}

/// How a row tells its network.
enum Tells {
    Prefix(ipnet::IpNet),
    Region(Region),
}

fn tells(row: &LatencyRow) -> Result<Tells, Wrong> {
    let LatencyRow {
        prefix,
        network,
        asn,
        country,
        continent,
        rtt_ms: _,
    } = row;
    let wrong = |field: &str, reason: String| Wrong::new(field, reason);
    match (prefix, network, asn, country, continent) {
        (Some(prefix), None, None, None, None) => prefix.parse().map(Tells::Prefix).map_err(|_| {
            wrong(
                "prefix",
                format!("is {prefix:?}; a CIDR prefix such as 198.51.100.0/24 is allowed"),
            )
        }),
        (None, Some(name), None, None, None) => Ok(Tells::Region(Region::network(name))),
        (None, None, Some(asn), None, None) => Ok(Tells::Region(Region::Asn(*asn))),
        (None, None, None, Some(code), None) => Region::country(code)
            .map(Tells::Region)
            .map_err(|reason| wrong("country", reason)),
        (None, None, None, None, Some(code)) => Region::continent(code)
            .map(Tells::Region)
            .map_err(|reason| wrong("continent", reason)),
        _ => Err(wrong(
            "",
            "must have exactly one of prefix, network, asn, country and continent".to_owned(),
        )),
    }
}

pub(super) fn check(input: &input::Latency) -> Result<(), Wrong> {
    if input.rows.is_empty() {
        return Err(Wrong::new("rows", "is empty; at least one row is needed"));
    }
    let mut regions = Vec::new();
    for (index, row) in input.rows.iter().enumerate() {
        let at = |wrong: Wrong| wrong.within(&format!("rows[{index}]"));
        if let Tells::Region(region) = tells(row).map_err(at)? {
            if regions.contains(&region) {
                return Err(at(Wrong::new(
                    "",
                    format!("is the second row for {region}; one is allowed"),
                )));
            }
            regions.push(region);
        }
        if row.rtt_ms.is_empty() {
            return Err(at(Wrong::new(
                "rttMs",
                "is empty; the time to at least one cluster is needed",
            )));
        }
    }
    if input.within > MAX_WITHIN_PERCENT {
        let reason = format!(
            "is {}; 0 to {MAX_WITHIN_PERCENT} per cent are allowed",
            input.within
        );
        return Err(Wrong::new("within", reason));
    }
    Ok(())
}

impl Latency {
    pub(super) fn compile(input: &input::Latency, clusters: Names<'_>) -> Self {
        let mut prefixes = Builder::default();
        let mut regions = Vec::new();
        let mut times = Vec::new();
        for (index, row) in input.rows.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match tells(row) {
                Ok(Tells::Prefix(prefix)) => prefixes.add(prefix, index),
                Ok(Tells::Region(region)) => regions.push((region, index)),
                Err(_) => {}
            }
            let time = |cluster: &&str| row.rtt_ms.get(*cluster).copied().unwrap_or(UNKNOWN);
            times.extend(clusters.iter().map(time));
        }
        Self {
            prefixes: prefixes.finish(),
            regions: Regions::new(regions),
            times: times.into_boxed_slice(),
            candidates: clusters.len(),
            within_percent: input.within,
        }
    }

    pub(super) fn apply(&self, client: &Client, located: &mut Located<'_>, weights: &mut [u64]) -> Why {
        let (row, len) = self.prefixes.find(client);
        located.scope = located.scope.max(len);
        if let Some((row, best_ms)) = row.and_then(|row| self.best(row, weights)) {
            self.keep(row, best_ms, weights);
            return Why::Prefix { best_ms };
        }
        let found = self.regions.find(located, |row| self.best(row, weights));
        let Some((region, (row, best_ms))) = found else {
            return Why::Nothing;
        };
        self.keep(row, best_ms, weights);
        Why::Region { region, best_ms }
    }

    fn row(&self, row: u32) -> &[u32] {
        let from = row as usize * self.candidates;
        self.times.get(from..from + self.candidates).unwrap_or_default()
    }

    /// The least time to a usable candidate, if one is known.
    fn best(&self, row: u32, weights: &[u64]) -> Option<(u32, u32)> {
        let times = self.row(row).iter().zip(weights);
        let known = times.filter(|(time, weight)| **weight > 0 && **time != UNKNOWN);
        Some((row, known.map(|(time, _)| *time).min()?))
    }

    fn keep(&self, row: u32, best_ms: u32, weights: &mut [u64]) {
        let most = u64::from(best_ms) * u64::from(100 + self.within_percent) / 100;
        for (time, weight) in self.row(row).iter().zip(weights) {
            if *time == UNKNOWN || u64::from(*time) > most {
                *weight = 0;
            }
        }
    }
}

impl Why {
    /// What the filter did, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Prefix { best_ms } => {
                format!("the row of the client's prefix: the nearest usable cluster is {best_ms} ms away")
            }
            Self::Region { region, best_ms } => {
                format!("the row of {region}: the nearest usable cluster is {best_ms} ms away")
            }
            Self::Nothing => "no row tells of a usable cluster: all stay".to_owned(),
        }
    }
}
