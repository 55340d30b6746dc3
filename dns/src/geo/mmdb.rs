//! Reads a MaxMind DB file (<https://maxmind.github.io/MaxMind-DB/>) once, into tables of our own: a lookup in the file
//! itself walks up to 128 nodes and decodes a record.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use thiserror::Error;

use super::TableBuilder;
use super::place::{self, Place};
use crate::input::{Degrees, Location};

/// Why a database could not be read.
#[derive(Debug, Error)]
pub enum MmdbError {
    #[error("is not a MaxMind DB that can be read: {0}")]
    Format(#[from] MaxMindDbError),
    #[error("has no country, continent, location or autonomous system of any network")]
    Nothing,
}

/// What we take of a record; databases of cities, countries and autonomous systems all fit.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    country: Option<Named<'a>>,
    #[serde(borrow)]
    registered_country: Option<Named<'a>>,
    #[serde(borrow)]
    continent: Option<Continent<'a>>,
    location: Option<Coordinates>,
    autonomous_system_number: Option<u32>,
}

#[derive(Deserialize)]
struct Named<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Continent<'a> {
    code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Coordinates {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// What one record comes to.
#[derive(Clone, Copy)]
struct Known {
    place: Option<u32>,
    asn: Option<u32>,
}

pub(super) fn read(octets: Vec<u8>, into: &mut TableBuilder) -> Result<(), MmdbError> {
    let reader = Reader::from_source(octets)?;
    // Many networks share a record.
    let mut known: BTreeMap<usize, Known> = BTreeMap::new();
    let mut any = false;
    for found in reader.networks(WithinOptions::default())? {
        let found = found?;
        let network = found.network()?;
        let of = match found.offset().and_then(|offset| known.get(&offset)) {
            Some(of) => *of,
            None => {
                let of = found.decode::<Record<'_>>()?.map_or(
                    Known {
                        place: None,
                        asn: None,
                    },
                    |record| Known {
                        place: place_of(&record).map(|place| into.places.index(place)),
                        asn: record.autonomous_system_number,
                    },
                );
                if let Some(offset) = found.offset() {
                    known.insert(offset, of);
                }
                of
            }
        };
        let address: IpAddr = network.ip();
        let Ok(prefix) = IpNet::new(address, network.prefix()) else {
            continue;
        };
        if let Some(place) = of.place {
            into.placed.add(prefix, place);
        }
        if let Some(asn) = of.asn {
            into.asns.add(prefix, asn);
        }
        any |= of.place.is_some() || of.asn.is_some();
    }
    if any { Ok(()) } else { Err(MmdbError::Nothing) }
}

/// A network whose country is not known is in the one that it is registered in.
fn place_of(record: &Record<'_>) -> Option<Place> {
    let country = [&record.country, &record.registered_country]
        .into_iter()
        .flatten()
        .find_map(|country| country.iso_code.and_then(place::code));
    let continent = record.continent.as_ref().and_then(|continent| continent.code);
    let location = record.location.as_ref().and_then(|location| {
        Some(Location {
            latitude: Degrees::try_from(location.latitude?).ok()?,
            longitude: Degrees::try_from(location.longitude?).ok()?,
        })
    });
    let location = location.filter(Location::is_on_globe);
    let place = Place {
        country: country.unwrap_or(0),
        continent: continent.and_then(place::code).unwrap_or(0),
        location,
    };
    (place != Place::default()).then_some(place)
}
