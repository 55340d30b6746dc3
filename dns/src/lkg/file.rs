//! One file: a header line in JSON with format, version, length and CRC-32, then octets. Written to a temporary name, synced,
//! renamed, and the folder synced, so a reader sees the old file or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const FORMAT: &str = "lifeboat.dns/last-known-good";
const VERSION: u32 = 2;
/// Larger files are not read.
const MAX_OCTETS: u64 = 8 << 30;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: String,
    version: u32,
    octets: u64,
    crc32: String,
}

/// Why a file was passed over.
#[derive(Debug, Error)]
pub enum FileError {
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
    Torn { found: u64, expected: u64 },
    #[error("is corrupt: its checksum is {found}, its header says {expected}")]
    Checksum { found: String, expected: String },
    #[error("does not hold what its checksum vouches for: {0}")]
    Body(String),
}

/// The header line of a file with these parts behind each other.
pub(super) fn header(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut checksum = crc32fast::Hasher::new();
    parts.iter().for_each(|part| checksum.update(part));
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        octets: parts.iter().map(|part| part.len() as u64).sum(),
        crc32: format!("{:08x}", checksum.finalize()),
    };
    let mut line = serde_json::to_vec(&header)?;
    line.push(b'\n');
    Ok(line)
}

pub(crate) fn write(folder: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(&header(parts)?)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    if fs::metadata(path)?.len() > MAX_OCTETS {
        return Err(FileError::TooLarge);
    }
    Ok(fs::read(path)?)
}

/// The body of a whole file.
pub(super) fn body(content: &[u8]) -> Result<&[u8], FileError> {
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
    if body.len() as u64 != header.octets {
        return Err(FileError::Torn {
            found: body.len() as u64,
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
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, content).unwrap();
        let error = body(&read(&path).unwrap()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should contain `{expected}`");
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x", &[b"1,\n", b"", b"2"]).unwrap();
        let content = read(&folder.path().join("x")).unwrap();
        assert_eq!(body(&content).unwrap(), b"1,\n2");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x", &[b"123"]).unwrap();
        let whole = fs::read(folder.path().join("x")).unwrap();
        check(b"", "no header line");
        check(b"{}\n[1]", "header that is not ours");
        check(&whole[..whole.len() - 1], "is torn");
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        check(&flipped, "is corrupt");
        let foreign = String::from_utf8(whole)
            .unwrap()
            .replace("\"version\":2", "\"version\":9");
        check(foreign.as_bytes(), "version 9");
        let error = read(&folder.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("cannot be read"));
    }
}
