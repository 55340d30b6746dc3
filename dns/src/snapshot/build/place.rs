//! What belongs to which zone: of zones inside zones each has what no closer one has (RFC 1034 §4.2.1).

use crate::catalog::check::CheckedName;
use crate::catalog::held::HeldZone;
use crate::name::Name;

/// A zone, and what plans have put into it.
pub(super) struct Place<'a> {
    pub(super) apex: &'a Name,
    /// `None`: it could not be loaded.
    pub(super) held: Option<&'a HeldZone>,
    /// The apexes of the zones right inside it.
    pub(super) inner: Vec<&'a Name>,
    /// The names steered in it.
    pub(super) names: Vec<&'a CheckedName>,
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
    for name in names {
        enter(&mut places, &mut around, Some(&name.name));
        leave(&places, &mut around, &name.name);
        if let Some(place) = around.last().and_then(|at| places.get_mut(*at)) {
            place.names.push(name);
        }
    }
    enter(&mut places, &mut around, None);
    places
}

/// Takes from `around` the zones that a name does not lie in.
fn leave(places: &[Place<'_>], around: &mut Vec<usize>, name: &Name) {
    while let Some(at) = around.last()
        && places.get(*at).is_none_or(|place| !name.is_within(place.apex))
    {
        around.pop();
    }
}
