//! Where a client's network is: its place (country, continent, coordinates), its autonomous system, and the operator's own
//! name for it.
//!
//! ```text
//! MaxMind databases ──mmdb──┐
//! the operator's rows ──────┴──> GeoTable: three tables of disjoint ranges ──lookup──> what is known, and the
//!                                (immutable, swapped with the snapshot)                bits it depends on
//! ```
//! The operator's rows win over a database, whatever the length of the prefixes.

mod mmdb;
mod place;
mod prefixes;
mod rows;

use std::path::PathBuf;
use std::{fs, io};

use thiserror::Error;

pub use mmdb::MmdbError;
pub(crate) use place::{Place, Point, code, code_text};
pub(crate) use prefixes::{Builder, Prefixes};
pub use rows::{NetworkInput, RowError};

use crate::hash;
use crate::steer::client::Client;

/// Why geo data could not be loaded. What was loaded before stays.
#[derive(Debug, Error)]
pub enum GeoError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Database { path: PathBuf, source: MmdbError },
    #[error("{}: {source}", path.display())]
    Networks { path: PathBuf, source: RowError },
    #[error("networks[{index}].{source}")]
    Row { index: usize, source: RowError },
}

/// Where the data comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeoSources {
    /// MaxMind DB files: of countries, cities or autonomous systems, in any mixture. Later ones win.
    pub databases: Vec<PathBuf>,
    /// CSV files of the operator's own networks. Later ones win.
    pub networks_files: Vec<PathBuf>,
    /// The same as data; these win over all files.
    pub networks: Vec<NetworkInput>,
}

/// All that is known of networks.
#[derive(Debug, Default)]
pub struct GeoTable {
    /// Hashes of the operator's names.
    names: Box<[u64]>,
    named: Prefixes,
    asns: Prefixes,
    places: Box<[Place]>,
    placed: Prefixes,
}

impl GeoTable {
    /// Reads all sources. Takes seconds and as much memory as the files have.
    pub fn load(sources: &GeoSources) -> Result<Self, GeoError> {
        let mut builder = TableBuilder::default();
        for path in &sources.databases {
            let path = path.clone();
            match fs::read(&path) {
                Ok(octets) => {
                    mmdb::read(octets, &mut builder).map_err(|source| GeoError::Database { path, source })?
                }
                Err(source) => return Err(GeoError::Read { path, source }),
            }
        }
        for path in &sources.networks_files {
            let path = path.clone();
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let rows = rows::parse(&text).map_err(|source| GeoError::Networks { path, source })?;
                    rows.into_iter().for_each(|row| builder.row(&row));
                }
                Err(source) => return Err(GeoError::Read { path, source }),
            }
        }
        for (index, input) in sources.networks.iter().enumerate() {
            let row = rows::check(input).map_err(|source| GeoError::Row { index, source })?;
            builder.row(&row);
        }
        Ok(builder.finish())
    }

    /// The operator's name of a client's network, hashed, and how many bits tell it.
    pub(crate) fn network(&self, client: &Client) -> (Option<u64>, u8) {
        let (found, len) = self.named.find(client);
        (
            found.and_then(|index| self.names.get(index as usize)).copied(),
            len,
        )
    }

    pub(crate) fn asn(&self, client: &Client) -> (Option<u32>, u8) {
        self.asns.find(client)
    }

    pub(crate) fn place(&self, client: &Client) -> (Option<&Place>, u8) {
        let (found, len) = self.placed.find(client);
        (found.and_then(|index| self.places.get(index as usize)), len)
    }
}

/// The hash under which an operator's name of a network is kept: filters know names, tables know networks, and either may be
/// reloaded without the other.
pub(crate) fn name_hash(name: &str) -> u64 {
    hash::text(name)
}

/// Tables while they are put together.
#[derive(Default)]
struct TableBuilder {
    names: Interned<u64>,
    named: Builder,
    asns: Builder,
    own_asns: Builder,
    places: Interned<Place>,
    placed: Builder,
    own_placed: Builder,
}

impl TableBuilder {
    fn row(&mut self, row: &rows::Row) {
        if let Some(name) = row.name {
            let index = self.names.index(name);
            self.named.add(row.prefix, index);
        }
        if let Some(asn) = row.asn {
            self.own_asns.add(row.prefix, asn);
        }
        if let Some(place) = row.place {
            let index = self.places.index(place);
            self.own_placed.add(row.prefix, index);
        }
    }

    fn finish(self) -> GeoTable {
        GeoTable {
            names: self.names.items.into_boxed_slice(),
            named: self.named.finish(),
            asns: self.asns.finish_under(self.own_asns),
            places: self.places.items.into_boxed_slice(),
            placed: self.placed.finish_under(self.own_placed),
        }
    }
}

/// Values that many prefixes share.
struct Interned<T> {
    items: Vec<T>,
    indexes: std::collections::BTreeMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            indexes: std::collections::BTreeMap::new(),
        }
    }
}

impl<T: Copy + Ord> Interned<T> {
    fn index(&mut self, item: T) -> u32 {
        let next = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let index = *self.indexes.entry(item).or_insert(next);
        if index == next {
            self.items.push(item);
        }
        index
    }
}

#[cfg(test)]
pub(crate) mod tests;
