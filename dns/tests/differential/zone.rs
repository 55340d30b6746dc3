//! Valid zones from a random source: every rule that NSD, Knot, BIND and we agree on is kept, everything they allow is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;

use super::data::{self, A, AAAA, CNAME, DNAME, DS, NS, PLAIN, SOA, mnemonic};
use super::name::{Labels, label};

/// No owner is longer, so that there is room for a question below it.
const MAX_OWNER: usize = 180;

pub(crate) struct Set {
    pub(crate) ttl_s: u32,
    pub(crate) data: Vec<String>,
}

pub(crate) struct Zone {
    pub(crate) apex: Labels,
    pub(crate) nodes: BTreeMap<Labels, BTreeMap<u16, Set>>,
    /// Names of zones of our own below, which the zone delegates.
    pub(crate) inner: Vec<Labels>,
    /// Names worth asking for that need not exist: targets, names of glue.
    pub(crate) mentioned: Vec<Labels>,
    /// Targets of DNAMEs.
    moved: Vec<Labels>,
}

impl Zone {
    pub(crate) fn draw(apex: Labels, inner: Vec<Labels>, rng: &mut Rng) -> Zone {
        let mut zone = Zone {
            apex,
            nodes: BTreeMap::new(),
            inner,
            mentioned: Vec::new(),
            moved: Vec::new(),
        };
        zone.apex_records(rng);
        if zone.has(&zone.apex, DNAME) {
            return zone;
        }
        for cut in zone.inner.clone() {
            zone.cut(&cut, rng);
        }
        for _ in 0..rng.usize(10..70) {
            match rng.u8(..20) {
                0..=8 => zone.owner(false, rng),
                9 | 10 => zone.owner(true, rng),
                11..=14 => zone.alias(rng),
                15 | 16 => zone.redirection(rng),
                17 => zone.delegation(rng),
                18 => zone.occluded(rng),
                _ => zone.big(rng),
            }
        }
        zone
    }

    /// The zone as a master file.
    pub(crate) fn text(&self, rng: &mut Rng) -> String {
        let default_s = 3_600;
        let mut text = String::from("; generated\n");
        let mut origin = self.apex.clone();
        writeln!(text, "$TTL {default_s}\n$ORIGIN {}", origin.written(None, rng)).unwrap();
        let mut order: Vec<(&Labels, &BTreeMap<u16, Set>)> = self.nodes.iter().collect();
        // The SOA is first (some readers want it so); the rest in any order.
        if let Some(at) = order.iter().position(|(name, _)| **name == self.apex) {
            order.swap(0, at);
        }
        if let Some(rest) = order.get_mut(1..) {
            rng.shuffle(rest);
        }
        for (owner, sets) in order {
            if rng.u8(..16) == 0 {
                origin = self.apex.below(label(rng));
                writeln!(text, "$ORIGIN {}", origin.written(None, rng)).unwrap();
            }
            let mut named = false;
            let mut kinds: Vec<(&u16, &Set)> = sets.iter().collect();
            kinds.sort_by_key(|(kind, _)| **kind != SOA);
            for (kind, set) in kinds {
                for data in &set.data {
                    if !named || rng.bool() {
                        text.push_str(&owner.written(Some(&origin), rng));
                    }
                    named = true;
                    if set.ttl_s != default_s || rng.bool() {
                        write!(text, " {}", set.ttl_s).unwrap();
                    }
                    text.push_str(if rng.bool() { " IN" } else { "" });
                    let data = if *kind == SOA && rng.bool() {
                        format!("( {data}\n)")
                    } else {
                        data.clone()
                    };
                    writeln!(text, "\t{} {data}", mnemonic(*kind)).unwrap();
                }
            }
        }
        text
    }

    pub(crate) fn has(&self, name: &Labels, kind: u16) -> bool {
        self.nodes.get(name).is_some_and(|sets| sets.contains_key(&kind))
    }

    /// The zone cut that a name is or lies below.
    pub(crate) fn cut_above(&self, name: &Labels) -> Option<Labels> {
        self.above(name)
            .filter(|above| *above != self.apex && self.has(above, NS))
            .last()
    }

    /// A name and those above it, up to the apex.
    fn above(&self, name: &Labels) -> impl Iterator<Item = Labels> {
        let apex = self.apex.clone();
        std::iter::successors(Some(name.clone()), Labels::parent)
            .take_while(move |above| above.is_within(&apex))
    }

