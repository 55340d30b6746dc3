//! From an address to the value of the longest prefix that holds it: disjoint sorted ranges, found through an index of the
//! address's first bits and a search among the few ranges that begin there.
//!
//! With a range come its neighbours, and so the shortest prefix around the address that lies in the range as a whole: what an
//! answer may be cached for (RFC 7871 §7.2.1). Prefixes found so never overlap, because ranges do not.

use std::net::IpAddr;

use ipnet::IpNet;
use lifeboat_health::Family;

use crate::steer::client::Client;

/// A range of which nothing is known.
const NOTHING: u32 = u32::MAX;
/// The index has as many entries as there are ranges, up to 2^20.
const MAX_INDEX_BITS: u32 = 20;

/// Values by prefix, for both families.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Prefixes {
    /// The value of an address, and the length of the shortest prefix around it that has this value everywhere.
    pub(crate) fn find(&self, client: &Client) -> (Option<u32>, u8) {
        match client.family {
            Family::V4 => self.v4.find(u32::try_from(client.bits >> 96).unwrap_or(0)),
            Family::V6 => self.v6.find(client.bits),
        }
    }
}

/// What ranges need of an address.
trait Bits: Copy + Ord + Default {
    const WIDTH: u32;
    /// The first `bits` bits.
    fn first(self, bits: u32) -> usize;
    /// How many leading bits two addresses share.
    fn shared(self, other: Self) -> u8;
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
}

macro_rules! bits {
    ($type:ty) => {
        impl Bits for $type {
            const WIDTH: u32 = <$type>::BITS;

            fn first(self, bits: u32) -> usize {
                let first = self.checked_shr(Self::WIDTH - bits).unwrap_or(0);
                usize::try_from(first).unwrap_or(0)
            }

            fn shared(self, other: Self) -> u8 {
                u8::try_from((self ^ other).leading_zeros()).unwrap_or(u8::MAX)
            }

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    };
}
bits!(u32);
bits!(u128);

#[derive(Debug)]
struct Ranges<K> {
    /// Where each range begins, with its value; the first at 0, each ends before the next. Side by side, since an answer reads
    /// both: one wait for memory and not two.
    begins: Box<[(K, u32)]>,
    /// By the first bits of an address, how many ranges begin below all addresses with these bits.
    index: Box<[u32]>,
    index_bits: u32,
}

impl<K: Bits> Default for Ranges<K> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<K: Bits> Ranges<K> {
    /// Of ranges in order; neighbours may have the same value, and the first may begin above 0.
    fn new(ranges: Vec<(K, u32)>) -> Self {
        let mut begins = vec![(K::default(), NOTHING)];
        for (start, value) in ranges {
            if start == K::default() {
                begins = vec![(start, value)];
            } else if begins.last().is_none_or(|(_, last)| *last != value) {
                begins.push((start, value));
            }
        }
        let index_bits = begins.len().ilog2().min(MAX_INDEX_BITS);
        let mut index = vec![0; (1 << index_bits) + 1];
        for (start, _) in &begins {
            if let Some(count) = index.get_mut(start.first(index_bits) + 1) {
                *count += 1;
            }
        }
        let mut below = 0;
        for count in &mut index {
            below += *count;
            *count = below;
        }
        Self {
            begins: begins.into_boxed_slice(),
            index: index.into_boxed_slice(),
            index_bits,
        }
    }

    fn find(&self, address: K) -> (Option<u32>, u8) {
        let bucket = address.first(self.index_bits);
        let (Some(&from), Some(&to)) = (self.index.get(bucket), self.index.get(bucket + 1)) else {
            return (None, 0);
        };
        let (from, to) = (from as usize, to as usize);
        let begun = self.begins.get(from..to).unwrap_or_default();
        // The first range begins at 0, so that one has begun at or below any address.
        let at = (from + begun.partition_point(|(start, _)| *start <= address)).saturating_sub(1);
        let (start, value) = self.begins.get(at).copied().unzip();
        let value = value.filter(|value| *value != NOTHING);
        let below = start.and_then(Bits::before);
        let above = self.begins.get(at + 1).map(|(start, _)| *start);
        let len = below
            .into_iter()
            .chain(above)
            .map(|outside| address.shared(outside) + 1)
            .max();
        (value, len.unwrap_or(0))
    }
}

/// Prefixes while they are put together; of equal ones the last counts.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    v4: Vec<Prefix<u32>>,
    v6: Vec<Prefix<u128>>,
}

