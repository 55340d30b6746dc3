//! Filters by where a client is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The continents as GeoNames and MaxMind abbreviate them.
pub(crate) const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// By cluster, where its clients are. The first of networks, asns, countries, continents that holds for the client and
/// names a usable cluster decides; where none does, the cluster nearest to the client; where nothing is known of the
/// client, all stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Geo {
    /// Names of the server's own networks.
    pub networks: BTreeMap<String, Vec<String>>,
    /// Numbers of autonomous systems.
    pub asns: BTreeMap<String, Vec<u32>>,
    /// Two letters by ISO 3166-1.
    pub countries: BTreeMap<String, Vec<String>>,
    /// AF, AN, AS, EU, NA, OC or SA.
    pub continents: BTreeMap<String, Vec<String>>,
    /// Where the cluster itself is.
    pub locations: BTreeMap<String, Location>,
}

impl Geo {
    /// The clusters that it names to choose among them.
    pub(crate) fn clusters(&self) -> Vec<&str> {
        let Self {
            networks,
            asns,
            countries,
            continents,
            locations,
        } = self;
        let keys = networks.keys().chain(asns.keys()).chain(countries.keys());
        let keys = keys.chain(continents.keys()).chain(locations.keys());
        keys.map(String::as_str).collect()
    }
}

/// Round-trip times from networks to clusters, measured and smoothed outside. Only clusters stay that are as near as the
/// nearest usable one, within a margin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latency {
    /// The most special row that holds for the client decides: the longest prefix, then network, asn, country, continent.
    pub rows: Vec<LatencyRow>,
    /// Per cent above the least time that are as good.
    #[serde(default)]
    pub within: u16,
}

/// The times of one network; exactly one of `prefix`, `network`, `asn`, `country` and `continent` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LatencyRow {
    /// A CIDR prefix.
    pub prefix: Option<String>,
    /// A name of the server's own networks.
    pub network: Option<String>,
    pub asn: Option<u32>,
    pub country: Option<String>,
    pub continent: Option<String>,
    /// Milliseconds by cluster.
    pub rtt_ms: BTreeMap<String, u32>,
}

/// A point on the globe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Location {
    /// North is positive.
    pub latitude: Degrees,
    /// East is positive.
    pub longitude: Degrees,
}

impl Location {
    /// Beyond the poles there is nothing.
    pub(crate) fn is_on_globe(&self) -> bool {
        self.latitude.degrees().abs() <= 90.0
    }
}

/// Degrees of an angle, to a millionth, from -180 to 180.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Degrees(i32);

impl Degrees {
    #[must_use]
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl TryFrom<f64> for Degrees {
    type Error = String;

    #[expect(clippy::cast_possible_truncation, reason = "180 millions fit")]
    fn try_from(degrees: f64) -> Result<Self, String> {
        if degrees.abs() <= 180.0 {
            Ok(Self((degrees * 1e6).round() as i32))
        } else {
            Err(format!("is {degrees}; -180 to 180 degrees are allowed"))
        }
    }
}

impl From<Degrees> for f64 {
    fn from(degrees: Degrees) -> f64 {
        degrees.degrees()
    }
}
