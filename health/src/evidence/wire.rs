//! The datagram on the wire, version 3; integers are big-endian.
//!
//! ```text
//! "LE" version=3 flags | boot u64 | seq u64 | sent_at u64 µs | observer: len u8, text | region: len u8, text | probing | rows u8 | row × rows
//! probing: interval u16 | jitter u8 % | timeout min u16 | timeout max u16 | phase timeout u16 | late u16 | send u16
//!      | loop lag u16, ms but for the jitter                                                       (15 bytes)
//! row: target u64 | miss u16 | success u16 | good u8 | hard u8 | rtt_us u32 | age_ms u32           (22 bytes)
//!      | heard_at u16 | late u8 | errors u8 | error streak u8 | usual_rtt_us u32
//!      | user requests u16 | user errors u16 ‰                                                     (35 bytes)
//! ```
//! Version 2 had no probing, and version 1 ended each row after 22 bytes. Both are still read, as of observers that do not say how they
//! probe, or nothing of gray failure, and recordings hold them; so consumers are upgraded before observers.

use super::{Datagram, Hard, Header, Row};
use crate::profile::Probing;
use crate::target::TargetId;
use crate::time::MonoTime;

/// Largest datagram that is ever made: it fits the payload of a QUIC packet at the least MTU of 1200 bytes.
pub const MAX_DATAGRAM_BYTES: usize = 1_100;
/// Longest name of an observer or a region.
pub const MAX_NAME_BYTES: usize = 63;
/// Every row has this size.
pub const ROW_BYTES: usize = 35;

const MAGIC: [u8; 2] = *b"LE";
const VERSION: u8 = 3;
/// Of what does not say how it was probed.
const WITHOUT_PROBING: u8 = 2;
/// The oldest version that is read.
const OLDEST: u8 = 1;
const FLAG_ABSTAIN: u8 = 1;
/// Where the observer's name begins, with its length.
const OBSERVER_AT: usize = 4 + 8 * 3;
const PROBING_BYTES: usize = 15;
const FIXED_BYTES: usize = OBSERVER_AT + 1 + 1 + PROBING_BYTES + 1;
/// Largest datagram that is read.
const MAX_READ_BYTES: usize = 1_200;

/// Why bytes are not a datagram of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum DecodeError {
    #[error("longer than {MAX_READ_BYTES} bytes")]
    TooLong,
    #[error("shorter than its fields say")]
    Truncated,
    #[error("bytes after the last row")]
    Trailing,
    #[error("not evidence: the first two bytes are not LE")]
    Magic,
    #[error("version {0}, this reader knows versions {OLDEST} to {VERSION}")]
    Version(u8),
    #[error("flags {0:#04x} are not known")]
    Flags(u8),
    #[error("a name is empty, longer than {MAX_NAME_BYTES} bytes, or not printable ASCII")]
    Name,
    #[error("an interval of {interval_ms} ms with a jitter of {jitter_percent} % cannot be probed at")]
    Probing { interval_ms: u16, jitter_percent: u8 },
    #[error("a row counts {0} probes of 100")]
    Share(u8),
    #[error("a row has both a streak of misses and a streak of successes")]
    Streaks,
    #[error("a row was answered after {0} misses of a shorter streak")]
    Heard(u16),
    #[error("a row says that {0} of 1000 requests of users failed")]
    Users(u16),
}

/// How many bytes one table of `rows` rows takes at most.
pub fn table_bytes(rows: usize) -> usize {
    let per_datagram = (MAX_DATAGRAM_BYTES - FIXED_BYTES - 2 * MAX_NAME_BYTES) / ROW_BYTES;
    rows.div_ceil(per_datagram).max(1) * MAX_DATAGRAM_BYTES
}

