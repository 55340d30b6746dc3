//! Writes one response: header, the question as it came, ready-made bodies, OPT. Knows its size limit; what does
//! not fit turns the response into a truncated one with empty sections (RFC 2181 §9).

use super::query::Query;
use super::{EDNS_UDP_PAYLOAD, HEADER_LEN, Rcode, flag};

/// An OPT record without options.
const OPT_LEN: usize = 11;
/// EDE 0 "Other" (RFC 8914 §4.1) saying that the health of every candidate is in doubt.
const EDE_LAST_GOOD: &[u8] = b"\x00\x0f\x00\x0f\x00\x00last good set";

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
        last_good: bool,
    ) -> (usize, bool) {
        if self.overflowed {
            self.len = query.question_end;
            self.counts = [1, 0, 0, 0];
        }
        self.opt(query, rcode, last_good);
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
    fn opt(&mut self, query: &Query, rcode: Rcode, last_good: bool) {
        let Some(edns) = query.edns else { return };
        let room = (self.body_limit + OPT_LEN).saturating_sub(self.len + OPT_LEN);
        let options = if last_good && EDE_LAST_GOOD.len() <= room {
            EDE_LAST_GOOD
        } else {
            &[]
        };
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
