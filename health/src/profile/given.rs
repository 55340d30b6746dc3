//! What stands where a constant's number should.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A number or a word, of which only a whole number is of use.
pub(super) enum Given {
    Whole(i64),
    Other(String),
}

impl Given {
    pub(super) fn whole(&self) -> Option<u32> {
        match self {
            Given::Whole(value) => u32::try_from(*value).ok(),
            Given::Other(_) => None,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Whole(value) => value.fmt(f),
            Given::Other(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl Visitor<'_> for Reading {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Given, E> {
        Ok(Given::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Given, E> {
        Ok(i64::try_from(value).map_or_else(|_| Given::Other(value.to_string()), Given::Whole))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Given, E> {
        Ok(Given::Other(value.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Given, E> {
        Ok(Given::Other(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Given, E> {
        Ok(Given::Other(format!("{value:?}")))
    }
}