/// Encode a whole table as independent datagrams. `header.seq` numbers the first; the next free one is returned.
/// A table without rows still makes one datagram: it carries the self-check.
///
/// Names longer than [`MAX_NAME_BYTES`] are cut; [`crate::Header`]'s maker checks them before. What does not say how it was probed, as
/// read from an older version, is version 2.
pub fn encode_table(header: &Header, rows: &[Row], mut emit: impl FnMut(Vec<u8>)) -> u64 {
    let (observer, region) = (cut(&header.observer), cut(&header.region));
    let head = FIXED_BYTES + observer.len() + region.len();
    let per_datagram = ((MAX_DATAGRAM_BYTES - head) / ROW_BYTES).min(usize::from(u8::MAX));
    let mut seq = header.seq;
    let mut rest = rows;
    loop {
        let (these, after) = rest.split_at(rest.len().min(per_datagram));
        let mut out = Vec::with_capacity(head + these.len() * ROW_BYTES);
        out.extend_from_slice(&MAGIC);
        out.push(header.probing.map_or(WITHOUT_PROBING, |_| VERSION));
        out.push(if header.abstain { FLAG_ABSTAIN } else { 0 });
        out.extend_from_slice(&header.boot.to_be_bytes());
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&header.sent_at.as_micros().to_be_bytes());
        for name in [observer, region] {
            out.push(u8::try_from(name.len()).unwrap_or(0));
            out.extend_from_slice(name);
        }
        if let Some(probing) = &header.probing {
            put_probing(&mut out, probing);
        }
        out.push(u8::try_from(these.len()).unwrap_or(u8::MAX));
        for row in these {
            put_row(&mut out, row);
        }
        emit(out);
        seq = seq.wrapping_add(1);
        rest = after;
        if rest.is_empty() {
            return seq;
        }
    }
}

fn cut(name: &str) -> &[u8] {
    let bytes = name.as_bytes();
    bytes.get(..MAX_NAME_BYTES).unwrap_or(bytes)
}

fn put_probing(out: &mut Vec<u8>, probing: &Probing) {
    let Probing {
        interval_ms,
        jitter_percent,
        timeout_min_ms,
        timeout_max_ms,
        phase_timeout_ms,
        late_ms,
        send_ms,
        loop_lag_ms,
    } = *probing;
    out.extend_from_slice(&interval_ms.to_be_bytes());
    out.push(jitter_percent);
    for ms in [
        timeout_min_ms,
        timeout_max_ms,
        phase_timeout_ms,
        late_ms,
        send_ms,
        loop_lag_ms,
    ] {
        out.extend_from_slice(&ms.to_be_bytes());
    }
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(&row.target.0.to_be_bytes());
    out.extend_from_slice(&row.miss_streak.to_be_bytes());
    out.extend_from_slice(&row.success_streak.to_be_bytes());
    out.push(row.good_of_100);
    out.push(row.hard.0);
    out.extend_from_slice(&row.rtt_us.to_be_bytes());
    out.extend_from_slice(&row.age_ms.to_be_bytes());
    out.extend_from_slice(&row.heard_at.to_be_bytes());
    out.extend_from_slice(&[row.late_of_100, row.errors_of_100, row.error_streak]);
    out.extend_from_slice(&row.usual_rtt_us.to_be_bytes());
    out.extend_from_slice(&row.user_requests.to_be_bytes());
    out.extend_from_slice(&row.user_errors_permille.to_be_bytes());
}

/// The same datagram with another region, of whatever version: what stands in a recording is what was decided by. Characters
/// that a datagram's names cannot have become hyphens, and too long a name is cut.
///
/// Bytes that are no datagram, or would be too long for one, stay as they are.
pub(crate) fn in_region(bytes: &[u8], region: &str) -> Vec<u8> {
    let plain = |byte: u8| if byte.is_ascii_graphic() { byte } else { b'-' };
    let region: Vec<u8> = cut(region).iter().copied().map(plain).collect();
    let name_at = |at: usize| Some(at + 1 + usize::from(*bytes.get(at)?));
    let spliced = || {
        let from = name_at(OBSERVER_AT)?;
        let (before, after) = (bytes.get(..from)?, bytes.get(name_at(from)?..)?);
        let length = u8::try_from(region.len()).ok()?;
        Some([before, &[length], &region, after].concat())
    };
    let spliced = spliced().filter(|spliced| spliced.len() <= MAX_READ_BYTES);
    spliced.unwrap_or_else(|| bytes.to_vec())
}

