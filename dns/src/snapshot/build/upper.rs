//! The upper side of a zone cut between two zones of our own: there DS stands, and the proof that there is none (RFC 4035
//! §3.1.4.1).

use super::{BuildError, Builder};
use crate::name::{Name, wire};
use crate::snapshot::Upper;
use crate::wire::rtype;
use crate::zone::image::Image;

impl Builder<'_> {
    /// Notes what a zone says of the zones right inside it, which are built after it. One that another server's zone parts
    /// from it has no upper side here.
    pub(super) fn upper_sides(
        &mut self,
        zone: u32,
        apex: &Name,
        inner: &[&Name],
        image: &Image,
    ) -> Result<(), BuildError> {
        for inner in inner {
            let between = wire::upward(inner.wire()).skip(1);
            let mut between = between.take_while(|name| name.len() > apex.wire().len());
            let delegates = |name| {
                let mut sets = image.at(name).into_iter().flat_map(|owner| owner.sets());
                sets.any(|set| set.kind() == rtype::NS)
            };
            if between.any(delegates) {
                continue;
            }
            let own = image.at(inner.wire()).into_iter().flat_map(|owner| owner.sets());
            let mut sets = Vec::new();
            for set in own.filter(|set| set.kind() == rtype::DS) {
                let body = self.records(&set)?;
                sets.push(super::fixed_set(&set, body, None)?);
            }
            self.sides.insert((*inner).clone(), Upper { zone, sets });
        }
        Ok(())
    }
}
