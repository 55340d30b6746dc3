//! $INCLUDE (RFC 1035 §5.1): which file is meant, and the bounds on how many and how deep.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::problem::{Reason, shown};
use super::{MAX_DEPTH, MAX_FILES, MAX_OCTETS};

/// The files that are being read, outermost first, and how much was read before.
#[derive(Debug, Default)]
pub(crate) struct Open {
    stack: Vec<PathBuf>,
    octets: usize,
}

impl Open {
    /// The path of a file that the innermost one names.
    pub(crate) fn resolve(&self, name: &[u8]) -> PathBuf {
        let folder = self
            .stack
            .last()
            .and_then(|file| file.parent())
            .unwrap_or_else(|| Path::new(""));
        plain(&folder.join(OsStr::from_bytes(name)))
    }

    /// Opens one file more; `count` were opened before.
    pub(crate) fn enter(
        &mut self,
        path: &Path,
        count: usize,
        source: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, Reason> {
        let name = || shown(path.as_os_str().as_bytes());
        let path = plain(path);
        if self.stack.contains(&path) {
            return Err(Reason::IncludeLoop(name()));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(Reason::IncludeDepth(name()));
        }
        if count >= MAX_FILES {
            return Err(Reason::TooManyFiles(name()));
        }
        let text = source(&path).map_err(|error| Reason::Unreadable {
            file: name(),
            why: error.to_string(),
        })?;
        self.octets += text.len();
        if self.octets > MAX_OCTETS {
            return Err(Reason::TooLarge(name()));
        }
        self.stack.push(path);
        Ok(text)
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }
}

/// A path without `.` and, where that is clear from the text, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let up = part == Component::ParentDir;
        if up && matches!(out.components().next_back(), Some(Component::Normal(_))) {
            out.pop();
        } else if part != Component::CurDir {
            out.push(part);
        }
    }
    out
}

/// Reads a regular file of at most 2^30 octets.
///
/// # Errors
/// When it cannot be read, is larger or is no regular file.
pub fn from_disk(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe without a writer would wait for one.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let limit = u64::try_from(MAX_OCTETS).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut text)?;
    if text.len() > MAX_OCTETS {
        return Err(io::Error::other("larger than 1 GiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        fn check(path: &str, expected: &str) {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
        check("a/./b/../c", "a/c");
        check("../a", "../a");
        check("../../a", "../../a");
        check("/a/../../b", "/../b");
        check("a/..", "");
    }
}