#[derive(Clone, Copy, Debug)]
struct Prefix<K> {
    first: K,
    last: K,
    len: u8,
    value: u32,
}

impl Builder {
    pub(crate) fn add(&mut self, prefix: IpNet, value: u32) {
        let len = prefix.prefix_len();
        match (prefix.network(), prefix.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.push(Prefix {
                first: first.to_bits(),
                last: last.to_bits(),
                len,
                value,
            }),
            (IpAddr::V6(first), IpAddr::V6(last)) => self.v6.push(Prefix {
                first: first.to_bits(),
                last: last.to_bits(),
                len,
                value,
            }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    pub(crate) fn finish(self) -> Prefixes {
        self.finish_under(Self::default())
    }

    /// With `over` winning wherever it has a value.
    pub(crate) fn finish_under(self, over: Self) -> Prefixes {
        Prefixes {
            v4: Ranges::new(overlaid(flattened(self.v4), flattened(over.v4))),
            v6: Ranges::new(overlaid(flattened(self.v6), flattened(over.v6))),
        }
    }
}

/// Nested prefixes as ranges in order, each with the value of the longest prefix over it.
fn flattened<K: Bits>(mut prefixes: Vec<Prefix<K>>) -> Vec<(K, u32)> {
    prefixes.sort_by_key(|prefix| (prefix.first, prefix.len));
    let mut ranges: Vec<(K, u32)> = Vec::new();
    let mut open: Vec<(K, u32)> = Vec::new();
    let close = |open: &mut Vec<(K, u32)>, ranges: &mut Vec<(K, u32)>, until: Option<K>| {
        while let Some(&(last, _)) = open.last() {
            if until.is_some_and(|until| last >= until) {
                break;
            }
            open.pop();
            if let Some(next) = last.after() {
                let value = open.last().map_or(NOTHING, |(_, value)| *value);
                begin(ranges, next, value);
            }
        }
    };
    for prefix in prefixes {
        close(&mut open, &mut ranges, Some(prefix.first));
        begin(&mut ranges, prefix.first, prefix.value);
        open.push((prefix.last, prefix.value));
    }
    close(&mut open, &mut ranges, None);
    ranges
}

/// Begins a range; one that would have begun at the same place is empty.
fn begin<K: Bits>(ranges: &mut Vec<(K, u32)>, start: K, value: u32) {
    if ranges.last().is_some_and(|(last, _)| *last == start) {
        ranges.pop();
    }
    ranges.push((start, value));
}

/// The ranges of `over` where it has a value, those of `under` elsewhere.
fn overlaid<K: Bits>(under: Vec<(K, u32)>, over: Vec<(K, u32)>) -> Vec<(K, u32)> {
    if over.is_empty() {
        return under;
    }
    let mut ranges = Vec::with_capacity(under.len() + over.len());
    let (mut under, mut over) = (under.into_iter().peekable(), over.into_iter().peekable());
    let (mut below, mut above) = (NOTHING, NOTHING);
    loop {
        let start = match (under.peek(), over.peek()) {
            (None, None) => return ranges,
            (Some((start, _)), None) | (None, Some((start, _))) => *start,
            (Some((left, _)), Some((right, _))) => *left.min(right),
        };
        if let Some((_, value)) = under.next_if(|(at, _)| *at == start) {
            below = value;
        }
        if let Some((_, value)) = over.next_if(|(at, _)| *at == start) {
            above = value;
        }
        ranges.push((start, if above == NOTHING { below } else { above }));
    }
}
