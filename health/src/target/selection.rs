//! Which targets of a list can be probed, and what is wrong with the others.

use std::collections::BTreeSet;
use std::fmt;

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
    /// Of targets as they stand in a file. Unknown kinds and fields are errors of their target alone. A mistake changes nothing: a
    /// target that was among `held` is as it was there; so is each that the list has no more, where an entry at fault may be it.
    /// Of two for one (cluster, path, family) that was not held the first is taken. A target that was not held, and whose override of the profile `fleet` cannot be, goes
    /// without it: better probed otherwise than not at all.
    pub fn of_raw(
        raw: impl IntoIterator<Item = serde_json::Value>,
        fleet: &Profile,
        held: &[Target],
    ) -> Selection {
        let (mut keys, mut selection) = (BTreeSet::new(), Selection::default());
        let mut mistaken = Vec::new();
        for (index, value) in raw.into_iter().enumerate() {
            let told = RawName::of(index, &value);
            let read = raw_target(value, &told, fleet, held, &mut selection.overrides);
            match read.and_then(|target| admit(&mut keys, &target).map(|()| target)) {
                Ok(target) => selection.targets.push(target),
                Err(error) => {
                    selection.errors.push(error);
                    mistaken.push(told);
                }
            }
        }
        for target in held.iter().filter(|_| !mistaken.is_empty()) {
            let taken = selection
                .targets
                .iter_mut()
                .find(|taken| key(taken) == key(target));
            match taken {
                Some(taken) if mistaken.iter().any(|told| told.is(target)) => taken.clone_from(target),
                None if mistaken.iter().any(|told| told.may_be(target))
                    && admit(&mut keys, target).is_ok() =>
                {
                    selection.targets.push(target.clone());
                }
                Some(_) | None => {}
            }
        }
        selection
    }

    /// Of two targets with the same (cluster, path, family) the first is taken.
    pub fn of(targets: impl IntoIterator<Item = Target>) -> Selection {
        let (mut keys, mut selection) = (BTreeSet::new(), Selection::default());
        for target in targets {
            match admit(&mut keys, &target) {
                Ok(()) => selection.targets.push(target),
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

/// No two targets of a list have the same.
fn key(target: &Target) -> (&str, Path, Family) {
    (&target.cluster, target.path, target.family)
}

fn raw_target(
    mut value: serde_json::Value,
    told: &RawName,
    fleet: &Profile,
    held: &[Target],
    overrides: &mut Vec<TargetError>,
) -> Result<Target, TargetError> {
    let form = |problem: String| TargetError::Form {
        name: told.to_string(),
        problem,
    };
    let detection = value
        .as_object_mut()
        .and_then(|fields| fields.remove("detection"));
    let read = serde_path_to_error::deserialize(value);
    let mut target: Target = read.map_err(|error| {
        form(match error.path().to_string().as_str() {
            "." => error.inner().to_string(),
            field => format!("{field}: {}", error.inner()),
        })
    })?;
    let detection = serde_json::from_value(detection.unwrap_or_default())
        .map_err(|error| form(format!("detection: {error}")));
    let fits = detection.and_then(|detection| {
        target.detection = detection;
        target.own_profile(fleet).map(drop)
    });
    if let Err(error) = fits {
        let before = held.iter().find(|before| key(before) == key(&target));
        target.detection = before.and_then(|before| before.detection.clone());
        overrides.push(error);
    }
    Ok(target)
}

/// Which target an entry of a file is about, as far as that can be read.
struct RawName {
    index: usize,
    cluster: Option<String>,
    path: Option<String>,
    family: Option<String>,
}

impl RawName {
    fn of(index: usize, value: &serde_json::Value) -> RawName {
        let part = |field| {
            let text = value.get(field).and_then(serde_json::Value::as_str);
            text.map(|text| text.chars().take(253).collect())
        };
        RawName {
            index,
            cluster: part("cluster").filter(|cluster: &String| !cluster.is_empty()),
            path: part("path"),
            family: part("family"),
        }
    }

    /// It is about this target and no other.
    fn is(&self, target: &Target) -> bool {
        self.cluster.as_ref() == Some(&target.cluster)
            && self.path.as_ref() == Some(&target.path.to_string())
            && self.family.as_ref() == Some(&target.family.to_string())
    }

    /// A part that is not there, or a path or a family that is not one, may stand for any.
    fn may_be(&self, target: &Target) -> bool {
        let path = self.path.as_deref();
        let path = path.filter(|path| {
            [Path::Traffic, Path::Control]
                .iter()
                .any(|one| one.to_string() == *path)
        });
        let family = self.family.as_deref();
        let family = family.filter(|family| {
            [Family::V4, Family::V6]
                .iter()
                .any(|one| one.to_string() == *family)
        });
        let cluster = self.cluster.as_ref();
        cluster.is_none_or(|cluster| *cluster == target.cluster)
            && path.is_none_or(|path| path == target.path.to_string())
            && family.is_none_or(|family| family == target.family.to_string())
    }
}

/// `cluster/path/family` as far as they are given, or the entry's place in the list.
impl fmt::Display for RawName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cluster) = &self.cluster else {
            return write!(f, "number {}", self.index + 1);
        };
        f.write_str(cluster)?;
        [&self.path, &self.family]
            .into_iter()
            .flatten()
            .try_for_each(|part| write!(f, "/{part}"))
    }
}
