//! Empties the folder in which a DNS server of a former demo kept its last-known-good: the simulated fleet is a new one
//! each time, and the past of another would be kept against it.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// How each file of last-known-good begins.
const HEADER: &[u8] = br#"{"format":"lifeboat.dns/last-known-good""#;

/// Removes the files of last-known-good in `folder`, where there is one.
///
/// # Errors
/// Anything else is in it, or it is no folder; then nothing is removed.
pub(super) fn forget(folder: &Path) -> anyhow::Result<()> {
    let Ok(found) = fs::symlink_metadata(folder) else {
        return Ok(());
    };
    if !found.is_dir() {
        bail!(
            "--state: {} is no folder of ours; name another folder",
            folder.display()
        );
    }
    let reading = || format!("--state: reading {}", folder.display());
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(reading)?;
    if let Some(stranger) = files.iter().find(|file| !is_ours(file)) {
        bail!(
            "--state: {} is no last-known-good of ours; name another folder",
            stranger.display()
        );
    }
    for file in files {
        fs::remove_file(&file).with_context(|| format!("--state: removing {}", file.display()))?;
    }
    Ok(())
}

/// By its name and its first bytes; a torn temporary file has none.
fn is_ours(file: &Path) -> bool {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let whole = name.strip_suffix(".tmp").unwrap_or(name);
    let named = whole == "high-water.lkg" || whole.starts_with("good-") && whole.ends_with(".lkg");
    let regular = fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
    let begins = || {
        let mut start = [0; HEADER.len()];
        File::open(file)
            .and_then(|mut file| file.read_exact(&mut start))
            .is_ok()
            && start == HEADER
    };
    named && regular && (whole != name || begins())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "{\"format\":\"lifeboat.dns/last-known-good\",\"version\":2}\n{}";

    #[test]
    fn only_a_folder_of_last_known_good_is_emptied() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("dns-1");
        forget(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        for (name, content) in [
            ("good-1-2.lkg", GOOD),
            ("high-water.lkg", GOOD),
            ("good-1-3.lkg.tmp", ""),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        let files = || fs::read_dir(&folder).unwrap().count();
        for (stranger, content) in [("thesis.tex", "x"), ("good-1.lkg", "{}"), ("notes.tmp", "")] {
            let path = folder.join(stranger);
            fs::write(&path, content).unwrap();
            let refused = forget(&folder).unwrap_err().to_string();
            assert!(
                refused.contains("--state") && refused.contains(stranger),
                "{refused}"
            );
            assert_eq!(files(), 4);
            fs::remove_file(&path).unwrap();
        }
        forget(&folder).unwrap();
        assert_eq!(files(), 0);
        let file = state.path().join("dns-2");
        fs::write(&file, "mine").unwrap();
        assert!(forget(&file).is_err());
    }
}
