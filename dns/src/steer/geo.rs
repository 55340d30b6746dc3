//! The clusters that a client's whereabouts speak for: those listed for its network, autonomous system, country or continent,
//! else the one nearest to it. Where nobody of these is usable, or nothing is known of the client, all stay.

use std::collections::BTreeMap;

use super::region::{Located, Region, Regions, parsed};
use super::{Wrong, compile::Names};
use crate::geo::Point;
use crate::input;

/// One bit a candidate.
type Members = u64;

#[derive(Debug)]
pub(crate) struct Geo {
    members: Regions<Members>,
    /// By candidate, where its cluster is; empty where distance does not count.
    points: Box<[Option<Point>]>,
}

/// Why the filter left whom it left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    Region(Region),
    Nearest { kilometres: f64 },
    Nothing,
}

/// Every region of a filter with the clusters that list it.
fn regions(input: &input::Geo) -> Result<Vec<(Region, &str)>, Wrong> {
    let mut regions = Vec::new();
    for (cluster, names) in &input.networks {
        let found = parsed(&format!("networks.{cluster}"), names, |name| {
            Ok(Region::network(name))
        })?;
        regions.extend(found.into_iter().map(|region| (region, cluster.as_str())));
    }
    for (cluster, numbers) in &input.asns {
        regions.extend(numbers.iter().map(|asn| (Region::Asn(*asn), cluster.as_str())));
    }
    for (cluster, codes) in &input.countries {
        let found = parsed(&format!("countries.{cluster}"), codes, Region::country)?;
        regions.extend(found.into_iter().map(|region| (region, cluster.as_str())));
    }
    for (cluster, codes) in &input.continents {
        let found = parsed(&format!("continents.{cluster}"), codes, Region::continent)?;
        regions.extend(found.into_iter().map(|region| (region, cluster.as_str())));
    }
    Ok(regions)
}

pub(super) fn check(input: &input::Geo) -> Result<(), Wrong> {
    let regions = regions(input)?;
    for (cluster, location) in &input.locations {
        if !location.is_on_globe() {
            let reason = format!(
                "is {}; -90 to 90 degrees are allowed",
                location.latitude.degrees()
            );
            return Err(Wrong::new(format!("locations.{cluster}.latitude"), reason));
        }
    }
    if regions.is_empty() && input.locations.is_empty() {
        return Err(Wrong::new(
            "",
            "is empty; at least one of networks, asns, countries, continents and locations is needed",
        ));
    }
    Ok(())
}

impl Geo {
    pub(super) fn compile(input: &input::Geo, clusters: Names<'_>) -> Self {
        let mut members: BTreeMap<Region, Members> = BTreeMap::new();
        for (region, cluster) in regions(input).unwrap_or_default() {
            if let Some(index) = clusters.iter().position(|name| *name == cluster) {
                *members.entry(region).or_default() |= 1 << index;
            }
        }
        let points = clusters
            .iter()
            .map(|cluster| input.locations.get(*cluster).map(|location| Point::of(*location)));
        Self {
            members: Regions::new(members.into_iter().collect()),
            points: if input.locations.is_empty() {
                Box::default()
            } else {
                points.collect()
            },
        }
    }

    pub(super) fn apply(&self, located: &mut Located<'_>, weights: &mut [u64]) -> Why {
        let usable = weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0)
            .fold(0, |members, (index, _)| members | 1 << index);
        let found = self.members.find(located, |members| {
            let left = members & usable;
            (left != 0).then_some(left)
        });
        if let Some((region, left)) = found {
            keep(weights, left);
            return Why::Region(region);
        }
        self.nearest(located, weights)
    }

    fn nearest(&self, located: &mut Located<'_>, weights: &mut [u64]) -> Why {
        if self.points.is_empty() {
            return Why::Nothing;
        }
        let Some(location) = located.place().and_then(|place| place.location) else {
            return Why::Nothing;
        };
        let here = Point::of(location);
        let mut best = (f32::INFINITY, 0);
        for (index, (point, weight)) in self.points.iter().zip(weights.iter()).enumerate() {
            let Some(point) = point.filter(|_| *weight > 0) else {
                continue;
            };
            let far = here.chord2(point);
            if far < best.0 {
                best = (far, 1 << index);
            } else if far <= best.0 {
                // Clusters at one place share its clients.
                best.1 |= 1 << index;
            }
        }
        if best.1 == 0 {
            return Why::Nothing;
        }
        keep(weights, best.1);
        Why::Nearest {
            kilometres: Point::kilometres(best.0),
        }
    }
}

fn keep(weights: &mut [u64], members: Members) {
    for (index, weight) in weights.iter_mut().enumerate() {
        if members >> index & 1 == 0 {
            *weight = 0;
        }
    }
}

impl Why {
    /// What the filter did, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Region(region) => format!("the client is in {region}: the clusters listed for it"),
            Self::Nearest { kilometres } => {
                format!("the cluster nearest to the client, {kilometres:.0} km away")
            }
            Self::Nothing => {
                "nothing that is known of the client speaks for a usable cluster: all stay".to_owned()
            }
        }
    }
}
