//! The state folder: some generations of good plans, newest first, and the highest stamp ever accepted.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::file;
use crate::input::SnapshotInput;
use crate::stamp::Stamp;

/// Good plans kept.
const GENERATIONS: usize = 3;
const HIGH_WATER: &str = "high-water.json";

#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// What was found at start.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) plan: Option<SnapshotInput>,
    pub(crate) high_water: Option<Stamp>,
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
            match file::read::<SnapshotInput>(&self.0.join(&name)) {
                Ok(plan) => {
                    loaded.plan = Some(plan);
                    break;
                }
                Err(error) => loaded.skipped.push(format!("{name} {error}")),
            }
        }
        if self.0.join(HIGH_WATER).exists() {
            match file::read(&self.0.join(HIGH_WATER)) {
                Ok(stamp) => loaded.high_water = Some(stamp),
                Err(error) => loaded.skipped.push(format!("{HIGH_WATER} {error}")),
            }
        }
        Ok(loaded)
    }

    pub(crate) fn write_good(&self, plan: &SnapshotInput) -> io::Result<()> {
        let name = format!("good-{:020}-{:020}.json", plan.stamp.epoch, plan.stamp.seq);
        file::write(&self.0, &name, plan)?;
        for old in self.generations()?.into_iter().skip(GENERATIONS) {
            fs::remove_file(self.0.join(old))?;
        }
        Ok(())
    }

    pub(crate) fn write_high_water(&self, stamp: &Stamp) -> io::Result<()> {
        file::write(&self.0, HIGH_WATER, stamp)
    }

    /// Good plans by stamp, newest first: the names sort as the stamps do.
    pub(crate) fn generations(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("good-") && Path::new(&name).extension().is_some_and(|end| end == "json") {
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

    fn plan(seq: u64) -> SnapshotInput {
        let stamp = Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq,
        };
        SnapshotInput {
            stamp,
            ..SnapshotInput::default()
        }
    }

    #[test]
    fn keeps_three_and_loads_the_newest_whole_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(&home.path().join("state")).unwrap();
        assert!(folder.load().unwrap().plan.is_none());
        for seq in [9, 10, 11, 12] {
            folder.write_good(&plan(seq)).unwrap();
        }
        let generations = folder.generations().unwrap();
        assert_eq!(generations.len(), 3);
        assert_eq!(folder.load().unwrap().plan.unwrap().stamp.seq, 12);

        let newest = folder.path().join(&generations[0]);
        let content = fs::read(&newest).unwrap();
        fs::write(&newest, &content[..content.len() / 2]).unwrap();
        let loaded = folder.load().unwrap();
        assert_eq!(loaded.plan.unwrap().stamp.seq, 11);
        assert_eq!(loaded.skipped.len(), 1);
    }

    #[test]
    fn remembers_the_highest_stamp() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path()).unwrap();
        folder.write_high_water(&plan(7).stamp).unwrap();
        assert_eq!(folder.load().unwrap().high_water.unwrap().seq, 7);
    }
}
