//! Zones from their master files, read again when a file changes, the included ones counted.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lifeboat_dns::{
    Name, Zone,
    zonefile::{self, Reading, Severity},
};
use serde::Serialize;

use super::{config::ZoneEntry, entries::ZoneAsked};
use crate::observe::files::Files;

/// Problems of a zone that are logged at once and shown in the status.
const SHOWN: usize = 20;

/// What came of the zone that was asked for.
#[derive(Clone, Debug)]
pub(super) struct ZoneRead {
    pub(super) apex: Name,
    pub(super) file: PathBuf,
    /// The reason where it is refused.
    pub(super) zone: Result<Arc<Zone>, String>,
    /// What is wrong with its files, errors and warnings, as far as it is shown.
    pub(super) told: Told,
}

/// What is wrong with a zone's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    pub(super) errors: usize,
    pub(super) warnings: usize,
    /// The first of them, errors before warnings, each `file:line:column: severity: what`.
    pub(super) problems: Vec<String>,
}

/// Reads one zone.
pub(super) fn read(apex: &Name, file: &Path) -> (ZoneRead, Vec<PathBuf>) {
    let mut paths = Vec::new();
    let mut source = |path: &Path| -> io::Result<Vec<u8>> {
        paths.push(path.to_owned());
        zonefile::from_disk(path)
    };
    let Reading {
        zone,
        problems,
        left_out,
    } = zonefile::read(apex, file, &mut source);
    paths.sort();
    paths.dedup();
    let count = |severity| {
        problems
            .iter()
            .filter(|problem| problem.severity() == severity)
            .count()
    };
    let errors = problems
        .iter()
        .filter(|problem| problem.severity() == Severity::Error);
    let warnings = problems
        .iter()
        .filter(|problem| problem.severity() == Severity::Warning);
    let told = Told {
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        problems: errors
            .chain(warnings)
            .map(ToString::to_string)
            .chain((left_out > 0).then(|| format!("{left_out} more problems")))
            .take(SHOWN)
            .collect(),
    };
    let first = || told.problems.first().cloned().unwrap_or_default();
    let zone = zone.map(Arc::new).ok_or_else(first);
    let read = ZoneRead {
        apex: apex.clone(),
        file: file.to_owned(),
        zone,
        told,
    };
    (read, paths)
}

/// All zones of a configuration, each as it was last read.
#[derive(Default)]
pub(super) struct Zones(BTreeMap<Name, Held>);

struct Held {
    read: ZoneRead,
    files: Files,
    paths: Vec<PathBuf>,
}

impl Zones {
    /// Reads what is new or has changed. A zone whose change is refused is told with its errors and stays what it was.
    /// Whether anything is not what it was.
    pub(super) fn look(&mut self, asked: &[ZoneAsked]) -> bool {
        let before = self.0.len();
        self.0
            .retain(|apex, _| asked.iter().any(|zone| zone.apex == *apex));
        let mut changed = self.0.len() != before;
        for ZoneAsked {
            apex,
            entry: ZoneEntry { file, .. },
        } in asked
        {
            if let Some(held) = self.0.get_mut(apex)
                && held.read.file == *file
                && !held.files.changed(held.paths.iter().map(PathBuf::as_path))
            {
                continue;
            }
            // The stamps are taken first: a change while the zone is read shows at the next look.
            let before = self
                .0
                .get(apex)
                .map(|held| held.paths.clone())
                .unwrap_or_default();
            let early = Files::look(before.iter().map(PathBuf::as_path));
            let (read, paths) = read(apex, file);
            let files = if paths == before {
                early
            } else {
                Files::look(paths.iter().map(PathBuf::as_path))
            };
            log(&read);
            self.0.insert(apex.clone(), Held { read, files, paths });
            changed = true;
        }
        changed
    }

    pub(super) fn all(&self) -> Vec<ZoneRead> {
        self.0.values().map(|held| held.read.clone()).collect()
    }
}

fn log(read: &ZoneRead) {
    let zone = read.apex.to_string();
    for problem in &read.told.problems {
        if read.zone.is_err() {
            tracing::error!(zone, problem, "a zone file is refused");
        } else {
            tracing::warn!(zone, problem, "in a zone file");
        }
    }
    if let Ok(read) = &read.zone {
        tracing::info!(zone, sets = read.sets().count(), "zone read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "@ 300 SOA ns.example.net. h.example.net. 1 2 3 4 5\n@ 300 NS ns.example.net.\n";

    #[test]
    fn a_zone_is_read_again_when_one_of_its_files_changes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.zone", &format!("{HEAD}$INCLUDE more\n"));
        write("more", "w 300 A 192.0.2.1\n");
        let asked = [ZoneAsked {
            apex: Name::parse("example.org").unwrap(),
            entry: ZoneEntry {
                name: "example.org".to_owned(),
                file: folder.path().join("a.zone"),
            },
        }];
        let mut zones = Zones::default();
        let sets = |zones: &Zones| {
            zones.all()[0]
                .zone
                .as_ref()
                .map(|zone| zone.sets().count())
                .map_err(Clone::clone)
        };
        assert!(zones.look(&asked));
        assert_eq!(sets(&zones), Ok(3));
        assert!(!zones.look(&asked));
        write("more", "w 300 A 192.0.2.1\nv 300 A 192.0.2.1\n");
        assert!(zones.look(&asked));
        assert_eq!(sets(&zones), Ok(4));
        write("more", "w 300 A 192.0.2.300\n");
        assert!(zones.look(&asked));
        let refused = sets(&zones).unwrap_err();
        assert!(
            refused.contains("more:1:") && refused.contains("192.0.2.300"),
            "{refused}"
        );
        assert_eq!(zones.all()[0].told.errors, 1);
        assert!(zones.look(&[]));
        assert!(zones.all().is_empty());
    }
}