    fn apex_records(&mut self, rng: &mut Rng) {
        let apex = self.apex.clone();
        let numbers = (
            rng.u32(..),
            rng.u32(..100_000),
            rng.u32(..100_000),
            rng.u32(..10_000_000),
        );
        let minimum_s = [0, 5, 300, 86_400, 7_200][rng.usize(..5)];
        let soa = format!(
            "ns1.{0} hostmaster.{0} {1} {2} {3} {4} {minimum_s}",
            absolute(&apex),
            numbers.0,
            numbers.1,
            numbers.2,
            numbers.3
        );
        self.put(&apex, SOA, ttl_s(rng), vec![soa]);
        let mut servers = vec![data::elsewhere(rng)];
        // RFC 6672 §2.3: a whole zone can be moved. Not one inside another, whose glue NSD would take for its names.
        let moved = self.inner.is_empty() && apex.0.len() == 2 && rng.u8(..12) == 0;
        if moved {
            let target = data::elsewhere(rng);
            self.put(&apex, DNAME, ttl_s(rng), vec![absolute(&target)]);
            self.mentioned.push(apex.below(label(rng)));
        } else if rng.u8(..4) > 0 {
            for label in ["ns1", "ns2"] {
                servers.push(apex.below(label.into()));
            }
        }
        for server in &servers {
            if server.is_within(&apex) {
                self.addresses(server, rng);
            }
        }
        self.put(&apex, NS, ttl_s(rng), servers.iter().map(absolute).collect());
        for _ in 0..rng.usize(..3) {
            let kind = PLAIN[rng.usize(..PLAIN.len())].0;
            self.set(&apex, kind, rng);
        }
    }

    fn addresses(&mut self, name: &Labels, rng: &mut Rng) {
        let kinds = [vec![A], vec![AAAA], vec![A, AAAA]];
        for kind in &kinds[rng.usize(..3)] {
            self.set(name, *kind, rng);
        }
    }

    fn put(&mut self, owner: &Labels, kind: u16, ttl_s: u32, mut data: Vec<String>) {
        data.sort();
        data.dedup();
        self.nodes
            .entry(owner.clone())
            .or_default()
            .insert(kind, Set { ttl_s, data });
    }

    /// A set of one to four records of a type.
    fn set(&mut self, owner: &Labels, kind: u16, rng: &mut Rng) {
        let data = (0..rng.usize(1..5)).map(|_| self.data(kind, rng)).collect();
        self.put(owner, kind, ttl_s(rng), data);
    }

    fn data(&self, kind: u16, rng: &mut Rng) -> String {
        let known: Vec<&Labels> = self.nodes.keys().collect();
        let mut target = |rng: &mut Rng| {
            let name = match rng.u8(..4) {
                0 => data::elsewhere(rng),
                _ => (*known.get(rng.usize(..known.len())).unwrap()).clone(),
            };
            name.written(None, rng)
        };
        data::draw(kind, rng, &mut target)
    }

    /// A name of the zone at or below which records of its own may stand: no cut, DNAME or alias is in the way.
    fn is_free(&self, name: &Labels) -> bool {
        name.wire_len() <= MAX_OWNER
            && self.cut_above(name).is_none()
            && !self.has(name, CNAME)
            && !self
                .above(name)
                .any(|above| above != *name && self.has(&above, DNAME))
    }

    /// Nothing stands at a name or below it.
    fn is_bare(&self, name: &Labels) -> bool {
        self.is_free(name) && !self.nodes.keys().any(|other| other.is_within(name))
    }

    /// A name one to three labels below one that there is.
    fn place(&self, rng: &mut Rng) -> Labels {
        let mut name = self.any(rng);
        for _ in 0..rng.usize(1..4) {
            name = name.below(label(rng));
        }
        name
    }

    pub(crate) fn any(&self, rng: &mut Rng) -> Labels {
        let at = rng.usize(..self.nodes.len());
        self.nodes.keys().nth(at).unwrap_or(&self.apex).clone()
    }

    fn owner(&mut self, wildcard: bool, rng: &mut Rng) {
        let mut name = self.place(rng);
        if wildcard {
            name = name.below(b"*".to_vec());
        }
        if !self.is_free(&name) {
            return;
        }
        for _ in 0..rng.usize(1..4) {
            let kind = PLAIN[rng.usize(..PLAIN.len())].0;
            self.set(&name, kind, rng);
        }
    }

    fn alias(&mut self, rng: &mut Rng) {
        let mut name = self.place(rng);
        if rng.u8(..4) == 0 {
            name = name.below(b"*".to_vec());
        }
        if !self.is_bare(&name) {
            return;
        }
        let target = self.target(&name, rng);
        self.put(&name, CNAME, ttl_s(rng), vec![target.written(None, rng)]);
        self.mentioned.push(target);
    }

    /// Where an alias may point: a name that is there, one below it, an alias, outside, itself.
    fn target(&self, owner: &Labels, rng: &mut Rng) -> Labels {
        let aliases: Vec<&Labels> = self
            .nodes
            .iter()
            .filter(|(_, sets)| sets.contains_key(&CNAME))
            .map(|(name, _)| name)
            .collect();
        let target = match rng.u8(..16) {
            0 => data::elsewhere(rng),
            1 => owner.clone(),
            2..=6 if !aliases.is_empty() => (*aliases.get(rng.usize(..aliases.len())).unwrap()).clone(),
            7..=9 => self.any(rng).below(label(rng)),
            _ => self.any(rng),
        };
        if target.wire_len() > 255 {
            self.apex.clone()
        } else {
            target
        }
    }

