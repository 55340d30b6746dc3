//! Buckets of tokens in a table of a fixed size. A bucket is one atomic word: threads share it without a lock, and what many
//! prefixes at once cannot have is precision, never more memory.
//!
//! A word has a tag, which tells prefixes apart that share a line, and the time at which its bucket will be full again: the generic
//! cell rate algorithm (ITU-T I.371), which needs no second number and no clock of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use super::rules::Prefix;

/// Buckets of a line: a prefix is in one of them.
const WAYS: usize = 8;
const TAG_BITS: u32 = 20;
const TIME_BITS: u32 = u64::BITS - TAG_BITS;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
/// Time in a word is in sixteenths of a microsecond, so that high rates are exact; it wraps after twelve days.
const TICKS_PER_US: u64 = 16;
/// A bucket holds the tokens of one second.
const DEPTH: u64 = 1_000_000 * TICKS_PER_US;
/// What a word may be ahead of the clock: its bucket's depth, and as much as threads' clocks differ. Whatever is further ahead
/// has passed, and the time has wrapped since.
const MAX_AHEAD: u64 = 4 * DEPTH;
/// Attempts to change a word that other threads change too; after that the answer goes uncounted.
const ATTEMPTS: usize = 4;

/// How fast a bucket fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Ticks a token takes.
    token: u64,
}

impl Rate {
    pub(super) fn per_second(tokens: u32) -> Self {
        Self {
            token: (DEPTH / u64::from(tokens.max(1))).max(1),
        }
    }
}

#[derive(Debug)]
struct Line([AtomicU64; WAYS]);

#[derive(Debug)]
pub(super) struct Table {
    lines: Box<[Line]>,
    key: [u8; 16],
}

impl Table {
    /// At least `size` buckets.
    pub(super) fn new(size: usize, key: [u8; 16]) -> Self {
        let lines = size.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            lines: (0..lines).map(|_| Line(Default::default())).collect(),
            key,
        }
    }

    /// Takes a token of a prefix's bucket; false where there is none.
    pub(super) fn take(&self, prefix: Prefix, class: u8, rate: Rate, now_us: u64) -> bool {
        let mut input = [0; 18];
        input[..16].copy_from_slice(&prefix.bits.to_be_bytes());
        input[16..].copy_from_slice(&[prefix.length, class]);
        let hash = SipHasher13::new_with_key(&self.key).hash(&input);
        let now = now_us.wrapping_mul(TICKS_PER_US);
        // The tag is of other bits than the line; none is 0, which is what an empty word has.
        let tag = (hash >> TIME_BITS) | 1;
        let index = usize::try_from(hash & TIME_MASK).unwrap_or(0) & (self.lines.len() - 1);
        let Some(Line(words)) = self.lines.get(index) else {
            return true;
        };
        for _ in 0..ATTEMPTS {
            let (word, held) = find(words, tag, now);
            let owed = if held >> TIME_BITS == tag {
                debt(held, now)
            } else {
                0
            };
            let owed = owed + rate.token;
            if owed > DEPTH {
                return false;
            }
            let new = tag << TIME_BITS | (now.wrapping_add(owed) & TIME_MASK);
            if word
                .compare_exchange_weak(held, new, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
        true
    }
}

/// Ticks until the bucket is full: 0 for one that is.
fn debt(word: u64, now: u64) -> u64 {
    let ahead = (word & TIME_MASK).wrapping_sub(now) & TIME_MASK;
    if ahead <= MAX_AHEAD { ahead } else { 0 }
}

/// The bucket with that tag, or else the one that is the fullest, which loses the least.
fn find(words: &[AtomicU64; WAYS], tag: u64, now: u64) -> (&AtomicU64, u64) {
    let mut fullest = (&words[0], words[0].load(Ordering::Relaxed));
    for word in words {
        let held = word.load(Ordering::Relaxed);
        if held >> TIME_BITS == tag {
            return (word, held);
        }
        if debt(held, now) < debt(fullest.1, now) {
            fullest = (word, held);
        }
    }
    fullest
}
