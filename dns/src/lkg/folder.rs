//! The state folder: some generations of good plans, newest first, how far the server has come, and the gates that are not open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body::{self, Good};
use super::file::{self, FileError};
use crate::catalog::Catalog;
use crate::gate::kept::KeptGate;
use crate::stamp::Stamp;

/// Good plans kept.
const GENERATIONS: usize = 3;
const HIGH_WATER: &str = "high-water.lkg";
const GATES: &str = "gates.lkg";

/// How far the server has come: what it accepted last, soaked or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HighWater {
    pub(crate) stamp: Stamp,
    /// The serials that zones of master files were served under.
    pub(crate) serials: BTreeMap<String, u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// What was found at start.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) good: Option<Good>,
    pub(crate) high_water: Option<HighWater>,
    pub(crate) gates: Vec<KeptGate>,
    /// Files passed over, each with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Folder {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The newest plan that is whole.
    pub(crate) fn load(&self) -> io::Result<Loaded> {
        let mut loaded = Loaded::default();
        for name in self.generations()? {
            match file::read(&self.0.join(&name)).and_then(|file| body::decode(&file)) {
                Ok(good) => {
                    loaded.good = Some(good);
                    break;
                }
                Err(error) => loaded.skipped.push(format!("{name} {error}")),
            }
        }
        loaded.high_water = self.load_small(HIGH_WATER, &mut loaded.skipped);
        loaded.gates = self.load_small(GATES, &mut loaded.skipped).unwrap_or_default();
        Ok(loaded)
    }

    fn load_small<T: DeserializeOwned>(&self, name: &str, skipped: &mut Vec<String>) -> Option<T> {
        let path = self.0.join(name);
        if !path.exists() {
            return None;
        }
        let read = file::read(&path).and_then(|file| {
            let body = file::body(&file)?;
            serde_json::from_slice(body).map_err(|error| FileError::Body(error.to_string()))
        });
        read.inspect_err(|error| skipped.push(format!("{name} {error}")))
            .ok()
    }

    pub(crate) fn write_good(&self, catalog: &Catalog) -> io::Result<()> {
        let Some(stamp) = catalog.stamp() else {
            return Ok(());
        };
        let name = format!("good-{:020}-{:020}.lkg", stamp.epoch, stamp.seq);
        body::encode(catalog, |parts| file::write(&self.0, &name, parts))?;
        for old in self.generations()?.into_iter().skip(GENERATIONS) {
            fs::remove_file(self.0.join(old))?;
        }
        Ok(())
    }

    pub(crate) fn write_high_water(&self, high_water: &HighWater) -> io::Result<()> {
        file::write(&self.0, HIGH_WATER, &[&serde_json::to_vec(high_water)?])
    }

    pub(crate) fn write_gates(&self, gates: &[KeptGate]) -> io::Result<()> {
        file::write(&self.0, GATES, &[&serde_json::to_vec(gates)?])
    }

    /// Good plans by stamp, newest first: the names sort as the stamps do.
    pub(crate) fn generations(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("good-") && Path::new(&name).extension().is_some_and(|end| end == "lkg") {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::input::SnapshotInput;

    fn catalog(seq: u64) -> Catalog {
        let stamp = Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq,
        };
        let plan = SnapshotInput {
            stamp,
            ..SnapshotInput::default()
        };
        Catalog::default().applied(&plan).unwrap().0
    }

    #[test]
    fn keeps_three_and_loads_the_newest_whole_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(&home.path().join("state")).unwrap();
        assert!(folder.load().unwrap().good.is_none());
        for seq in [9, 10, 11, 12] {
            folder.write_good(&catalog(seq)).unwrap();
        }
        let generations = folder.generations().unwrap();
        assert_eq!(generations.len(), 3);
        assert_eq!(folder.load().unwrap().good.unwrap().kept.stamp.seq, 12);

        let newest = folder.path().join(&generations[0]);
        let content = fs::read(&newest).unwrap();
        fs::write(&newest, &content[..content.len() / 2]).unwrap();
        let loaded = folder.load().unwrap();
        assert_eq!(loaded.good.unwrap().kept.stamp.seq, 11);
        assert_eq!(loaded.skipped.len(), 1);
    }

    #[test]
    fn remembers_how_far_it_came() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path()).unwrap();
        let high_water = HighWater {
            stamp: catalog(7).stamp().unwrap().clone(),
            serials: BTreeMap::from([("example".to_owned(), 5)]),
        };
        folder.write_high_water(&high_water).unwrap();
        assert_eq!(folder.load().unwrap().high_water, Some(high_water));
    }
}
