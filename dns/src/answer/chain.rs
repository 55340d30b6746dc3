//! From one name to the next: CNAME (RFC 1034 §3.6.2) and DNAME (RFC 6672).

use crate::name::MAX_WIRE_LEN;
use crate::snapshot::{Lookup, RrData, RrSet, Snapshot};
use crate::wire::query::QName;
use crate::wire::writer::{Section, Writer, pointer};
use crate::wire::{HEADER_LEN, body, rtype};

/// Names followed for one question. A resolver goes on from the last by itself.
pub(crate) const MAX_ALIASES: usize = 12;

/// Where the name that is looked up stands in the response, and by which records it was come to.
pub(super) struct Chain<'a> {
    pub(super) at: usize,
    len: usize,
    pub(super) aliases: usize,
    /// None of them at first: most answers have none.
    taken: Option<[Option<Taken<'a>>; MAX_ALIASES]>,
}

/// A CNAME or DNAME that was followed, and the name that it was followed from.
#[derive(Clone, Copy)]
struct Taken<'a> {
    set: &'a RrSet,
    at: usize,
    len: usize,
}

/// What became of a name below a DNAME.
pub(super) enum Redirect {
    /// The next name is to be looked up.
    To,
    /// The chain has been followed far enough, or leads back to where it was.
    End,
    /// The new name is longer than a name can be (RFC 6672 §2.2).
    TooLong,
}

impl<'a> Chain<'a> {
    /// Of a question whose name takes `len` octets.
    pub(super) fn of(len: usize) -> Self {
        Chain {
            at: HEADER_LEN,
            len,
            aliases: 0,
            taken: None,
        }
    }

    /// Whether the record stands in the response already.
    fn has_taken(&self, set: &RrSet) -> bool {
        self.taken
            .iter()
            .flatten()
            .flatten()
            .any(|taken| std::ptr::eq(taken.set, set))
    }

    /// Whether it was followed from the same name before: a wildcard's and a DNAME's are followed from many.
    fn returns(&self, set: &RrSet, writer: &Writer<'_>) -> bool {
        let name = writer.written(self.at, self.len);
        self.taken.iter().flatten().flatten().any(|taken| {
            std::ptr::eq(taken.set, set) && writer.written(taken.at, taken.len).eq_ignore_ascii_case(name)
        })
    }

    fn take(&mut self, set: &'a RrSet) {
        if let Some(next) = self
            .taken
            .get_or_insert([None; MAX_ALIASES])
            .get_mut(self.aliases)
        {
            let (at, len) = (self.at, self.len);
            *next = Some(Taken { set, at, len });
        }
    }

    /// Where the last `len` octets of the name stand.
    pub(super) fn suffix(&self, len: usize) -> usize {
        self.at + self.len.saturating_sub(len)
    }

    /// On to the name that stands uncompressed at `at`; whether it is to be looked up.
    fn step(&mut self, at: usize, target: &[u8], qname: &mut QName) -> bool {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES || qname.read(target, 0).is_none() {
            return false;
        }
        (self.at, self.len) = (at, target.len());
        true
    }
}

/// Puts a CNAME; whether there is a next name to look up.
pub(super) fn follow<'a>(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    alias: &'a RrSet,
    chain: &mut Chain<'a>,
    qname: &mut QName,
) -> bool {
    let RrData::Fixed { body, .. } = &alias.data else {
        return false;
    };
    // RFC 2181 §5: a loop does not put its records twice.
    if chain.returns(alias, writer) {
        return false;
    }
    chain.take(alias);
    let record = snapshot.octets(*body);
    let start = writer.put_owned(Section::Answer, 1, record, chain.at);
    let target = snapshot.first_data(alias);
    !writer.is_full() && chain.step(start + body::RDATA, target, qname)
}

/// The set that an ALIAS stands for, among those of its name: of its target, or of what that is an alias of. `None` where that
/// is not ours or has no such set.
pub(super) fn flattened<'a>(
    snapshot: &'a Snapshot,
    alias: &'a RrSet,
    kind: u16,
    target: &mut QName,
) -> Option<(&'a RrSet, &'a [RrSet])> {
    let mut alias = alias;
    for _ in 0..MAX_ALIASES {
        target.read(snapshot.first_data(alias), 0)?;
        let Lookup::Present { sets, .. } = snapshot.lookup(target, kind) else {
            return None;
        };
        if let Some(set) = sets.iter().find(|set| set.kind == kind) {
            return Some((set, sets));
        }
        alias = sets
            .iter()
            .find(|set| matches!(set.kind, rtype::CNAME | rtype::ALIAS))?;
    }
    None
}

/// Puts a DNAME and the CNAME that it makes of the name, with the DNAME's TTL (RFC 6672 §3.1).
pub(super) fn redirect<'a>(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    dname: &'a RrSet,
    owner_len: usize,
    chain: &mut Chain<'a>,
    qname: &mut QName,
) -> Redirect {
    let RrData::Fixed { body, .. } = &dname.data else {
        return Redirect::End;
    };
    if chain.returns(dname, writer) {
        return Redirect::End;
    }
    if !chain.has_taken(dname) {
        let record = snapshot.octets(*body);
        writer.put_owned(Section::Answer, 1, record, chain.suffix(owner_len));
    }
    chain.take(dname);
    let target = snapshot.first_data(dname);
    let kept = chain.len.saturating_sub(owner_len);
    let len = kept + target.len();
    if len > MAX_WIRE_LEN {
        return Redirect::TooLong;
    }
    let mut name = [0; MAX_WIRE_LEN];
    let (front, back) = name.split_at_mut(kept);
    front.copy_from_slice(writer.written(chain.at, kept));
    let Some(back) = back.get_mut(..target.len()) else {
        return Redirect::TooLong;
    };
    back.copy_from_slice(target);
    let name = name.get(..len).unwrap_or_default();
    let start = writer.put_record(
        Section::Answer,
        pointer(chain.at),
        rtype::CNAME,
        dname.ttl_s,
        name,
    );
    if !writer.is_full() && chain.step(start + body::RDATA, name, qname) {
        Redirect::To
    } else {
        Redirect::End
    }
}
