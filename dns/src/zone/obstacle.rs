//! What of a zone's own records leaves no room for a steered name, as the middle of a sentence.

use super::Zone;
use super::image::Owner;
use crate::name::{Name, wire};
use crate::wire::rtype;

/// What an owner has against a name steered right there.
fn own(owner: Owner<'_>) -> Option<&'static str> {
    owner.sets().find_map(|set| match set.kind() {
        rtype::A | rtype::AAAA => Some("has fixed addresses for"),
        rtype::CNAME => Some("has a CNAME for"),
        _ => None,
    })
}

/// What an owner has against names steered there or, with `true`, only below.
fn around(owner: Owner<'_>, apex: &[u8]) -> Option<(&'static str, bool)> {
    owner.sets().find_map(|set| match set.kind() {
        rtype::NS if owner.name() != apex => Some(("delegates", false)),
        rtype::DNAME => Some(("has a DNAME above", true)),
        _ => None,
    })
}

impl Zone {
    /// Whether it has records of this type for a name.
    pub(crate) fn has(&self, name: &[u8], kind: u16) -> bool {
        self.image
            .at(name)
            .is_some_and(|owner| owner.find(kind).is_some())
    }

    /// What is in the way of one name within the zone.
    pub(crate) fn obstacle(&self, name: &[u8]) -> Option<&'static str> {
        let apex = self.apex.wire();
        let inside = wire::upward(name).take_while(|above| above.len() >= apex.len());
        inside.filter_map(|above| self.image.at(above)).find_map(|owner| {
            match (owner.name() == name, around(owner, apex)) {
                (true, Some((reason, false))) => own(owner).or(Some(reason)),
                (true, Some((_, true)) | None) => own(owner),
                (false, found) => found.map(|(reason, _)| reason),
            }
        })
    }

    /// The first of some names in canonical order, all within the zone, that has something in its way: one walk along
    /// both.
    pub(crate) fn first_obstacle<'n>(
        &self,
        names: impl Iterator<Item = &'n Name>,
    ) -> Option<(&'n Name, &'static str)> {
        let apex = self.apex.wire();
        let mut owners = self.image.owners().peekable();
        let mut last: Option<Owner<'_>> = None;
        let mut above: Option<(&[u8], &'static str, bool)> = None;
        for name in names {
            let at = name.wire();
            while let Some(owner) = owners.next_if(|owner| wire::cmp(owner.name(), at).is_le()) {
                above = above.filter(|(top, ..)| wire::is_within(owner.name(), top));
                let found = around(owner, apex).map(|(reason, below)| (owner.name(), reason, below));
                above = above.or(found);
                last = Some(owner);
            }
            let here = last.filter(|owner| owner.name() == at).and_then(own);
            let around = above.filter(|(top, _, below)| wire::is_within(at, top) && !(*below && at == *top));
            if let Some(reason) = here.or_else(|| around.map(|(_, reason, _)| reason)) {
                return Some((name, reason));
            }
        }
        None
    }
}
