//! What must hold of any bytes whatever: fuzz targets and the regression test on their corpora share it.
//!
//! ```text
//! datagram:  one datagram, or a conversation: wait u16 ms | len u16 | datagram, again and again; integers big-endian
//! recording: the bytes as they are, and once more with every checksum made right, or no wrong entry would be read
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a property fails by panicking"
)]

use std::time::Duration;

use lifeboat_health::recording::{Damaged, Recording};
use lifeboat_health::{
    Check, Datagram, Family, FleetView, MAX_DATAGRAM_BYTES, MAX_OBSERVERS, MonoTime, Path, Profile, Quorum,
    Target, Transition, decode, encode_table, invariants,
};

/// The clusters of [`datagram`]'s consumer.
pub(crate) const CLUSTERS: [&str; 2] = ["eu", "us"];

/// What [`datagram`]'s consumer believes in: two clusters, both paths.
pub(crate) fn targets() -> Vec<Target> {
    let of = |cluster: &str, path| Target {
        cluster: cluster.to_owned(),
        path,
        family: Family::V4,
        check: Check::Tcp {
            address: ([192, 0, 2, 1], 443).into(),
        },
        detection: None,
    };
    CLUSTERS
        .iter()
        .flat_map(|cluster| [of(cluster, Path::Traffic), of(cluster, Path::Control)])
        .collect()
}

/// Bytes from an observer with a certificate: decoded or refused, the same when encoded again, and no more than what
/// one observer may do to a quorum.
pub(crate) fn datagram(bytes: &[u8]) {
    let mut fleet = Fleet::new();
    fleet.hear(bytes);
    let mut fleet = Fleet::new();
    let mut rest = bytes;
    while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let wait = Duration::from_millis(u16::from_be_bytes([*a, *b]).into());
        let length = usize::from(u16::from_be_bytes([*c, *d])).min(after.len());
        let (said, after) = after.split_at(length);
        fleet.wait(wait);
        fleet.hear(said);
        rest = after;
    }
}

/// One consumer, in virtual time.
struct Fleet {
    quorum: Quorum,
    now: MonoTime,
    view: FleetView,
}

impl Fleet {
    fn new() -> Fleet {
        let quorum = Quorum::new(targets(), Profile::fast());
        let now = MonoTime::from_millis(1_000);
        Fleet {
            view: quorum.view(now),
            quorum,
            now,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if let Ok(datagram) = decode(bytes) {
            encodes_again(bytes, &datagram);
            let _rejected = self.quorum.ingest(&datagram, self.now);
        }
        self.decide();
    }

    fn wait(&mut self, how_long: Duration) {
        // Once while rows are fresh, once as time is up.
        for part in [how_long.min(Duration::from_millis(100)), how_long] {
            self.now = self.now + part;
            self.decide();
        }
    }

    fn decide(&mut self) {
        let profile = self.quorum.profile().clone();
        for transition in self.quorum.poll(self.now) {
            holds(&transition, &profile);
        }
        let view = self.quorum.view(self.now);
        invariants::s7_frozen_stands_still(&self.view, &view).unwrap();
        assert!(
            view.observers.len() <= MAX_OBSERVERS,
            "{} observers",
            view.observers.len()
        );
        assert_eq!(view.cells.len(), targets().len(), "datagrams name no new targets");
        self.view = view;
    }
}

fn holds(transition: &Transition, profile: &Profile) {
    invariants::s6_down_has_quorum(transition, profile).unwrap();
    invariants::s7_frozen_decides_nothing(transition, profile).unwrap();
    invariants::gray_is_not_down(transition, profile).unwrap();
    assert!(transition.evidence.len() <= MAX_OBSERVERS);
}

/// What was decoded survives the wire; of the version that is written, and in the size that is written, to the byte.
fn encodes_again(bytes: &[u8], datagram: &Datagram) {
    let mut again = Vec::new();
    encode_table(&datagram.header, &datagram.rows, |bytes| again.push(bytes));
    let mut rows = Vec::new();
    for (at, bytes) in again.iter().enumerate() {
        assert!(bytes.len() <= MAX_DATAGRAM_BYTES);
        let mut back = decode(bytes).unwrap();
        assert_eq!(back.header.seq, datagram.header.seq.wrapping_add(at as u64));
        back.header.seq = datagram.header.seq;
        assert_eq!(back.header, datagram.header);
        rows.extend(back.rows);
    }
    assert_eq!(rows, datagram.rows);
    let same_version = bytes.get(2) == again.first().and_then(|bytes| bytes.get(2));
    if same_version && bytes.len() <= MAX_DATAGRAM_BYTES {
        assert_eq!(again, [bytes]);
    }
}

/// A file that calls itself a recording: read to its end, or up to a place that is told.
pub(crate) fn recording(bytes: &[u8]) {
    replay(bytes);
    replay(&mended(bytes));
}

fn replay(bytes: &[u8]) {
    let stopped = |damaged: Damaged| {
        let place = usize::try_from(damaged.offset).unwrap();
        assert!(place <= bytes.len(), "{damaged}, of {} bytes", bytes.len());
    };
    let mut recording = match Recording::open(bytes) {
        Ok(recording) => recording,
        Err(damaged) => return stopped(damaged),
    };
    let profile = recording.preamble.profile.clone();
    if profile.validate_judging().is_err() {
        return;
    }
    let judge = profile.clone();
    let told = |_, transitions: &[Transition], _: &Quorum| {
        for transition in transitions {
            holds(transition, &judge);
        }
    };
    let (replayed, result) = recording.replay(profile, told);
    assert!(replayed.rejected <= replayed.datagrams);
    if let Err(damaged) = result {
        stopped(damaged);
    }
}

/// The same with right checksums, as far as the lengths lead.
pub(crate) fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let mut from = b"lifeboat evidence 1\n".len();
    let number = |at: &[u8]| {
        at.iter()
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let mut head = 4;
    loop {
        let length_bytes = if head == 4 {
            from..from + 4
        } else {
            from + 8..from + 10
        };
        let Some(length) = mended.get(length_bytes).map(number) else {
            return mended;
        };
        let to = from + head + length;
        if mended.len() < to + 4 {
            return mended;
        }
        let sum = crc32(&mended[from..to]).to_be_bytes();
        mended[to..to + 4].copy_from_slice(&sum);
        (from, head) = (to + 4, 10);
    }
}

/// CRC-32 (IEEE), bit by bit: short inputs only.
fn crc32(bytes: &[u8]) -> u32 {
    let divide = |rest: u32, _| (rest >> 1) ^ (0xedb8_8320 & (rest & 1).wrapping_neg());
    let divided = bytes.iter().fold(u32::MAX, |rest, byte| {
        (0..8).fold(rest ^ u32::from(*byte), divide)
    });
    !divided
}
