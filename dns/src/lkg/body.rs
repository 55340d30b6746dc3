//! What a good plan's file holds: the length of the plain data, that data as JSON, then each zone's image behind its length.

use std::io;

use super::file::{self, FileError};
use crate::catalog::{Catalog, Kept, Problem};
use crate::name::Name;
use crate::zone::Zone;
use crate::zone::image::Image;

/// A catalog that was kept, whole.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) kept: Kept<'static>,
    pub(crate) zones: Vec<Zone>,
}

/// Calls `write` with the parts of the body, if there has been a plan.
pub(super) fn encode(catalog: &Catalog, write: impl FnOnce(&[&[u8]]) -> io::Result<()>) -> io::Result<()> {
    let Some((kept, zones)) = catalog.kept() else {
        return Ok(());
    };
    let json = serde_json::to_vec(&kept)?;
    let length = |octets: &[u8]| (octets.len() as u64).to_be_bytes();
    let lengths: Vec<[u8; 8]> = zones.iter().map(|zone| length(zone.image().octets())).collect();
    let json_length = length(&json);
    let mut parts: Vec<&[u8]> = vec![&json_length, &json];
    for (zone, length) in zones.iter().zip(&lengths) {
        parts.extend([&length[..], zone.image().octets()]);
    }
    write(&parts)
}

/// Reads any file; what is not whole is refused.
pub(crate) fn decode(file: &[u8]) -> Result<Good, FileError> {
    let wrong = |what: &str| FileError::Body(what.to_owned());
    let short = || wrong("a part is cut off");
    let (json, mut rest) = part(file::body(file)?).ok_or_else(short)?;
    let kept: Kept<'static> =
        serde_json::from_slice(json).map_err(|error| FileError::Body(error.to_string()))?;
    let mut zones: Vec<Zone> = Vec::new();
    while !rest.is_empty() {
        let (image, after) = part(rest).ok_or_else(short)?;
        let image = Image::parse(image.into()).ok_or_else(|| wrong("records of a zone are no image"))?;
        let apex = image.owner(0).map(|owner| Name::from_wire(owner.name()));
        let zone = apex.and_then(|apex| Zone::new(apex, image));
        zones.push(zone.ok_or_else(|| wrong("a zone has no SOA at its top"))?);
        rest = after;
    }
    if zones.len() != kept.serials.len() || !zones.is_sorted_by(|a, b| a.apex() < b.apex()) {
        return Err(wrong(
            "there are not as many zones as serials, or not in their order",
        ));
    }
    Ok(Good { kept, zones })
}

impl Catalog {
    /// A file of last-known-good, as the state folder holds it.
    ///
    /// # Errors
    /// When a part of the catalog cannot be written as JSON.
    pub fn to_last_known_good(&self) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        encode(self, |parts| {
            whole = [&[&*file::header(parts)?], parts].concat().concat();
            Ok(())
        })?;
        Ok(whole)
    }

    /// What a file of last-known-good holds, and what of it is not taken any more.
    ///
    /// # Errors
    /// When the file is torn, foreign or of another version.
    pub fn from_last_known_good(file: &[u8]) -> Result<(Self, Vec<Problem>), FileError> {
        let good = decode(file)?;
        Ok(Self::restored(good.kept, good.zones))
    }
}

fn part(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}
