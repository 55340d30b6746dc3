//! What a zone has at a name, wildcards included (RFC 4592 §3.3.1).

use super::{A, AAAA, CNAME, DNAME, NS};
use crate::name::Name;
use crate::zonefile::names;
use crate::zonefile::sets::PlacedSet;

#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    apex: &'a Name,
    /// In canonical order.
    sets: &'a [PlacedSet],
    /// The names that NS records point at, sorted.
    servers: Vec<Box<[u8]>>,
    has_dname: bool,
}

/// What an address query for a name in the zone finds.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Address,
    Cname,
    BelowDname(&'a Name),
    Nothing,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(apex: &'a Name, sets: &'a [PlacedSet]) -> Self {
        let mut servers: Vec<Box<[u8]>> = sets
            .iter()
            .filter(|placed| placed.set.kind() == NS)
            .flat_map(|placed| placed.set.rdata())
            .flat_map(|rdata| names::in_data(NS, rdata))
            .map(|name| name.to_ascii_lowercase().into_boxed_slice())
            .collect();
        servers.sort_unstable();
        servers.dedup();
        let has_dname = sets.iter().any(|placed| placed.set.kind() == DNAME);
        Self {
            apex,
            sets,
            servers,
            has_dname,
        }
    }

    pub(crate) fn is_name_server(&self, name: &Name) -> bool {
        self.servers
            .binary_search_by(|server| (**server).cmp(name.wire()))
            .is_ok()
    }

    /// Whether names exist below a name.
    pub(crate) fn has_below(&self, name: &Name) -> bool {
        self.from(name)
            .iter()
            .map(|placed| placed.set.owner())
            .find(|owner| *owner != name)
            .is_some_and(|owner| owner.is_within(name))
    }

    pub(crate) fn find(&self, name: &Name) -> Found<'a> {
        if let Some(dname) = self.dname_above(name) {
            return Found::BelowDname(dname);
        }
        let from = self.from(name);
        if from
            .first()
            .is_some_and(|placed| placed.set.owner().is_within(name))
        {
            return addresses(from, name);
        }
        match self.above(name).find(|encloser| self.exists(encloser)) {
            Some(encloser) => {
                let wildcard = Name::from_wire(&[b"\x01*", encloser.wire()].concat());
                addresses(self.from(&wildcard), &wildcard)
            }
            None => Found::Nothing,
        }
    }

    /// The names above one, up to the apex.
    fn above(&self, name: &Name) -> impl Iterator<Item = Name> {
        std::iter::successors(Some(name.clone()), Name::parent)
            .take_while(|above| above != self.apex)
            .filter_map(|above| above.parent())
    }

    fn dname_above(&self, name: &Name) -> Option<&'a Name> {
        if !self.has_dname {
            return None;
        }
        self.above(name).find_map(|above| {
            let dname = at(self.from(&above), &above).find(|placed| placed.set.kind() == DNAME)?;
            Some(dname.set.owner())
        })
    }

    fn exists(&self, name: &Name) -> bool {
        self.from(name)
            .first()
            .is_some_and(|placed| placed.set.owner().is_within(name))
    }

    /// The sets from a name on.
    fn from(&self, name: &Name) -> &'a [PlacedSet] {
        let start = self
            .sets
            .partition_point(|placed| placed.set.owner().cmp_canonical(name).is_lt());
        self.sets.get(start..).unwrap_or_default()
    }
}

/// The sets of a name at the start of a list.
fn at<'a>(sets: &'a [PlacedSet], name: &Name) -> impl Iterator<Item = &'a PlacedSet> {
    sets.iter().take_while(move |placed| placed.set.owner() == name)
}

fn addresses<'a>(sets: &'a [PlacedSet], name: &Name) -> Found<'a> {
    let mut found = Found::Nothing;
    for placed in at(sets, name) {
        match placed.set.kind() {
            A | AAAA => return Found::Address,
            CNAME => found = Found::Cname,
            _ => {}
        }
    }
    found
}
