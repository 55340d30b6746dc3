//! Evidence as it arrived at one consumer, on file: what is needed to decide it again.
//!
//! ```text
//! "lifeboat evidence 1\n" | preamble: len u32, JSON, crc u32 | entry × n
//! entry: at u64 µs | len u16 | datagram | crc u32            integers big-endian, CRC-32 (IEEE) over all before it
//! ```
//! The preamble holds the targets and the profile that were in force at the consumer when it began. A datagram holds what is the
//! observer's: how it probed and whether it abstained, and the region by which it was decided, be it the observer's own or the one it is
//! listed in. That cannot be changed afterwards; how it is judged can.

mod preamble;

use std::io::{self, Read, Write};

use serde::Serialize;

use crate::evidence::{Datagram, DecodeError, decode};
use crate::profile::Profile;
use crate::quorum::Quorum;
use crate::target::{TargetError, check_targets};
use crate::time::MonoTime;
use crate::verdict::Transition;

pub use preamble::Preamble;

const MAGIC: &[u8; 20] = b"lifeboat evidence 1\n";
/// Largest preamble that is read: some ten thousand targets.
const MAX_PREAMBLE_BYTES: u32 = 16 << 20;
/// Largest datagram that is read.
const MAX_DATAGRAM_BYTES: u16 = 1_500;
/// How often the quorum decides in a replay, as in a consumer.
const POLL_MICROS: u64 = 10_000;
/// A longer silence is not polled through: nothing happens in it after the rows are stale.
const LONGEST_SILENCE_MICROS: u64 = 60_000_000;

/// A recording that cannot be read on, and where.
#[derive(Debug, thiserror::Error)]
#[error("the recording is damaged at byte {offset}: {problem}")]
pub struct Damaged {
    pub offset: u64,
    pub problem: Problem,
}

/// What is wrong at a place of a recording.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("not a recording of evidence, or of another version")]
    Magic,
    #[error("it ends in the middle of an entry")]
    Short,
    #[error("the checksum is wrong")]
    Checksum,
    #[error("{0} bytes are more than an entry of this kind may have")]
    Length(u64),
    #[error("the preamble cannot be read: {0}")]
    Preamble(serde_json::Error),
    #[error("the preamble has a target that cannot be: {0}")]
    Target(TargetError),
    #[error("an entry is older than the one before it")]
    Order,
    #[error("a datagram cannot be read: {0}")]
    Datagram(DecodeError),
    #[error("reading: {0}")]
    Io(io::Error),
}

/// Writes a recording.
pub struct Recorder<W> {
    out: W,
}

impl<W: Write> Recorder<W> {
    /// # Errors
    /// The writer's.
    pub fn start(mut out: W, preamble: &Preamble) -> io::Result<Recorder<W>> {
        let json = serde_json::to_vec(preamble)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        let head = [&length.to_be_bytes()[..], &json].concat();
        out.write_all(MAGIC)?;
        out.write_all(&head)?;
        out.write_all(&crc32fast::hash(&head).to_be_bytes())?;
        Ok(Recorder { out })
    }

    /// Goes on with a recording whose preamble is written.
    pub fn resume(out: W) -> Recorder<W> {
        Recorder { out }
    }

    /// A datagram, and when it arrived on the consumer's clock.
    ///
    /// # Errors
    /// The writer's.
    pub fn record(&mut self, at: MonoTime, datagram: &[u8]) -> io::Result<()> {
        let length = u16::try_from(datagram.len()).map_err(io::Error::other)?;
        let entry = [&at.as_micros().to_be_bytes()[..], &length.to_be_bytes(), datagram].concat();
        self.out.write_all(&entry)?;
        self.out.write_all(&crc32fast::hash(&entry).to_be_bytes())
    }

    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a recording, entry by entry.
pub struct Recording<R> {
    input: R,
    offset: u64,
    last: MonoTime,
    pub preamble: Preamble,
}

impl<R: Read> Recording<R> {
    /// # Errors
    /// The preamble is damaged.
    pub fn open(input: R) -> Result<Recording<R>, Damaged> {
        let mut reader = Reader { input, offset: 0 };
        let mut magic = [0; MAGIC.len()];
        reader.fill(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(Damaged {
                offset: 0,
                problem: Problem::Magic,
            });
        }
        let start = reader.offset;
        let damaged = |problem| Damaged {
            offset: start,
            problem,
        };
        let mut length = [0; 4];
        reader.fill(&mut length, start)?;
        let bytes = u32::from_be_bytes(length);
        if bytes > MAX_PREAMBLE_BYTES {
            return Err(damaged(Problem::Length(bytes.into())));
        }
        let json = reader.take(bytes.into(), start)?;
        let mut crc = [0; 4];
        reader.fill(&mut crc, start)?;
        let mut hash = crc32fast::Hasher::new();
        hash.update(&length);
        hash.update(&json);
        if hash.finalize() != u32::from_be_bytes(crc) {
            return Err(damaged(Problem::Checksum));
        }
        let preamble: Preamble =
            serde_json::from_slice(&json).map_err(|error| damaged(Problem::Preamble(error)))?;
        check_targets(&preamble.targets).map_err(|error| damaged(Problem::Target(error)))?;
        Ok(Recording {
            input: reader.input,
            offset: reader.offset,
            last: MonoTime::ZERO,
            preamble,
        })
    }

