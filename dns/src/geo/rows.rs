//! The operator's own rows: what a network is called, and where it is. As data, or as CSV with a header line that names the
//! columns: `prefix,name,asn,country,continent,latitude,longitude`, of which all but `prefix` may be missing or empty.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::name_hash;
use super::place::{self, Place};
use crate::input::{CONTINENTS, Degrees, Location};

/// One row. What it does not state is taken from the databases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkInput {
    /// A CIDR prefix, such as 198.51.100.0/24; an address alone is a prefix of its whole length.
    pub prefix: String,
    /// What filters call the network by.
    pub name: Option<String>,
    /// Number of its autonomous system.
    pub asn: Option<u32>,
    /// Two letters by ISO 3166-1.
    pub country: Option<String>,
    /// AF, AN, AS, EU, NA, OC or SA.
    pub continent: Option<String>,
    pub location: Option<Location>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    #[error("prefix: {0:?} is not a CIDR prefix such as 198.51.100.0/24")]
    Prefix(String),
    #[error("country: is {0:?}; two capital letters by ISO 3166-1, such as DE, are allowed")]
    Country(String),
    #[error("continent: is {0:?}; {list} are allowed", list = CONTINENTS.join(", "))]
    Continent(String),
    #[error("{0}: is not a number of degrees that is allowed")]
    Degrees(&'static str),
    #[error("asn: {0:?} is not the number of an autonomous system")]
    Asn(String),
    #[error("says nothing of the network: a name, asn, country, continent or location is needed")]
    Nothing,
    #[error(
        "the first line must name the columns prefix, name, asn, country, continent, latitude, longitude; it has {0:?}"
    )]
    Header(String),
    #[error("line {line}: {columns} columns; the first line names {expected}")]
    Columns {
        line: usize,
        columns: usize,
        expected: usize,
    },
    #[error("line {line}: {source}")]
    Line { line: usize, source: Box<RowError> },
}

/// A checked row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) prefix: IpNet,
    pub(super) name: Option<u64>,
    pub(super) asn: Option<u32>,
    pub(super) place: Option<Place>,
}

pub(super) fn check(input: &NetworkInput) -> Result<Row, RowError> {
    let text = &input.prefix;
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let prefix = text.parse::<IpNet>().or(address);
    let prefix = prefix.map_err(|_| RowError::Prefix(text.clone()))?;
    let country = match &input.country {
        None => 0,
        Some(text) => place::code(text).ok_or_else(|| RowError::Country(text.clone()))?,
    };
    let continent = match &input.continent {
        None => 0,
        Some(text) if CONTINENTS.contains(&text.as_str()) => place::code(text).unwrap_or(0),
        Some(text) => return Err(RowError::Continent(text.clone())),
    };
    if input.location.is_some_and(|location| !location.is_on_globe()) {
        return Err(RowError::Degrees("latitude"));
    }
    let place = Place {
        country,
        continent,
        location: input.location,
    };
    let row = Row {
        prefix,
        name: input.name.as_deref().map(name_hash),
        asn: input.asn,
        place: (place != Place::default()).then_some(place),
    };
    if row.name.is_none() && row.asn.is_none() && row.place.is_none() {
        return Err(RowError::Nothing);
    }
    Ok(row)
}

/// Reads CSV; empty lines and those that begin with `#` are passed over.
pub(super) fn parse(text: &str) -> Result<Vec<Row>, RowError> {
    const COLUMNS: [&str; 7] = [
        "prefix",
        "name",
        "asn",
        "country",
        "continent",
        "latitude",
        "longitude",
    ];
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (_, header) = lines.next().unwrap_or_default();
    let columns: Vec<&str> = header.split(',').map(str::trim).collect();
    if !columns.contains(&"prefix") || columns.iter().any(|column| !COLUMNS.contains(column)) {
        return Err(RowError::Header(header.to_owned()));
    }
    lines
        .map(|(line, text)| {
            let fields: Vec<&str> = text.split(',').map(str::trim).collect();
            if fields.len() != columns.len() {
                return Err(RowError::Columns {
                    line,
                    columns: fields.len(),
                    expected: columns.len(),
                });
            }
            row(&columns, &fields).map_err(|source| RowError::Line {
                line,
                source: Box::new(source),
            })
        })
        .collect()
}

fn row(columns: &[&str], fields: &[&str]) -> Result<Row, RowError> {
    let field = |name: &str| {
        let mut named = columns.iter().zip(fields).filter(|(column, _)| **column == name);
        named
            .next()
            .map(|(_, field)| *field)
            .filter(|field| !field.is_empty())
    };
    let degrees = |name: &'static str| {
        field(name)
            .map(|text| {
                let degrees = text
                    .parse::<f64>()
                    .ok()
                    .and_then(|degrees| Degrees::try_from(degrees).ok());
                degrees.ok_or(RowError::Degrees(name))
            })
            .transpose()
    };
    let location = match (degrees("latitude")?, degrees("longitude")?) {
        (None, None) => None,
        (Some(latitude), Some(longitude)) => Some(Location { latitude, longitude }),
        (None, Some(_)) => return Err(RowError::Degrees("latitude")),
        (Some(_), None) => return Err(RowError::Degrees("longitude")),
    };
    let asn = field("asn").map(|text| {
        let number = text.strip_prefix("AS").unwrap_or(text);
        number.parse().map_err(|_| RowError::Asn(text.to_owned()))
    });
    check(&NetworkInput {
        prefix: field("prefix").unwrap_or_default().to_owned(),
        name: field("name").map(str::to_owned),
        asn: asn.transpose()?,
        country: field("country").map(str::to_owned),
        continent: field("continent").map(str::to_owned),
        location,
    })
}