/// Decode one datagram, strictly.
///
/// # Errors
/// What is wrong with the bytes; nothing of a datagram that is wrong in one place is used.
pub fn decode(bytes: &[u8]) -> Result<Datagram, DecodeError> {
    if bytes.len() > MAX_READ_BYTES {
        return Err(DecodeError::TooLong);
    }
    let mut reader = Reader { rest: bytes };
    if reader.take::<2>()? != MAGIC {
        return Err(DecodeError::Magic);
    }
    let version = reader.byte()?;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(DecodeError::Version(version));
    }
    let flags = reader.byte()?;
    if flags & !FLAG_ABSTAIN != 0 {
        return Err(DecodeError::Flags(flags));
    }
    let boot = u64::from_be_bytes(reader.take()?);
    let seq = u64::from_be_bytes(reader.take()?);
    let sent_at = MonoTime::from_micros(u64::from_be_bytes(reader.take()?));
    let observer = reader.name()?;
    if observer.is_empty() {
        return Err(DecodeError::Name);
    }
    let region = reader.name()?;
    let probing = if version > WITHOUT_PROBING {
        Some(reader.probing()?)
    } else {
        None
    };
    let count = reader.byte()?;
    let mut rows = Vec::with_capacity(usize::from(count).min(MAX_READ_BYTES / ROW_BYTES));
    for _ in 0..count {
        rows.push(reader.row(version)?);
    }
    if !reader.rest.is_empty() {
        return Err(DecodeError::Trailing);
    }
    let header = Header {
        observer,
        region,
        boot,
        seq,
        sent_at,
        abstain: flags & FLAG_ABSTAIN != 0,
        probing,
    };
    Ok(Datagram { header, rows })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn name(&mut self) -> Result<String, DecodeError> {
        let length = usize::from(self.byte()?);
        if length > MAX_NAME_BYTES {
            return Err(DecodeError::Name);
        }
        let (name, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        if !name.iter().all(u8::is_ascii_graphic) {
            return Err(DecodeError::Name);
        }
        String::from_utf8(name.to_vec()).map_err(|_| DecodeError::Name)
    }

    fn short(&mut self) -> Result<u16, DecodeError> {
        self.take().map(u16::from_be_bytes)
    }

    fn probing(&mut self) -> Result<Probing, DecodeError> {
        let (interval_ms, jitter_percent) = (self.short()?, self.byte()?);
        if interval_ms == 0 || jitter_percent > 100 {
            return Err(DecodeError::Probing {
                interval_ms,
                jitter_percent,
            });
        }
        Ok(Probing {
            interval_ms,
            jitter_percent,
            timeout_min_ms: self.short()?,
            timeout_max_ms: self.short()?,
            phase_timeout_ms: self.short()?,
            late_ms: self.short()?,
            send_ms: self.short()?,
            loop_lag_ms: self.short()?,
        })
    }

    fn row(&mut self, version: u8) -> Result<Row, DecodeError> {
        let target = TargetId(u64::from_be_bytes(self.take()?));
        let miss_streak = self.short()?;
        let success_streak = self.short()?;
        let good_of_100 = self.byte()?;
        let hard = Hard(self.byte()?);
        let rtt_us = u32::from_be_bytes(self.take()?);
        let age_ms = u32::from_be_bytes(self.take()?);
        if miss_streak > 0 && success_streak > 0 {
            return Err(DecodeError::Streaks);
        }
        let mut row = Row {
            target,
            miss_streak,
            success_streak,
            good_of_100,
            hard,
            rtt_us,
            age_ms,
            ..Row::default()
        };
        if version > OLDEST {
            self.gray(&mut row)?;
        }
        let shares = [row.good_of_100, row.late_of_100, row.errors_of_100];
        match shares.into_iter().find(|share| *share > 100) {
            Some(share) => Err(DecodeError::Share(share)),
            None => Ok(row),
        }
    }

    /// What a row of version 2 has beyond one of version 1.
    fn gray(&mut self, row: &mut Row) -> Result<(), DecodeError> {
        row.heard_at = self.short()?;
        [row.late_of_100, row.errors_of_100, row.error_streak] = self.take()?;
        row.usual_rtt_us = u32::from_be_bytes(self.take()?);
        row.user_requests = self.short()?;
        row.user_errors_permille = self.short()?;
        if row.heard_at > row.miss_streak {
            return Err(DecodeError::Heard(row.heard_at));
        }
        if row.user_errors_permille > 1_000 {
            return Err(DecodeError::Users(row.user_errors_permille));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
