//! The one list of differences between a peer and us that are meant. Each entry takes away exactly what it explains
//! from both replies; whatever is left then is a bug of ours.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{ANY, CNAME, DNAME, DS, SOA};
use super::name::Labels;
use super::peer::Peer;
use super::question::Question;
use super::reply::{Record, Reply, TC};
use super::zone::Zone;

const AD: u16 = 0x0020;
const CD: u16 = 0x0010;
/// In the flags of OPT.
const DO: u16 = 0x8000;
const HINFO: u16 = 13;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const YXDOMAIN: u16 = 6;
const BADVERS: u16 = 16;
/// The EDNS option of extended errors (RFC 8914).
const EDE: u16 = 15;

/// One query, as far as an entry may look.
pub(crate) struct Case<'a> {
    pub(crate) question: &'a Question,
    /// Octets of our answer over TCP.
    pub(crate) whole: usize,
    pub(crate) zones: &'a BTreeMap<Vec<u8>, Zone>,
}

impl Case<'_> {
    /// Whether a zone has a label that stands before `*` in canonical order (RFC 4034 §6.1).
    fn has_label_before_asterisk(&self, name: &[u8]) -> bool {
        let before = |owner: &Labels| owner.0.iter().any(|label| label.as_slice() < b"*".as_slice());
        let zone = self.zone_of(name).and_then(|apex| self.zones.get(apex));
        zone.is_some_and(|zone| zone.nodes.keys().any(before))
    }

    /// Whether the zone around a name's zone has names of its own in there: above the name, below it or the name itself.
    fn is_shadowed(&self, name: &[u8]) -> bool {
        let Some(apex) = self.zone_of(name) else {
            return false;
        };
        let others = self.zones.iter().filter(|(other, _)| *other != apex);
        let mut names = others.flat_map(|(_, zone)| zone.nodes.keys().map(Labels::wire));
        names.any(|owner| {
            owner != *apex && ends_with(&owner, apex) && (ends_with(&owner, name) || ends_with(name, &owner))
        })
    }

    /// Whether a zone's file has records of that name, and not only a wildcard that stands for it.
    fn is_owner(&self, name: &[u8]) -> bool {
        let mut owners = self.zones.values().flat_map(|zone| zone.nodes.keys());
        owners.any(|owner| owner.wire() == name)
    }

    /// Whether it is the zone above that is asked for a name (RFC 4035 §3.1.4.1).
    fn is_upper(&self, name: &[u8]) -> bool {
        self.question.kind == DS && self.zones.contains_key(name)
    }

    /// The apex of the zone that a name is in.
    fn zone_of(&self, name: &[u8]) -> Option<&Vec<u8>> {
        let above = self.zones.keys().filter(|apex| ends_with(name, apex));
        above.max_by_key(|apex| apex.len())
    }
}

/// Whether a name is another or lies below it.
fn ends_with(name: &[u8], above: &[u8]) -> bool {
    let mut rest = name;
    while let Some((length, after)) = rest.split_first() {
        if rest == above {
            return true;
        }
        rest = after.get(usize::from(*length)..).unwrap_or_default();
    }
    false
}

/// The names that a chain of aliases passes, the question's first; one that it comes back to stands there twice, at the end.
fn chain(question: &Question, reply: &Reply) -> Vec<Vec<u8>> {
    let mut names = vec![question.qname.to_ascii_lowercase()];
    while let Some(last) = names.last() {
        let alias = reply
            .answer
            .iter()
            .find(|record| record.kind == CNAME && record.owner == *last);
        let Some(alias) = alias else { break };
        let returns = names.contains(&alias.data);
        names.push(alias.data.clone());
        if returns {
            break;
        }
    }
    names
}

fn is_loop(question: &Question, reply: &Reply) -> bool {
    let names = chain(question, reply);
    names
        .split_last()
        .is_some_and(|(last, before)| before.contains(last))
}

