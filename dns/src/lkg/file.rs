//! One file: a header line with format, version, length and CRC-32, then plain JSON. Written to a temporary name,
//! synced, renamed, and the folder synced, so a reader sees the old file or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const FORMAT: &str = "lifeboat.dns/last-known-good";
const VERSION: u32 = 1;
/// Larger files are not read.
const MAX_OCTETS: u64 = 4 << 30;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: String,
    version: u32,
    octets: usize,
    crc32: String,
}

/// Why a file was passed over.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("is larger than {MAX_OCTETS} octets")]
    TooLarge,
    #[error("has no header line")]
    NoHeader,
    #[error("has a header that is not ours: {0}")]
    Header(serde_json::Error),
    #[error("is of format {0} version {1}; {FORMAT} version {VERSION} is read")]
    Format(String, u32),
    #[error("is torn: {found} octets of {expected}")]
    Torn { found: usize, expected: usize },
    #[error("is corrupt: its checksum is {found}, its header says {expected}")]
    Checksum { found: String, expected: String },
    #[error("does not hold what its checksum vouches for: {0}")]
    Body(serde_json::Error),
}

pub(crate) fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    let body = serde_json::to_vec(value)?;
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        octets: body.len(),
        crc32: format!("{:08x}", crc32fast::hash(&body)),
    };
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(&header)?)?;
    file.write_all(b"\n")?;
    file.write_all(&body)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    if fs::metadata(path)?.len() > MAX_OCTETS {
        return Err(FileError::TooLarge);
    }
    let content = fs::read(path)?;
    let newline = content
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(FileError::NoHeader)?;
    let (line, rest) = content.split_at(newline);
    let body = rest.get(1..).unwrap_or_default();
    let header: Header = serde_json::from_slice(line).map_err(FileError::Header)?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(FileError::Format(header.format, header.version));
    }
    if body.len() != header.octets {
        return Err(FileError::Torn {
            found: body.len(),
            expected: header.octets,
        });
    }
    let found = format!("{:08x}", crc32fast::hash(body));
    if found != header.crc32 {
        return Err(FileError::Checksum {
            found,
            expected: header.crc32,
        });
    }
    serde_json::from_slice(body).map_err(FileError::Body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, content).unwrap();
        let error = read::<Vec<u32>>(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should contain `{expected}`");
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x", &[1, 2, 3]).unwrap();
        assert_eq!(read::<Vec<u32>>(&folder.path().join("x")).unwrap(), [1, 2, 3]);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x", &[1, 2, 3]).unwrap();
        let whole = fs::read(folder.path().join("x")).unwrap();
        check(b"", "no header line");
        check(b"{}\n[1]", "header that is not ours");
        check(&whole[..whole.len() - 1], "is torn");
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        check(&flipped, "is corrupt");
        let foreign = String::from_utf8(whole)
            .unwrap()
            .replace("\"version\":1", "\"version\":9");
        check(foreign.as_bytes(), "version 9");
        let error = read::<Vec<u32>>(&folder.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("cannot be read"));
    }
}
