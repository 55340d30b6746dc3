//! Writes one response: header, the question as it came, ready-made bodies, OPT. Knows its size limit; what does
//! not fit turns the response into a truncated one with empty sections (RFC 2181 §9).

use super::ecs::{Ecs, Subnet};
use super::query::Query;
use super::{CLASS_IN, EDNS_UDP_PAYLOAD, HEADER_LEN, Rcode, body, flag};

/// An OPT record without options.
const OPT_LEN: usize = 11;
/// Extended errors (RFC 8914): with the code 0, "Other" (§4.1), that the health of every candidate is in doubt, and what is
/// done about it.
pub(crate) mod ede {
    /// "Invalid Data" (§4.25).
    pub(crate) const INVALID_DATA: &[u8] = b"\x00\x0f\x00\x11\x00\x18zone not loaded";
    /// "Not Authoritative" (§4.21): the name is in no zone of ours.
    pub(crate) const NOT_AUTHORITATIVE: &[u8] = b"\x00\x0f\x00\x02\x00\x14";
    pub(crate) const LAST_GOOD: &[u8] = b"\x00\x0f\x00\x0f\x00\x00last good set";
    pub(crate) const ALL: &[u8] = b"\x00\x0f\x00\x0e\x00\x00all clusters";
    pub(crate) const FALLBACK: &[u8] = b"\x00\x0f\x00\x14\x00\x00fallback addresses";
    pub(crate) const NONE: &[u8] = b"\x00\x0f\x00\x14\x00\x00no healthy cluster";
}

/// How a response ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
    /// Options to tell where there is room: an extended error.
    pub(crate) told: Option<&'static [u8]>,
    /// The client subnet to echo, with the scope of the answer (RFC 7871 §7.2.1).
    pub(crate) ecs: Option<(Subnet, u8)>,
}

impl End {
    /// An answer of ours, of which nothing else is to be said.
    pub(crate) fn plain(rcode: Rcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            told: None,
            ecs: None,
        }
    }
}

/// The sections a body can go to, as indexes into the header's counts.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    limit: usize,
    body_limit: usize,
    counts: [u16; 4],
    overflowed: bool,
}

impl<'a> Writer<'a> {
    /// Starts a response to `query`, at most `limit` octets long. `None` when not even the question fits.
    pub(crate) fn start(out: &'a mut [u8], packet: &[u8], query: &Query, limit: usize) -> Option<Self> {
        let limit = limit.min(out.len());
        let reserve = query.edns.map_or(0, |edns| match edns.ecs {
            Ecs::Given(subnet) => OPT_LEN + subnet.echoed_len(),
            Ecs::Absent | Ecs::Malformed => OPT_LEN,
        });
        let echoed = packet.get(..query.question_end)?;
        let body_limit = limit.checked_sub(reserve)?;
        if echoed.len() > body_limit {
            return None;
        }
        out.get_mut(..echoed.len())?.copy_from_slice(echoed);
        Some(Self {
            out,
            len: echoed.len(),
            limit,
            body_limit,
            counts: [1, 0, 0, 0],
            overflowed: false,
        })
    }

    /// Appends `count` ready-made records and returns where they start.
    pub(crate) fn put(&mut self, section: Section, count: u16, body: &[u8]) -> usize {
        let start = self.len;
        let end = start + body.len();
        match self.out.get_mut(start..end) {
            Some(into) if end <= self.body_limit => {
                into.copy_from_slice(body);
                self.len = end;
                self.counts[section as usize] = self.counts[section as usize].saturating_add(count);
            }
            Some(_) | None => self.overflowed = true,
        }
        start
    }

    /// The same for records whose owner stands elsewhere in the message than in the question: each of them begins with a pointer.
    pub(crate) fn put_owned(&mut self, section: Section, count: u16, body: &[u8], owner: usize) -> usize {
        let start = self.put(section, count, body);
        if owner != HEADER_LEN && !self.overflowed {
            let mut at = start;
            while at < self.len {
                self.patch(at, pointer(owner));
                at = self.next_record(at);
            }
        }
        start
    }

    /// Gives the records from `start` on, whose owners are pointers, a TTL of at most `ttl_s`.
    pub(crate) fn cap_ttl(&mut self, start: usize, ttl_s: u32) {
        let mut at = start;
        while !self.overflowed && at < self.len {
            if let Some(into) = self.out.get_mut(at + 6..at + 10)
                && *into > ttl_s.to_be_bytes()[..]
            {
                into.copy_from_slice(&ttl_s.to_be_bytes());
            }
            at = self.next_record(at);
        }
    }

