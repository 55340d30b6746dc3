//! Addresses as an operator writes them: a mistake names its field and what is allowed.

use std::net::{IpAddr, SocketAddr};

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::CheckError;

pub(super) fn socket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let given = String::deserialize(deserializer)?;
    let parsed = given.parse();
    parsed.map_err(|_| D::Error::custom(CheckError::Socket { given }))
}

pub(super) fn ip<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let given = String::deserialize(deserializer)?;
    let parsed = given.parse();
    parsed.map_err(|_| D::Error::custom(CheckError::Ip { given }))
}