    /// The next datagram and when it arrived; `None` at the end.
    ///
    /// # Errors
    /// Where the recording is damaged.
    pub fn entry(&mut self) -> Result<Option<(MonoTime, Vec<u8>)>, Damaged> {
        let start = self.offset;
        let mut reader = Reader {
            input: &mut self.input,
            offset: start,
        };
        let damaged = |problem| Damaged {
            offset: start,
            problem,
        };
        let mut head = [0; 10];
        if reader.first(&mut head, start)? {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h, high, low] = head;
        let at = MonoTime::from_micros(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let length = u16::from_be_bytes([high, low]);
        if length > MAX_DATAGRAM_BYTES {
            return Err(damaged(Problem::Length(length.into())));
        }
        let datagram = reader.take(length.into(), start)?;
        let mut crc = [0; 4];
        reader.fill(&mut crc, start)?;
        let mut hash = crc32fast::Hasher::new();
        hash.update(&head);
        hash.update(&datagram);
        if hash.finalize() != u32::from_be_bytes(crc) {
            return Err(damaged(Problem::Checksum));
        }
        if at < self.last {
            return Err(damaged(Problem::Order));
        }
        (self.offset, self.last) = (reader.offset, at);
        Ok(Some((at, datagram)))
    }

    /// Decides the evidence again under `profile`, and hands over each poll: when it was, its transitions, and all that is believed
    /// since; [`Quorum::revision`] has risen where anything changed.
    ///
    /// Where the recording is damaged it stops; what was decided before stands.
    pub fn replay(
        &mut self,
        profile: Profile,
        told: impl FnMut(MonoTime, &[Transition], &Quorum),
    ) -> (Replayed, Result<(), Damaged>) {
        self.replay_fitted(profile, |_| (), told)
    }

    /// The same, with each datagram made to fit `profile` before it is judged.
    pub fn replay_fitted(
        &mut self,
        profile: Profile,
        fit: impl FnMut(&mut Datagram),
        told: impl FnMut(MonoTime, &[Transition], &Quorum),
    ) -> (Replayed, Result<(), Damaged>) {
        let mut replayed = Replayed::default();
        let result = self.decide(profile, fit, told, &mut replayed);
        (replayed, result)
    }

    fn decide(
        &mut self,
        profile: Profile,
        mut fit: impl FnMut(&mut Datagram),
        mut told: impl FnMut(MonoTime, &[Transition], &Quorum),
        replayed: &mut Replayed,
    ) -> Result<(), Damaged> {
        let mut quorum = Quorum::new(self.preamble.targets.clone(), profile);
        let mut next_poll = None;
        loop {
            let offset = self.offset;
            let Some((at, bytes)) = self.entry()? else {
                return Ok(());
            };
            replayed.first.get_or_insert(at);
            replayed.last = Some(at);
            let mut due: u64 = next_poll.unwrap_or(at.as_micros());
            let silence = due.saturating_add(LONGEST_SILENCE_MICROS);
            while due <= at.as_micros() && due <= silence {
                let now = MonoTime::from_micros(due);
                let transitions = quorum.poll(now);
                told(now, &transitions, &quorum);
                let Some(later) = due.checked_add(POLL_MICROS) else {
                    break;
                };
                due = later;
            }
            next_poll = Some(due.max(at.as_micros()));
            let mut datagram = decode(&bytes).map_err(|error| Damaged {
                offset,
                problem: Problem::Datagram(error),
            })?;
            replayed.datagrams += 1;
            fit(&mut datagram);
            match quorum.ingest(&datagram, at) {
                Ok(_) => {}
                Err(_) => replayed.rejected += 1,
            }
        }
    }
}

/// How much a replay went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    pub datagrams: u64,
    /// Datagrams that the quorum did not take: replays, late ones.
    pub rejected: u64,
    pub first: Option<MonoTime>,
    pub last: Option<MonoTime>,
}

struct Reader<R> {
    input: R,
    offset: u64,
}

impl<R: Read> Reader<R> {
    /// Fills `bytes`; the entry that they belong to began at `start`.
    fn fill(&mut self, bytes: &mut [u8], start: u64) -> Result<(), Damaged> {
        self.input.read_exact(bytes).map_err(|error| Damaged {
            offset: start,
            problem: if error.kind() == io::ErrorKind::UnexpectedEof {
                Problem::Short
            } else {
                Problem::Io(error)
            },
        })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Like `fill`, but whether the input ends right here is no fault.
    fn first(&mut self, bytes: &mut [u8], start: u64) -> Result<bool, Damaged> {
        let Some((first, rest)) = bytes.split_first_mut() else {
            return Ok(false);
        };
        match self.fill(std::slice::from_mut(first), start) {
            Ok(()) => self.fill(rest, start).map(|()| false),
            Err(Damaged {
                problem: Problem::Short,
                ..
            }) => Ok(true),
            Err(damaged) => Err(damaged),
        }
    }

    /// Reads as much as there is before it believes a length.
    fn take(&mut self, length: u64, start: u64) -> Result<Vec<u8>, Damaged> {
        let mut bytes = Vec::new();
        let read = (&mut self.input)
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(|error| Damaged {
                offset: start,
                problem: Problem::Io(error),
            })?;
        if read as u64 != length {
            return Err(Damaged {
                offset: start,
                problem: Problem::Short,
            });
        }
        self.offset += length;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
