//! The parameters of a request, each by its name. What cannot be read is refused with the parameter, the value and
//! what is allowed; so is a parameter that nobody reads, because it was meant to change the answer.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};

use super::Refusal;

/// All parameters in the order in which they were given.
pub(crate) struct Asked(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(Refusal::Invalid(
                "the query cannot be read; allowed: NAME=VALUE, joined by &, percent-encoded".to_owned(),
            )),
        }
    }
}

/// The name at the end of the path.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(Refusal::Invalid(format!(
                "the name in {} cannot be read; allowed: UTF-8, percent-encoded",
                parts.uri.path()
            ))),
        }
    }
}

impl Asked {
    /// Refuses every parameter but these.
    pub(crate) fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
        match self.0.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::Invalid(format!(
                "parameter {name:?} is not known; allowed: {}",
                allowed.join(", ")
            ))),
        }
    }

    /// The values of a parameter that may be given several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(given, _)| given == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may be given once; `allowed` says what it may be.
    pub(crate) fn one<T: FromStr>(&self, name: &str, allowed: &str) -> Result<Option<T>, Refusal> {
        let mut values = self.all(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Refusal::Invalid(format!(
                "parameter {name} is given more than once"
            )));
        }
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Refusal::Invalid(format!(
                "parameter {name}: {value:?} is not allowed; allowed: {allowed}"
            ))),
        }
    }
}
