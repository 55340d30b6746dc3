//! What stands before the evidence. It is read as it was written: what may be in a profile changes, and a recording that is older than
//! a rule is none the worse for it. The rules are asked of the profile that judges.

use serde::{Deserialize, Deserializer, Serialize};

use crate::check::Check;
use crate::profile::{Profile, ProfilePatch};
use crate::target::{Family, Path, Target};

/// What stands before the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preamble {
    /// The consumer that recorded.
    pub consumer: String,
    /// When the recording began, as people write it; nothing is computed from it.
    pub started: String,
    /// As it was in force at the consumer; how observers probed is in their datagrams. Nobody has checked it since: [`Profile::validate_judging`] does.
    #[serde(deserialize_with = "Profile::recorded")]
    pub profile: Profile,
    /// With their overrides as they were in force; [`crate::check_overrides`] checks them.
    #[serde(deserialize_with = "targets")]
    pub targets: Vec<Target>,
}

/// A target whose override is as it was written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recorded {
    cluster: String,
    path: Path,
    family: Family,
    check: Check,
    #[serde(default)]
    detection: Option<Override>,
}

#[derive(Deserialize)]
struct Override(#[serde(deserialize_with = "ProfilePatch::recorded")] ProfilePatch);

fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    let recorded = Vec::<Recorded>::deserialize(deserializer)?;
    Ok(recorded.into_iter().map(Target::from).collect())
}

impl From<Recorded> for Target {
    fn from(recorded: Recorded) -> Target {
        let Recorded {
            cluster,
            path,
            family,
            check,
            detection,
        } = recorded;
        Target {
            cluster,
            path,
            family,
            check,
            detection: detection.map(|Override(patch)| Box::new(patch)),
        }
    }
}
