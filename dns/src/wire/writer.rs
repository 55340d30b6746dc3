//! Writes one response: header, the question as it came, ready-made bodies, OPT. Knows its size limit; what does
//! not fit turns the response into a truncated one with empty sections (RFC 2181 §9).

use super::query::Query;
use super::{CLASS_IN, EDNS_UDP_PAYLOAD, HEADER_LEN, Rcode, body, flag};

/// An OPT record without options.
const OPT_LEN: usize = 11;

/// What a response says of itself beyond its code (RFC 8914).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extended {
    /// The health of every candidate is in doubt.
    LastGood,
    /// The zone could not be loaded.
    InvalidData,
    /// The name is in no zone of ours.
    NotAuthoritative,
}

impl Extended {
    /// The EDNS option.
    fn option(self) -> &'static [u8] {
        match self {
            // "Other" (§4.1).
            Self::LastGood => b"\x00\x0f\x00\x0f\x00\x00last good set",
            // "Invalid Data" (§4.25).
            Self::InvalidData => b"\x00\x0f\x00\x11\x00\x18zone not loaded",
            // "Not Authoritative" (§4.21).
            Self::NotAuthoritative => b"\x00\x0f\x00\x02\x00\x14",
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
    body_limit: usize,
    counts: [u16; 4],
    overflowed: bool,
}

impl<'a> Writer<'a> {
    /// Starts a response to `query`, at most `limit` octets long. `None` when not even the question fits.
    pub(crate) fn start(out: &'a mut [u8], packet: &[u8], query: &Query, limit: usize) -> Option<Self> {
        let limit = limit.min(out.len());
        let reserve = if query.edns.is_some() { OPT_LEN } else { 0 };
        let echoed = packet.get(..query.question_end)?;
        let body_limit = limit.checked_sub(reserve)?;
        if echoed.len() > body_limit {
            return None;
        }
        out.get_mut(..echoed.len())?.copy_from_slice(echoed);
        Some(Self {
            out,
            len: echoed.len(),
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
                let length = self.out.get(at + 10..at + 12);
                let length = length.map_or(usize::MAX, |octets| {
                    u16::from_be_bytes([octets[0], octets[1]]).into()
                });
                at = at.saturating_add(12).saturating_add(length);
            }
        }
        start
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
    pub(crate) fn finish(
        mut self,
        query: &Query,
        rcode: Rcode,
        authoritative: bool,
        extended: Option<Extended>,
    ) -> (usize, bool) {
        if self.overflowed {
            self.len = query.question_end;
            self.counts = [1, 0, 0, 0];
        }
        self.opt(query, rcode, extended);
        let mut flags =
            flag::QR | (query.flags & (flag::OPCODE | flag::RD | flag::CD)) | (rcode.number() & 0xf);
        if authoritative {
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

    /// OPT if and only if the query had one (RFC 6891 §6.1.1): version 0, DO copied, no option echoed.
    fn opt(&mut self, query: &Query, rcode: Rcode, extended: Option<Extended>) {
        let Some(edns) = query.edns else { return };
        let room = (self.body_limit + OPT_LEN).saturating_sub(self.len + OPT_LEN);
        let option = extended.map_or(&[][..], Extended::option);
        let options = if option.len() <= room { option } else { &[] };
        let payload = EDNS_UDP_PAYLOAD.to_be_bytes();
        let extended = u8::try_from(rcode.number() >> 4).unwrap_or(0);
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        let length = u16::try_from(options.len()).unwrap_or(0).to_be_bytes();
        let fixed = [
            0, 0, 41, payload[0], payload[1], extended, 0, flags, 0, length[0], length[1],
        ];
        let end = self.len + OPT_LEN + options.len();
        if let Some(into) = self.out.get_mut(self.len..end) {
            into[..OPT_LEN].copy_from_slice(&fixed);
            into[OPT_LEN..].copy_from_slice(options);
            self.len = end;
            self.counts[Section::Additional as usize] += 1;
        }
    }
}

/// A compression pointer (RFC 1035 §4.1.4).
pub(crate) fn pointer(to: usize) -> u16 {
    debug_assert!(to < 0x4000, "a pointer reaches 16 KiB");
    0xc000 | u16::try_from(to).unwrap_or(0)
}
