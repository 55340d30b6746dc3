//! Whether files have changed.

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Files as they were when they were last looked at.
pub(crate) struct Files(Vec<Seen>);

struct Seen {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// The stamp was the same at two looks. A file system's clock ticks in up to two seconds: what is written twice within
    /// one tick may keep its stamp.
    settled: bool,
    /// A hash of the content: a file may be large.
    content: Option<u64>,
}

/// While it stays, a file is not read again. Kubernetes changes a mounted secret by pointing a link elsewhere: then it is
/// another file, however old it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: (u64, u64),
}

impl Files {
    pub(crate) fn look<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Files {
        Files(paths.into_iter().map(Seen::first).collect())
    }

    /// Looks again; whether a content is not what it was, or there are other files to look at.
    pub(crate) fn changed<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>) -> bool {
        let paths: Vec<&Path> = paths.into_iter().collect();
        if !paths.iter().copied().eq(self.0.iter().map(|seen| &*seen.path)) {
            *self = Files::look(paths);
            return true;
        }
        // Every file is looked at, also after one that has changed.
        self.0
            .iter_mut()
            .fold(false, |changed, seen| seen.changed() | changed)
    }
}

impl Seen {
    /// The stamp is taken first: a change while the file is read shows at the next look.
    fn first(path: &Path) -> Seen {
        Seen {
            stamp: stamp(path),
            settled: false,
            content: content(path),
            path: path.to_owned(),
        }
    }

    fn changed(&mut self) -> bool {
        let stamp = stamp(&self.path);
        let same = stamp == self.stamp;
        if same && self.settled {
            return false;
        }
        let content = content(&self.path);
        let changed = content != self.content;
        (self.stamp, self.settled, self.content) = (stamp, same, content);
        changed
    }
}

fn content(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path).ok()?);
    Some(hasher.finish())
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        bytes: metadata.len(),
        inode: (metadata.dev(), metadata.ino()),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink, time::SystemTime};

    use super::*;

    /// All files of these tests are of one age.
    fn write(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn changes_are_seen_whatever_the_time_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let paths = || [path.as_path()];
        let mut files = Files::look(paths());
        assert!(!files.changed(paths()));
        write(&path, "one");
        assert!(files.changed(paths()));
        // As long, and within the same tick.
        write(&path, "two");
        assert!(files.changed(paths()));
        assert!(!files.changed(paths()));
        write(&path, "three");
        assert!(files.changed(paths()));
        fs::remove_file(&path).unwrap();
        assert!(files.changed(paths()));
        assert!(files.changed([folder.path().join("other").as_path()]));
    }

    #[test]
    fn a_link_that_points_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("1", "one"), ("2", "two")] {
            fs::create_dir(at(version)).unwrap();
            write(&at(version).join("key"), content);
        }
        symlink("1", at("data")).unwrap();
        let path = at("data").join("key");
        let paths = || [path.as_path()];
        let mut files = Files::look(paths());
        assert!(!files.changed(paths()) && !files.changed(paths()));
        symlink("2", at("new")).unwrap();
        fs::rename(at("new"), at("data")).unwrap();
        assert!(files.changed(paths()));
    }

    #[test]
    fn a_settled_file_is_not_read_and_one_that_was_touched_has_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, "one");
        let paths = || [path.as_path()];
        let mut files = Files::look(paths());
        assert!(!files.changed(paths()) && files.0[0].settled);
        fs::write(&path, "one").unwrap();
        assert!(!files.changed(paths()) && !files.0[0].settled);
    }
}
