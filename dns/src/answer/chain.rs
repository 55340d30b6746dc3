//! From one name to the next: CNAME (RFC 1034 §3.6.2) and DNAME (RFC 6672).

use crate::name::MAX_WIRE_LEN;
use crate::snapshot::{Lookup, RrData, RrSet, Snapshot};
use crate::wire::query::QName;
use crate::wire::writer::{Section, Writer, pointer};
use crate::wire::{HEADER_LEN, body, rtype};

/// Names followed for one question. A resolver goes on from the last by itself.
pub(crate) const MAX_ALIASES: usize = 12;

/// Where the name that is looked up stands in the response.
pub(super) struct Chain {
    pub(super) at: usize,
    len: usize,
    pub(super) aliases: usize,
}

/// What became of a name below a DNAME.
pub(super) enum Redirect {
    /// The next name is to be looked up.
    To,
    /// The chain has been followed far enough.
    End,
    /// The new name is longer than a name can be (RFC 6672 §2.2).
    TooLong,
}

impl Chain {
    /// Of a question whose name takes `len` octets.
    pub(super) fn of(len: usize) -> Chain {
        Chain {
            at: HEADER_LEN,
            len,
            aliases: 0,
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
pub(super) fn follow(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    alias: &RrSet,
    chain: &mut Chain,
    qname: &mut QName,
) -> bool {
    let RrData::Fixed { body, .. } = &alias.data else {
        return false;
    };
    let record = snapshot.octets(*body);
    let start = writer.put_owned(Section::Answer, 1, record, chain.at);
    let target = snapshot.first_data(alias);
    !writer.is_full() && chain.step(start + body::RDATA, target, qname)
}

/// The set that an ALIAS stands for: of its target, or of what that is an alias of. `None` where that is not ours or has no
/// such set.
pub(super) fn flattened<'a>(
    snapshot: &'a Snapshot,
    alias: &'a RrSet,
    kind: u16,
    target: &mut QName,
) -> Option<&'a RrSet> {
    let mut alias = alias;
    for _ in 0..MAX_ALIASES {
        target.read(snapshot.first_data(alias), 0)?;
        let Lookup::Present { sets, .. } = snapshot.lookup(target, kind) else {
            return None;
        };
        if let Some(set) = sets.iter().find(|set| set.kind == kind) {
            return Some(set);
        }
        alias = sets
            .iter()
            .find(|set| matches!(set.kind, rtype::CNAME | rtype::ALIAS))?;
    }
    None
}

/// Puts a DNAME and the CNAME that it makes of the name, with the DNAME's TTL (RFC 6672 §3.1).
pub(super) fn redirect(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    dname: &RrSet,
    owner_len: usize,
    chain: &mut Chain,
    qname: &mut QName,
) -> Redirect {
    let RrData::Fixed { body, .. } = &dname.data else {
        return Redirect::End;
    };
    let record = snapshot.octets(*body);
    writer.put_owned(Section::Answer, 1, record, chain.suffix(owner_len));
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
