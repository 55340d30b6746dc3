//! What a filter calls a client's network, and whether it is called so: the operator's name for it, its autonomous system, its
//! country, its continent; the most special first.

use std::fmt;

use super::Wrong;
use super::client::Client;
use crate::geo::{self, GeoTable, Place};
use crate::input::CONTINENTS;

/// One way to tell a network, with what it is told by. The order is that of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Region {
    Network(u64),
    Asn(u32),
    Country(u16),
    Continent(u16),
}

impl Region {
    pub(super) fn network(name: &str) -> Self {
        Self::Network(geo::name_hash(name))
    }

    pub(super) fn country(text: &str) -> Result<Self, String> {
        geo::code(text)
            .map(Self::Country)
            .ok_or_else(|| format!("is {text:?}; two capital letters by ISO 3166-1, such as DE, are allowed"))
    }

    pub(super) fn continent(text: &str) -> Result<Self, String> {
        geo::code(text)
            .filter(|_| CONTINENTS.contains(&text))
            .map(Self::Continent)
            .ok_or_else(|| format!("is {text:?}; {} are allowed", CONTINENTS.join(", ")))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(_) => f.write_str("one of the server's own networks"),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Country(code) => write!(f, "country {}", geo::code_text(*code)),
            Self::Continent(code) => write!(f, "continent {}", geo::code_text(*code)),
        }
    }
}

/// Collects the first error of a list of regions.
pub(super) fn parsed<T: AsRef<str>>(
    field: &str,
    texts: &[T],
    parse: impl Fn(&str) -> Result<Region, String>,
) -> Result<Vec<Region>, Wrong> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            parse(text.as_ref()).map_err(|reason| Wrong::new(format!("{field}[{index}]"), reason))
        })
        .collect()
}

/// Regions with a value each.
#[derive(Debug)]
pub(super) struct Regions<T> {
    sorted: Box<[(Region, T)]>,
    has: [bool; 4],
}

impl<T: Copy> Regions<T> {
    /// Of one value a region.
    pub(super) fn new(regions: Vec<(Region, T)>) -> Self {
        let mut has = [false; 4];
        for (region, _) in &regions {
            let kind = match region {
                Region::Network(_) => 0,
                Region::Asn(_) => 1,
                Region::Country(_) => 2,
                Region::Continent(_) => 3,
            };
            has[kind] = true;
        }
        let mut sorted = regions.into_boxed_slice();
        sorted.sort_by_key(|(region, _)| *region);
        Self { sorted, has }
    }

    /// The value of the most special region of the client that `accept` takes.
    pub(super) fn find<R>(
        &self,
        located: &mut Located<'_>,
        mut accept: impl FnMut(T) -> Option<R>,
    ) -> Option<(Region, R)> {
        let [network, asn, country, continent] = self.has;
        let mut try_one = |region: Option<Region>| {
            let region = region?;
            let at = self
                .sorted
                .binary_search_by_key(&region, |(region, _)| *region)
                .ok()?;
            let (_, value) = self.sorted.get(at)?;
            Some((region, accept(*value)?))
        };
        if network && let Some(found) = try_one(located.network().map(Region::Network)) {
            return Some(found);
        }
        if asn && let Some(found) = try_one(located.asn().map(Region::Asn)) {
            return Some(found);
        }
        if !(country || continent) {
            return None;
        }
        let place = located.place()?;
        try_one(Some(Region::Country(place.country)))
            .or_else(|| try_one(Some(Region::Continent(place.continent))))
    }
}

/// Where a client is, looked up as far as someone asks, and how many bits of its address have told it.
pub(super) struct Located<'a> {
    client: &'a Client,
    geo: &'a GeoTable,
    pub(super) scope: u8,
}

impl<'a> Located<'a> {
    pub(super) fn new(client: &'a Client, geo: &'a GeoTable) -> Self {
        Self {
            client,
            geo,
            scope: 0,
        }
    }

    pub(super) fn network(&mut self) -> Option<u64> {
        let (found, len) = self.geo.network(self.client);
        self.scope = self.scope.max(len);
        found
    }

    pub(super) fn asn(&mut self) -> Option<u32> {
        let (found, len) = self.geo.asn(self.client);
        self.scope = self.scope.max(len);
        found
    }

    pub(super) fn place(&mut self) -> Option<&'a Place> {
        let (found, len) = self.geo.place(self.client);
        self.scope = self.scope.max(len);
        found
    }
}
