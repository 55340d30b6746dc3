//! Host names (RFC 952, RFC 1123 §2.1), asked for where BIND's `check-names` asks.

use domain::base::iana::Rtype;

use super::{A, AAAA, MX, NS, SOA, SRV};
use crate::name::{Name, wire};
use crate::zone::RecordSet;
use crate::zonefile::names;
use crate::zonefile::problem::{Problems, Reason};
use crate::zonefile::rdata::kind_text;
use crate::zonefile::sets::Place;

pub(crate) fn check(set: RecordSet<'_>, place: &Place, problems: &mut Problems) {
    let kind = set.kind();
    let owner = set.owner();
    let mut report = |name: &[u8]| {
        let reason = Reason::NotHostName {
            kind: kind_text(kind),
            owner: Name::from_wire(owner).to_string(),
            name: Name::from_wire(name).to_string(),
        };
        problems.push(place.first, reason);
    };
    if matches!(kind, A | AAAA | MX) && !is_host(without_wildcard(owner)) {
        report(owner);
    }
    let reverse = || {
        [&b"\x07in-addr\x04arpa\x00"[..], b"\x03ip6\x04arpa\x00"]
            .iter()
            .any(|zone| wire::is_within(owner, zone))
    };
    if !(matches!(kind, NS | MX | SRV | SOA) || kind == Rtype::PTR.to_int() && reverse()) {
        return;
    }
    for rdata in set.rdata() {
        for (index, name) in names::in_data(kind, rdata).enumerate() {
            let mailbox = kind == SOA && index == 1;
            let host = if mailbox { without_first(name) } else { name };
            if !is_host(host) {
                report(name);
            }
        }
    }
}

fn without_wildcard(wire: &[u8]) -> &[u8] {
    wire.strip_prefix(b"\x01*").unwrap_or(wire)
}

fn without_first(wire: &[u8]) -> &[u8] {
    match wire.first() {
        None | Some(0) => wire,
        Some(length) => wire.get(usize::from(*length) + 1..).unwrap_or_default(),
    }
}

fn is_host(mut wire: &[u8]) -> bool {
    while let Some((&length, rest)) = wire.split_first() {
        let Some((label, next)) = rest.split_at_checked(usize::from(length)) else {
            return false;
        };
        let inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        let edges = [label.first(), label.last()];
        if edges.into_iter().flatten().any(|octet| *octet == b'-') || !label.iter().all(inner) {
            return false;
        }
        wire = next;
    }
    true
}