    fn redirection(&mut self, rng: &mut Rng) {
        let name = self.place(rng);
        // RFC 4592 §4.4: a DNAME at a wildcard has no agreed meaning.
        if name.is_wildcard() || !self.is_bare(&name) {
            return;
        }
        let target = match rng.u8(..6) {
            0 => {
                let mut long = self.any(rng);
                while long.wire_len() < 170 {
                    long = long.below(vec![b'l'; 40]);
                }
                long
            }
            _ => self.target(&name, rng),
        };
        // One that leads to itself: over TCP, Knot 3.2 puts CNAME after CNAME until 64 KiB are full, which takes it minutes.
        let to_redirected = self.above(&target).any(|above| self.has(&above, DNAME));
        if target.is_within(&name) || to_redirected || self.moved.iter().any(|target| target.is_within(&name))
        {
            return;
        }
        self.moved.push(target.clone());
        if rng.u8(..4) == 0 {
            self.set(&name, A, rng);
        }
        self.put(&name, DNAME, ttl_s(rng), vec![target.written(None, rng)]);
        self.mentioned.push(name.below(label(rng)));
        self.mentioned.push(target);
    }

    fn delegation(&mut self, rng: &mut Rng) {
        let name = self.place(rng);
        // RFC 4592 §4.2: NS at a wildcard has no agreed meaning.
        if !name.is_wildcard() && self.is_bare(&name) {
            self.cut(&name, rng);
        }
    }

    /// Data and delegations below a delegation, which are another server's to tell (RFC 2181 §6.1).
    fn occluded(&mut self, rng: &mut Rng) {
        let name = self.place(rng);
        let Some(cut) = self.cut_above(&name) else {
            return self.delegation(rng);
        };
        if name.wire_len() > MAX_OWNER || self.inner.contains(&cut) || self.nodes.contains_key(&name) {
            return;
        }
        let kinds = if name.is_wildcard() { 2 } else { 3 };
        let kind = [A, 16, NS][rng.usize(..kinds)];
        self.set(&name, kind, rng);
        self.mentioned.push(name);
    }

    fn cut(&mut self, name: &Labels, rng: &mut Rng) {
        let cuts: Vec<Labels> = self
            .mentioned
            .iter()
            .filter(|name| self.cut_above(name).is_some())
            .cloned()
            .collect();
        let mut servers = Vec::new();
        let most = if rng.u8(..5) == 0 { 14 } else { 4 };
        for number in 0..rng.usize(1..most) {
            let own = name.below(format!("ns{number}").into_bytes());
            // NSD takes the glue of a zone inside for names of that zone, and refuses what would not fit there.
            let ours = self.inner.contains(name);
            servers.push(match rng.u8(..10) {
                0 => data::elsewhere(rng),
                _ if ours => own,
                1 => self.any(rng),
                2 if !cuts.is_empty() => (*cuts.get(rng.usize(..cuts.len())).unwrap()).clone(),
                3 => name.clone(),
                4 => name.below(label(rng)).below(label(rng)),
                _ => own,
            });
        }
        servers.retain(|server| server.wire_len() <= 255);
        if servers.is_empty() {
            servers.push(data::elsewhere(rng));
        }
        servers.sort();
        servers.dedup();
        let written = servers
            .iter()
            .map(|server| server.written(None, rng))
            .collect::<Vec<_>>();
        self.put(name, NS, ttl_s(rng), written);
        // A letter's case may be all that two of them differ in.
        if let Some(set) = self.nodes.get_mut(name).and_then(|sets| sets.get_mut(&NS)) {
            set.data.sort_by_key(|name| name.to_ascii_lowercase());
            set.data.dedup_by_key(|name| name.to_ascii_lowercase());
        }
        for server in &servers {
            // Without glue, now and then: nobody gets there, and the referral says what there is.
            if server.is_within(name) && rng.u8(..6) > 0 {
                self.addresses(server, rng);
            }
            self.mentioned.push(server.clone());
        }
        if rng.bool() {
            self.set(name, DS, rng);
        }
    }

    /// A set that is too large for UDP, of one type or another.
    fn big(&mut self, rng: &mut Rng) {
        let name = self.place(rng);
        if !self.is_free(&name) {
            return;
        }
        let kind = [A, AAAA, 15, 16, 33][rng.usize(..5)];
        let data = (0..rng.usize(10..120)).map(|_| self.data(kind, rng)).collect();
        self.put(&name, kind, ttl_s(rng), data);
    }
}

fn absolute(name: &Labels) -> String {
    name.written(None, &mut Rng::with_seed(1))
}

fn ttl_s(rng: &mut Rng) -> u32 {
    match rng.u8(..8) {
        0 => 0,
        1 => i32::MAX.cast_unsigned(),
        2 => rng.u32(..1 << 31),
        3 | 4 => 3_600,
        _ => rng.u32(1..1_000),
    }
}
