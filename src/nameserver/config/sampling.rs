//! What the configuration file says of samples of queries.

use std::{num::NonZeroU32, path::PathBuf};

use lifeboat_dns::Sampling;
use schemars::JsonSchema;
use serde::Deserialize;

/// One query in so many is written to a file, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SamplingEntry {
    /// Lines are added at its end. It is opened anew on SIGHUP, for whoever rotates it.
    pub file: PathBuf,
    /// Of so many queries one, by chance; 1 writes all.
    #[schemars(range(min = 1))]
    pub one_in: u32,
}

impl SamplingEntry {
    /// # Errors
    /// Names the field and what is allowed.
    pub(in crate::nameserver) fn sampling(&self) -> Result<Sampling, String> {
        let Self { file, one_in } = self;
        let told = || format!("sampling.oneIn: is {one_in}; allowed is 1 to {}", u32::MAX);
        Ok(Sampling {
            file: file.clone(),
            one_in: NonZeroU32::new(*one_in).ok_or_else(told)?,
        })
    }
}