    /// Where the record ends that begins at `at` with a pointer.
    fn next_record(&self, at: usize) -> usize {
        let length = self.out.get(at + 10..at + 12);
        let length = length.map_or(usize::MAX, |octets| {
            u16::from_be_bytes([octets[0], octets[1]]).into()
        });
        at.saturating_add(12).saturating_add(length)
    }

    /// Appends one record whose owner is a pointer.
    pub(crate) fn put_record(
        &mut self,
        section: Section,
        owner: u16,
        kind: u16,
        ttl_s: u32,
        rdata: &[u8],
    ) -> usize {
        let mut head = [0; body::RDATA];
        let length = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
        head[..2].copy_from_slice(&owner.to_be_bytes());
        head[2..4].copy_from_slice(&kind.to_be_bytes());
        head[4..6].copy_from_slice(&CLASS_IN.to_be_bytes());
        head[6..10].copy_from_slice(&ttl_s.to_be_bytes());
        head[10..].copy_from_slice(&length.to_be_bytes());
        let start = self.put(section, 1, &head);
        self.put(section, 0, rdata);
        start
    }

    /// Something did not fit: the response will be truncated.
    pub(crate) fn is_full(&self) -> bool {
        self.overflowed
    }

    /// Where the next record will stand.
    pub(crate) fn position(&self) -> usize {
        self.len
    }

    /// What has been written from `start` on.
    pub(crate) fn written(&self, start: usize, len: usize) -> &[u8] {
        self.out.get(start..start + len).unwrap_or_default()
    }

    /// Appends records that may be left out without truncating the response.
    pub(crate) fn put_optional(&mut self, section: Section, count: u16, body: &[u8]) {
        if self.len + body.len() <= self.body_limit {
            self.put(section, count, body);
        }
    }

    /// Overwrites two octets already written: an owner name's compression pointer.
    pub(crate) fn patch(&mut self, at: usize, value: u16) {
        if !self.overflowed
            && let Some(into) = self.out.get_mut(at..at + 2)
        {
            into.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Writes OPT and the header; returns the length and whether the response is truncated.
    pub(crate) fn finish(mut self, query: &Query, end: &End) -> (usize, bool) {
        if self.overflowed {
            self.len = query.question_end;
            self.counts = [1, 0, 0, 0];
        }
        self.opt(query, end);
        let mut flags =
            flag::QR | (query.flags & (flag::OPCODE | flag::RD | flag::CD)) | (end.rcode.number() & 0xf);
        if end.authoritative {
            flags |= flag::AA;
        }
        if self.overflowed {
            flags |= flag::TC;
        }
        if let Some(header) = self.out.get_mut(2..HEADER_LEN) {
            header[..2].copy_from_slice(&flags.to_be_bytes());
            for (into, count) in header[2..].chunks_exact_mut(2).zip(self.counts) {
                into.copy_from_slice(&count.to_be_bytes());
            }
        }
        (self.len, self.overflowed)
    }

    /// OPT if and only if the query had one (RFC 6891 §6.1.1): version 0, DO copied, no option echoed but the client subnet.
    fn opt(&mut self, query: &Query, end: &End) {
        let Some(edns) = query.edns else { return };
        let fixed_at = self.len;
        let subnet_at = fixed_at + OPT_LEN;
        let told_at = subnet_at + end.ecs.map_or(0, |(subnet, _)| subnet.echoed_len());
        let fits = |told: &&[u8]| told_at + told.len() <= self.limit;
        let told = end.told.filter(fits).unwrap_or_default();
        let len = told_at + told.len();
        let payload = EDNS_UDP_PAYLOAD.to_be_bytes();
        let extended = u8::try_from(end.rcode.number() >> 4).unwrap_or(0);
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        let length = u16::try_from(len - subnet_at).unwrap_or(0).to_be_bytes();
        let fixed = [
            0, 0, 41, payload[0], payload[1], extended, 0, flags, 0, length[0], length[1],
        ];
        if let Some(into) = self.out.get_mut(fixed_at..len) {
            let (head, options) = into.split_at_mut(OPT_LEN);
            head.copy_from_slice(&fixed);
            let (subnet_into, told_into) = options.split_at_mut(told_at - subnet_at);
            if let Some((subnet, scope)) = end.ecs {
                subnet.echo(scope, subnet_into);
            }
            told_into.copy_from_slice(told);
            self.len = len;
            self.counts[Section::Additional as usize] += 1;
        }
    }
}

/// A compression pointer (RFC 1035 §4.1.4).
pub(crate) fn pointer(to: usize) -> u16 {
    debug_assert!(to < 0x4000, "a pointer reaches 16 KiB");
    0xc000 | u16::try_from(to).unwrap_or(0)
}
