//! The last configuration that was good, kept in the state folder: what the server starts with when its file is not.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

const FILE: &str = "config-good.json";

/// A configuration as it was read: the text, and the path that its relative paths hang on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Good {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Good {
    /// Takes the place of the one before, whole or not at all.
    pub(super) fn save(&self, state: &Path) -> io::Result<()> {
        replace(state, FILE, &serde_json::to_vec(self)?)
    }

    /// `None` where there is none.
    pub(super) fn load(state: &Path) -> io::Result<Option<Good>> {
        match fs::read(state.join(FILE)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Writes a file of the state folder, which then is the new one or still the old one, whatever happens.
pub(super) fn replace(state: &Path, file: &str, content: &[u8]) -> io::Result<()> {
    let new = state.join(format!("{file}.new"));
    fs::write(&new, content)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, state.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Good::load(folder.path()).unwrap(), None);
        for text in ["one", "two"] {
            let good = Good {
                path: "/etc/dns.yaml".into(),
                text: text.to_owned(),
            };
            good.save(folder.path()).unwrap();
            assert_eq!(Good::load(folder.path()).unwrap(), Some(good));
        }
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Good::load(folder.path()).is_err());
    }
}