pub(crate) struct Known {
    pub(crate) what: &'static str,
    pub(crate) peers: &'static [Peer],
    /// With the section that allows what we do.
    pub(crate) why: &'static str,
    /// Makes the two agree where this entry explains why they do not.
    pub(crate) settle: fn(&Case<'_>, &mut Reply, &mut Reply),
}

const ALL: &[Peer] = &Peer::ALL;

pub(crate) const KNOWN: &[Known] = &[
    Known {
        what: "CD is clear",
        peers: &[Peer::Bind],
        why: "RFC 4035 §3.1.6: an authoritative server clears it, and NSD and Knot do; BIND copies it, as §3.2.2 has a resolver do",
        settle: |case, _, theirs| {
            theirs.flags &= !(case.question.flags & CD);
        },
    },
    Known {
        what: "CD is clear in BADVERS too",
        peers: &[Peer::Nsd],
        why: "RFC 4035 §3.1.6; NSD clears it in all else",
        settle: |case, ours, theirs| {
            if (ours.rcode, theirs.rcode) == (BADVERS, BADVERS) {
                theirs.flags &= !(case.question.flags & CD);
            }
        },
    },
    Known {
        what: "DO is copied into the OPT of an error too",
        peers: &[Peer::Nsd],
        why: "RFC 3225 §3: DO is copied into the response; NSD leaves it out of errors",
        settle: |_, ours, theirs| {
            if let (1.., Some(ours), Some(theirs)) = (ours.rcode, &ours.opt, &mut theirs.opt) {
                theirs.flags |= ours.flags & DO;
            }
        },
    },
    Known {
        what: "no AD in a truncated response",
        peers: &[Peer::Bind],
        why: "RFC 4035 §3.1.6: AD is for what is known to be authentic; BIND echoes that of the query when it truncates",
        settle: |_, _, theirs| {
            if theirs.flags & TC != 0 {
                theirs.flags &= !AD;
            }
        },
    },
    Known {
        what: "REFUSED says that the name is of no zone of ours",
        peers: &[Peer::Nsd, Peer::Bind],
        why: "RFC 8914 §4.21; their versions in Debian 12 do not tell yet",
        settle: |_, ours, theirs| {
            if let (5, 5, Some(ours), Some(theirs)) = (ours.rcode, theirs.rcode, &mut ours.opt, &theirs.opt)
                && theirs.options.is_empty()
            {
                ours.options.clear();
            }
        },
    },
    Known {
        what: "glue of the zone above is no name of the zone below",
        peers: &[Peer::Nsd],
        why: "RFC 2181 §6: the zone at the name's side of the cut speaks; NSD takes such names for existing in both",
        settle: |case, ours, theirs| {
            let names = chain(case.question, ours);
            if names.iter().any(|name| case.is_shadowed(name)) {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "a wildcard stands only below its own parent",
        peers: &[Peer::Nsd],
        why: "RFC 4592 §3.3.1; NSD 4.6 takes one further down for it where a label stands before `*` in order; Knot and BIND answer as we do",
        settle: |case, ours, theirs| {
            let names = chain(case.question, ours);
            let early = names
                .last()
                .is_some_and(|name| case.has_label_before_asterisk(name));
            if early && ours.rcode == NXDOMAIN && theirs.rcode == 0 {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "ANY is answered by one HINFO",
        peers: ALL,
        why: "RFC 8482 §4.2",
        settle: |case, ours, theirs| {
            if case.question.kind == ANY && ours.answer.iter().any(|record| record.kind == HINFO) {
                for reply in [ours, theirs] {
                    clear(reply);
                    reply.flags &= !TC;
                }
            }
        },
    },
    Known {
        what: "aliases that lead back to themselves are answered",
        peers: &[Peer::Bind],
        why: "RFC 1034 §3.6.2 has such loops answered as far as they go; BIND gives SERVFAIL, NSD and Knot answer as we do",
        settle: |case, ours, theirs| {
            if theirs.rcode == SERVFAIL && (is_loop(case.question, ours) || ours.flags & TC != 0) {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "ANY below a DNAME goes on to the target",
        peers: &[Peer::Bind],
        why: "RFC 6672 §3.2; BIND ends with the CNAME, NSD and Knot go on",
        settle: |case, ours, theirs| {
            let redirected = theirs.answer.iter().any(|record| record.kind == DNAME);
            if case.question.kind == ANY && redirected && theirs.answer.is_subset(&ours.answer) {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "a name that a DNAME makes too long is YXDOMAIN",
        peers: &[Peer::Knot],
        why: "RFC 6672 §2.2; NSD and BIND give YXDOMAIN too",
        settle: |_, ours, theirs| {
            if ours.rcode == YXDOMAIN && ours.answer.iter().any(|record| record.kind == DNAME) {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "a chain is followed into another zone of ours",
        peers: &[Peer::Knot, Peer::Bind],
        why: "RFC 1034 §4.3.2 step 3a goes back to step 1, which looks for the nearest zone, and NSD does; Knot and BIND stay in \
              the zone they are in",
        settle: |case, ours, theirs| {
            let names = chain(case.question, theirs);
            if let [.., owner, target] = &names[..]
                && (case.zone_of(owner) != case.zone_of(target) || case.is_upper(target))
                && theirs.answer.is_subset(&ours.answer)
            {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "YXDOMAIN says no more",
        peers: &[Peer::Nsd],
        why: "RFC 8914 §3: an extended error is optional; NSD adds one",
        settle: |_, ours, theirs| {
            if let (YXDOMAIN, YXDOMAIN, Some(theirs)) = (ours.rcode, theirs.rcode, &mut theirs.opt) {
                theirs.options.retain(|code| *code != EDE);
            }
        },
    },
    Known {
        what: "truncated at another size, or with what did fit",
        peers: ALL,
        why: "RFC 2181 §9: what is there in a truncated reply is not used, so ours is empty, its code that of the part that fits; \
              names in our data are not compressed",
        settle: |case, ours, theirs| {
            let late = case.whole > case.question.limit();
            if theirs.flags & TC != 0 || (ours.flags & TC != 0 && late) {
                settle_all(ours, theirs);
            }
        },
    },
    Known {
        what: "a negative answer at the end of a chain has its SOA",
        peers: &[Peer::Knot],
        why: "RFC 2308 §2.1: or else it is not cached; Knot leaves out a SOA that does not fit, without TC",
        settle: |case, ours, theirs| {
            if !case.question.tcp
                && !ours.answer.is_empty()
                && ours.answer == theirs.answer
                && theirs.authority.is_empty()
            {
                ours.authority.retain(|record| record.kind != SOA);
            }
        },
    },
    Known {
        what: "no wildcard stands for a name server's address",
        peers: &[Peer::Nsd, Peer::Knot],
        why: "RFC 1034 §4.2.1: glue is what the zone has at that name; RFC 4592 §4.2: no wildcard has effect across a cut; BIND does as we do",
        settle: |case, ours, theirs| {
            if ours.additional != theirs.additional {
                theirs.additional.retain(|record| case.is_owner(&record.owner));
            }
        },
    },
    Known {
        what: "addresses beside an answer",
        peers: ALL,
        why: "RFC 1034 §4.3.2 step 6 leaves open which; resolvers take them for hints at most (RFC 2181 §5.4.1)",
        settle: |_, ours, theirs| {
            if !ours.answer.is_empty() && ours.answer == theirs.answer {
                ours.additional.clear();
                theirs.additional.clear();
            }
        },
    },
    Known {
        what: "addresses of name servers beside the cut that do not fit are left out",
        peers: ALL,
        why: "RFC 9471 §3.2: only those below the cut have to be there; ours take more room, being written without compression",
        settle: |case, ours, theirs| {
            if case.whole > case.question.limit() && ours.additional.is_subset(&theirs.additional) {
                theirs.additional.clone_from(&ours.additional);
            }
        },
    },
    Known {
        what: "addresses of name servers beside the cut are given",
        peers: &[Peer::Bind],
        why: "RFC 1034 §4.3.2 step 3b: what the zone has of them; with minimal-responses BIND gives glue alone",
        settle: |case, ours, theirs| {
            let beside = |reply: &Reply| -> BTreeSet<Record> {
                let is_beside = |record: &&Record| {
                    ours.authority
                        .iter()
                        .all(|cut| !ends_with(&record.owner, &cut.owner))
                };
                reply.additional.iter().filter(is_beside).cloned().collect()
            };
            let (own, other) = (beside(ours), beside(theirs));
            if other.is_subset(&own) || case.whole > case.question.limit() {
                ours.additional.retain(|record| !own.contains(record));
                theirs.additional.retain(|record| !other.contains(record));
            }
        },
    },
    Known {
        what: "no address of a name server below the cut is left out",
        peers: &[Peer::Bind],
        why: "RFC 9471 §3.1: what does not fit is told by TC; BIND leaves some out of UDP without",
        settle: |case, ours, theirs| {
            if !case.question.tcp && theirs.additional.is_subset(&ours.additional) {
                theirs.additional.clone_from(&ours.additional);
            }
        },
    },
];

/// Nothing of the two is to be compared but the transaction: id, question, opcode and what is copied of the flags.
fn settle_all(ours: &mut Reply, theirs: &mut Reply) {
    theirs.rcode = ours.rcode;
    theirs.opt.clone_from(&ours.opt);
    for reply in [ours, theirs] {
        clear(reply);
        reply.flags &= !TC;
    }
}

fn clear(reply: &mut Reply) {
    reply.answer.clear();
    reply.authority.clear();
    reply.additional.clear();
}
