//! What a zone has at a name, wildcards included (RFC 4592 §3.3.1).

use super::{A, AAAA, CNAME, DNAME, NS};
use crate::name::wire;
use crate::zone::image::{Image, Owner};
use crate::zonefile::names;

#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    apex: &'a [u8],
    image: &'a Image,
    /// The names that NS records point at, sorted.
    servers: Vec<Box<[u8]>>,
    has_dname: bool,
}

/// What an address query for a name in the zone finds.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Address,
    Cname,
    BelowDname(&'a [u8]),
    Nothing,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(apex: &'a [u8], image: &'a Image) -> Self {
        let sets = || image.owners().flat_map(Owner::sets);
        let mut servers: Vec<Box<[u8]>> = sets()
            .filter(|set| set.kind() == NS)
            .flat_map(|set| set.rdata())
            .flat_map(|rdata| names::in_data(NS, rdata))
            .map(|name| name.to_ascii_lowercase().into_boxed_slice())
            .collect();
        servers.sort_unstable();
        servers.dedup();
        let has_dname = sets().any(|set| set.kind() == DNAME);
        Self {
            apex,
            image,
            servers,
            has_dname,
        }
    }

    pub(crate) fn is_name_server(&self, name: &[u8]) -> bool {
        self.servers
            .binary_search_by(|server| (**server).cmp(name))
            .is_ok()
    }

    /// Whether names exist below a name.
    pub(crate) fn has_below(&self, name: &[u8]) -> bool {
        self.image
            .owners_from(self.image.position(name))
            .map(Owner::name)
            .find(|owner| *owner != name)
            .is_some_and(|owner| wire::is_within(owner, name))
    }

    pub(crate) fn find(&self, name: &[u8]) -> Found<'a> {
        if let Some(dname) = self.dname_above(name) {
            return Found::BelowDname(dname);
        }
        if self.exists(name) {
            return addresses(self.image.at(name));
        }
        match self.above(name).find(|encloser| self.exists(encloser)) {
            Some(encloser) => addresses(self.image.at(&[b"\x01*", encloser].concat())),
            None => Found::Nothing,
        }
    }

    /// The names above one, up to the apex.
    fn above<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'n [u8]> {
        let shortest = self.apex.len();
        wire::upward(name)
            .skip(1)
            .take_while(move |above| above.len() >= shortest)
    }

    fn dname_above(&self, name: &[u8]) -> Option<&'a [u8]> {
        if !self.has_dname {
            return None;
        }
        self.above(name)
            .find_map(|above| Some(self.image.at(above)?.find(DNAME)?.owner()))
    }

    fn exists(&self, name: &[u8]) -> bool {
        self.image
            .owner(self.image.position(name))
            .is_some_and(|owner| wire::is_within(owner.name(), name))
    }
}

fn addresses(owner: Option<Owner<'_>>) -> Found<'static> {
    let mut found = Found::Nothing;
    for set in owner.into_iter().flat_map(Owner::sets) {
        match set.kind() {
            A | AAAA => return Found::Address,
            CNAME => found = Found::Cname,
            _ => {}
        }
    }
    found
}
