//! Which targets of a list can be probed, and what is wrong with the others.

use std::collections::BTreeSet;

use super::{Family, MAX_TARGETS, Path, Target, TargetError};
use crate::profile::Profile;

/// Every target for itself, and no (cluster, path, family) twice.
///
/// # Errors
/// The first target at fault.
pub fn check_targets(targets: &[Target]) -> Result<(), TargetError> {
    let mut keys = BTreeSet::new();
    targets.iter().try_for_each(|target| admit(&mut keys, target))
}

/// The targets that can be probed, and for each of the others why it cannot: one bad line takes nothing else away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub targets: Vec<Target>,
    /// Each names its target.
    pub errors: Vec<TargetError>,
    /// Overrides that cannot be; their targets are among `targets`, under the fleet's profile.
    pub overrides: Vec<TargetError>,
}

impl Selection {
    /// Of targets as they stand in a file. Unknown kinds and fields are errors of their target alone. A target whose override
    /// of the profile `fleet` cannot be goes without it: better probed otherwise than not at all.
    pub fn of_raw(raw: impl IntoIterator<Item = serde_json::Value>, fleet: &Profile) -> Selection {
        let mut overrides = Vec::new();
        let targets = raw.into_iter().enumerate().map(|(index, mut value)| {
            let name = raw_name(index, &value);
            let form = |problem: String| TargetError::Form {
                name: name.clone(),
                problem,
            };
            let detection = value
                .as_object_mut()
                .and_then(|fields| fields.remove("detection"));
            let mut target: Target =
                serde_json::from_value(value).map_err(|error| form(error.to_string()))?;
            let detection = serde_json::from_value(detection.unwrap_or_default())
                .map_err(|error| form(format!("detection: {error}")));
            let fits = detection.and_then(|detection| {
                target.detection = detection;
                target.own_profile(fleet).map(drop)
            });
            if let Err(error) = fits {
                target.detection = None;
                overrides.push(error);
            }
            Ok(target)
        });
        let mut selection = Selection::collect(targets);
        selection.overrides = overrides;
        selection
    }

    /// Of two targets with the same (cluster, path, family) the first is taken.
    pub fn of(targets: impl IntoIterator<Item = Target>) -> Selection {
        Selection::collect(targets.into_iter().map(Ok))
    }

    fn collect(all: impl Iterator<Item = Result<Target, TargetError>>) -> Selection {
        let mut keys = BTreeSet::new();
        let mut selection = Selection::default();
        for target in all {
            match target.and_then(|target| admit(&mut keys, &target).map(|()| target)) {
                Ok(target) => selection.targets.push(target),
                Err(error) => selection.errors.push(error),
            }
        }
        selection
    }
}

fn admit(keys: &mut BTreeSet<(String, Path, Family)>, target: &Target) -> Result<(), TargetError> {
    target.parse()?;
    let Target {
        cluster,
        path,
        family,
        check: _,
        detection: _,
    } = target.clone();
    if keys.len() >= MAX_TARGETS {
        return Err(TargetError::TooMany {
            cluster,
            path,
            family,
            most: MAX_TARGETS,
        });
    }
    if keys.insert((cluster.clone(), path, family)) {
        Ok(())
    } else {
        Err(TargetError::Twice {
            cluster,
            path,
            family,
        })
    }
}

/// `cluster/path/family` as far as they are given, or the target's place in the list.
fn raw_name(index: usize, value: &serde_json::Value) -> String {
    let part = |field| {
        let text = value.get(field).and_then(serde_json::Value::as_str);
        text.map(|text| text.chars().take(253).collect::<String>())
    };
    match part("cluster") {
        Some(cluster) => [Some(cluster), part("path"), part("family")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("/"),
        None => format!("number {}", index + 1),
    }
}
