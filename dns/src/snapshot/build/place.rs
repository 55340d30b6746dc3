//! What belongs to which zone: of zones inside zones each has what no closer one has (RFC 1034 §4.2.1).

use std::collections::BTreeMap;

use crate::catalog::check::{CheckedName, Target};
use crate::catalog::held::HeldZone;
use crate::name::Name;

/// A zone, and what plans have put into it.
pub(super) struct Place<'a> {
    pub(super) apex: &'a Name,
    /// `None`: it could not be loaded.
    pub(super) held: Option<&'a HeldZone>,
    /// The apexes of the zones right inside it.
    pub(super) inner: Vec<&'a Name>,
    /// The names steered in it, and those of clusters that service records refer to.
    pub(super) names: Vec<Placed<'a>>,
}

/// A name that is not of the zone's own records.
#[derive(Clone, Copy)]
pub(super) enum Placed<'a> {
    Steered(&'a CheckedName),
    /// That of one cluster of a steered name.
    Target(&'a CheckedName, &'a Target),
}

impl<'a> Placed<'a> {
    pub(super) fn name(self) -> &'a Name {
        match self {
            Self::Steered(name) => &name.name,
            Self::Target(_, target) => &target.name,
        }
    }
}

impl Place<'_> {
    /// How many names it holds, empty non-terminals not counted.
    pub(super) fn len(&self) -> usize {
        self.held.map_or(1, |held| held.data.image().len()) + self.names.len()
    }
}

/// Everything that comes in is in canonical order, and so is everything that goes out.
pub(super) fn places<'a>(
    zones: impl Iterator<Item = &'a HeldZone>,
    broken: impl Iterator<Item = &'a Name>,
    names: impl Iterator<Item = &'a CheckedName>,
) -> Vec<Place<'a>> {
    let place = |apex, held| Place {
        apex,
        held,
        inner: Vec::new(),
        names: Vec::new(),
    };
    let mut places: Vec<Place<'a>> = zones
        .map(|zone| place(zone.data.apex(), Some(zone)))
        .chain(broken.map(|apex| place(apex, None)))
        .collect();
    places.sort_by(|left, right| left.apex.cmp(right.apex));

    // The zones that the last name lies in, outermost first.
    let mut around: Vec<usize> = Vec::new();
    let mut next = 0;
    let mut enter = |places: &mut Vec<Place<'a>>, around: &mut Vec<usize>, name: Option<&Name>| {
        while let Some(apex) = places.get(next).map(|place| place.apex)
            && name.is_none_or(|name| apex <= name)
        {
            leave(places, around, apex);
            if let Some(outer) = around.last().and_then(|outer| places.get_mut(*outer)) {
                outer.inner.push(apex);
            }
            around.push(next);
            next += 1;
        }
    };
    for placed in with_targets(names) {
        enter(&mut places, &mut around, Some(placed.name()));
        leave(&places, &mut around, placed.name());
        if let Some(place) = around.last().and_then(|at| places.get_mut(*at)) {
            place.names.push(placed);
        }
    }
    enter(&mut places, &mut around, None);
    places
}

/// Puts the names of clusters between the others, which come in canonical order too.
fn with_targets<'a>(names: impl Iterator<Item = &'a CheckedName>) -> impl Iterator<Item = Placed<'a>> {
    let mut names = names.peekable();
    // They stand below their names, so none is late.
    let mut waiting: BTreeMap<&Name, Placed<'a>> = BTreeMap::new();
    std::iter::from_fn(move || {
        let next = names.peek();
        if let Some(first) = waiting.first_entry()
            && next.is_none_or(|next| *first.key() < &next.name)
        {
            return Some(first.remove());
        }
        let name = names.next()?;
        for target in name.services.iter().flat_map(|services| &services.targets) {
            waiting.insert(&target.name, Placed::Target(name, target));
        }
        // A name is steered once.
        waiting.remove(&name.name);
        Some(Placed::Steered(name))
    })
}

/// Takes from `around` the zones that a name does not lie in.
fn leave(places: &[Place<'_>], around: &mut Vec<usize>, name: &Name) {
    while let Some(at) = around.last()
        && places.get(*at).is_none_or(|place| !name.is_within(place.apex))
    {
        around.pop();
    }
}
