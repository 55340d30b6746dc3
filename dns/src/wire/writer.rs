//! Writes one response: header, the question as it came, ready-made bodies, OPT. Knows its size limit; what does
//! not fit turns the response into a truncated one with empty sections (RFC 2181 §9).

use super::ecs::{Ecs, Subnet};
use super::query::{KEEPALIVE, NSID, Query};
use super::{CLASS_IN, EDNS_UDP_PAYLOAD, HEADER_LEN, Rcode, body, flag};
use crate::cookie;
use crate::meter::Metered;

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

/// Options of a response that the query asked for, beside the client subnet. There is always room for them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Granted<'a> {
    pub(crate) cookie: Option<[u8; cookie::WHOLE_LEN]>,
    /// Who answers (RFC 5001).
    pub(crate) nsid: Option<&'a [u8]>,
    /// How long the connection may be idle, in tenths of a second (RFC 7828).
    pub(crate) keepalive: Option<u16>,
}

/// Option code and length.
const OPTION_HEAD: usize = 4;

impl Granted<'_> {
    fn each(&self, mut put: impl FnMut(u16, &[u8])) {
        if let Some(cookie) = &self.cookie {
            put(cookie::CODE, cookie);
        }
        if let Some(nsid) = self.nsid {
            put(NSID, nsid);
        }
        if let Some(tenths) = self.keepalive {
            put(KEEPALIVE, &tenths.to_be_bytes());
        }
    }

    fn len(&self) -> usize {
        let mut len = 0;
        self.each(|_, data| len += OPTION_HEAD + data.len());
        len
    }

    fn write(&self, into: &mut [u8]) {
        let mut at = 0;
        self.each(|code, data| {
            let end = at + OPTION_HEAD + data.len();
            if let Some(into) = into.get_mut(at..end) {
                let length = u16::try_from(data.len()).unwrap_or(0);
                into[..2].copy_from_slice(&code.to_be_bytes());
                into[2..OPTION_HEAD].copy_from_slice(&length.to_be_bytes());
                into[OPTION_HEAD..].copy_from_slice(data);
            }
            at = end;
        });
    }
}

/// What a response came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) len: usize,
    /// The last octets of these, which are OPT.
    pub(crate) opt_len: usize,
    pub(crate) truncated: bool,
}

/// How a response ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
    /// Options to tell where there is room: an extended error.
    pub(crate) told: Option<&'static [u8]>,
    /// The client subnet to echo, with the scope of the answer (RFC 7871 §7.2.1).
    pub(crate) ecs: Option<(Subnet, u8)>,
    pub(crate) granted: Granted<'a>,
    /// What the query is counted by.
    pub(crate) metered: Metered,
}

impl End<'_> {
    /// An answer of ours, of which nothing else is to be said.
    pub(crate) fn plain(rcode: Rcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            told: None,
            ecs: None,
            granted: Granted {
                cookie: None,
                nsid: None,
                keepalive: None,
            },
            metered: Metered::default(),
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
    /// Starts a response to `query`, at most `limit` octets long, with room for what is granted. `None` when not even the
    /// question fits.
    pub(crate) fn start(
        out: &'a mut [u8],
        packet: &[u8],
        query: &Query,
        limit: usize,
        granted: &Granted<'_>,
    ) -> Option<Self> {
        let limit = limit.min(out.len());
        let reserve = query.edns.map_or(0, |edns| match edns.ecs {
            Ecs::Given(subnet) => OPT_LEN + subnet.echoed_len(),
            Ecs::Absent | Ecs::Malformed => OPT_LEN,
        }) + granted.len();
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
            counts: [questions(query), 0, 0, 0],
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

    /// Says in the two octets before `at` how many have been written from there on.
    pub(crate) fn patch_length(&mut self, at: usize) {
        let length = self.len.saturating_sub(at);
        self.patch(at.saturating_sub(2), u16::try_from(length).unwrap_or(u16::MAX));
    }

    /// Writes OPT and the header.
    pub(crate) fn finish(mut self, query: &Query, end: &End<'_>) -> Written {
        if self.overflowed {
            self.len = query.question_end;
            self.counts = [questions(query), 0, 0, 0];
        }
        let opt_at = self.len;
        self.opt(query, end);
        // AD and CD are clear (RFC 4035 §3.1.6).
        let mut flags = flag::QR | (query.flags & (flag::OPCODE | flag::RD)) | (end.rcode.number() & 0xf);
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
        Written {
            len: self.len,
            opt_len: self.len - opt_at,
            truncated: self.overflowed,
        }
    }

    /// OPT if and only if the query had one (RFC 6891 §6.1.1): version 0, DO copied, no option but what was asked for and
    /// is known, and an extended error.
    fn opt(&mut self, query: &Query, end: &End<'_>) {
        let Some(edns) = query.edns else { return };
        let fixed_at = self.len;
        let subnet_at = fixed_at + OPT_LEN;
        let granted_at = subnet_at + end.ecs.map_or(0, |(subnet, _)| subnet.echoed_len());
        let told_at = granted_at + end.granted.len();
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
            let (asked_into, told_into) = options.split_at_mut(told_at - subnet_at);
            let (subnet_into, granted_into) = asked_into.split_at_mut(granted_at - subnet_at);
            if let Some((subnet, scope)) = end.ecs {
                subnet.echo(scope, subnet_into);
            }
            end.granted.write(granted_into);
            told_into.copy_from_slice(told);
            self.len = len;
            self.counts[Section::Additional as usize] += 1;
        }
    }
}

/// None in a query for a server cookie alone (RFC 7873 §5.4).
fn questions(query: &Query) -> u16 {
    u16::from(query.question_end > HEADER_LEN)
}

/// A compression pointer (RFC 1035 §4.1.4).
pub(crate) fn pointer(to: usize) -> u16 {
    debug_assert!(to < 0x4000, "a pointer reaches 16 KiB");
    0xc000 | u16::try_from(to).unwrap_or(0)
}
