//! The corpora of the fuzz targets, and small damage to each of their files, as ordinary tests: `just fuzz` goes on
//! from there. A file that once crashed a target is put into its corpus and stays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says which file it was at"
)]

#[path = "../fuzz/properties.rs"]
mod properties;

use std::fs;
use std::path::PathBuf;

use lifeboat_health::recording::{Preamble, Recorder};
use lifeboat_health::{Hard, Header, MonoTime, Probing, Profile, Row, encode_table};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

/// Every file as it is, cut short, and with one byte turned over.
fn hold(target: &str, property: fn(&[u8])) {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{target} has {} files", files.len());
    for file in files {
        println!("{}", file.display());
        let bytes = fs::read(&file).unwrap();
        property(&bytes);
        let step = (bytes.len() / 200).max(1);
        for at in (0..bytes.len()).step_by(step) {
            property(&bytes[..at]);
            let mut turned = bytes.clone();
            turned[at] ^= 0xff;
            property(&turned);
        }
    }
}

#[test]
fn datagrams() {
    hold("datagram", properties::datagram);
}

#[test]
fn recordings() {
    hold("recording", properties::recording);
}

fn datagram(header: &Header, rows: &[Row]) -> Vec<u8> {
    let mut all = Vec::new();
    encode_table(header, rows, |bytes| all.push(bytes));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn header(observer: u64, seq: u64, at: MonoTime) -> Header {
    Header {
        observer: format!("observer-{observer}"),
        region: format!("region-{observer}"),
        boot: 7,
        seq,
        sent_at: at,
        abstain: false,
        probing: Some(Probing::of(&Profile::fast())),
    }
}

/// A row for each target, after `misses` of the first cluster; the others are well.
fn rows(misses: u16, hard: Hard) -> Vec<Row> {
    let row = |(at, target): (usize, lifeboat_health::Target)| {
        let missed = if at < 2 { misses } else { 0 };
        Row {
            target: target.id(),
            miss_streak: missed,
            success_streak: if missed == 0 { 9 } else { 0 },
            good_of_100: 97,
            hard: if missed == 0 { Hard::NONE } else { hard },
            rtt_us: 1_500,
            usual_rtt_us: 1_200,
            user_requests: 400,
            user_errors_permille: 12,
            age_ms: 20,
            ..Row::default()
        }
    };
    properties::targets().into_iter().enumerate().map(row).collect()
}

/// Five observers, ten times a second; the first cluster dies after a second. `each` takes time and datagram.
fn outage(hard: Hard, mut each: impl FnMut(MonoTime, &[u8])) {
    for round in 0..18_u16 {
        for observer in 1..=5 {
            let at = MonoTime::from_millis(u64::from(round) * 100 + observer);
            let header = header(observer, u64::from(round) + 1, at);
            each(at, &datagram(&header, &rows(round.saturating_sub(10), hard)));
        }
    }
}

fn conversation(all: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (wait_ms, said) in all {
        bytes.extend(wait_ms.to_be_bytes());
        bytes.extend(u16::try_from(said.len()).unwrap().to_be_bytes());
        bytes.extend(said);
    }
    bytes
}

fn preamble(profile: Profile) -> Preamble {
    Preamble {
        consumer: "dns-1".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        profile,
        targets: properties::targets(),
    }
}

fn recording(profile: Profile, entries: &[(MonoTime, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut recorder = Recorder::start(&mut bytes, &preamble(profile)).unwrap();
    for (at, said) in entries {
        recorder.record(*at, said).unwrap();
    }
    bytes
}

/// As releases before wrote it: nothing of how was probed.
fn version_two(mut now: Vec<u8>, rows: usize) -> Vec<u8> {
    let after = now.len() - rows * lifeboat_health::ROW_BYTES - 1;
    now.drain(after - 15..after);
    now[2] = 2;
    now
}

/// And rows of 22 bytes.
fn version_one(now: Vec<u8>, rows: usize) -> Vec<u8> {
    let mut now = version_two(now, rows);
    let old_rows: Vec<u8> = now
        .split_off(now.len() - rows * lifeboat_health::ROW_BYTES)
        .chunks(lifeboat_health::ROW_BYTES)
        .flat_map(|row| row[..22].to_vec())
        .collect();
    now[2] = 1;
    [now, old_rows].concat()
}

#[test]
#[ignore = "writes the seeds, with the encoder as it is now: cargo test --workspace --test corpus -- --ignored"]
fn seeds() {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(name), bytes).unwrap();
    };
    let at = MonoTime::from_millis(1_000);
    let well = datagram(&header(1, 1, at), &rows(0, Hard::NONE));
    write("datagram", "well", &well);
    write(
        "datagram",
        "dead",
        &datagram(&header(2, 9, at), &rows(7, Hard::REFUSED)),
    );
    write("datagram", "version-1", &version_one(well.clone(), 4));
    write("datagram", "version-2", &version_two(well.clone(), 4));
    let mut said = Vec::new();
    outage(Hard::NONE, |at, bytes| {
        let mut bytes = bytes.to_vec();
        // The first observer is faster, the second is slower, the others are as they should be.
        let interval_at = bytes.len() - 4 * lifeboat_health::ROW_BYTES - 16;
        let interval_ms: u16 = match at.as_micros() / 1_000 % 100 {
            1 => 20,
            2 => 150,
            _ => 100,
        };
        bytes[interval_at..interval_at + 2].copy_from_slice(&interval_ms.to_be_bytes());
        said.push((20, bytes));
    });
    write("datagram", "probed-otherwise", &conversation(said));
    let abstains = Header {
        abstain: true,
        ..header(3, 5, at)
    };
    write("datagram", "abstains", &datagram(&abstains, &[]));
    let mut said = Vec::new();
    let mut last = MonoTime::ZERO;
    outage(Hard::NONE, |at, bytes| {
        let wait = u16::try_from(at.saturating_since(last).as_millis()).unwrap();
        said.push((wait, bytes.to_vec()));
        last = at;
    });
    write("datagram", "outage", &conversation(said));
    let of = |boot, seq| {
        let header = Header {
            boot,
            ..header(1, seq, at)
        };
        (20, datagram(&header, &rows(0, Hard::NONE)))
    };
    let jumps = [of(1, 0), of(1, u64::MAX), of(2, 0), of(2, u64::MAX), of(0, 1)];
    write("datagram", "jumps-in-the-sequence", &conversation(jumps));

    let mut entries = Vec::new();
    outage(Hard::RESET, |at, bytes| entries.push((at, bytes.to_vec())));
    write("recording", "outage", &recording(Profile::fast(), &entries));
    write("recording", "empty", &recording(Profile::wan(), &[]));
    let old = entries[..10]
        .iter()
        .map(|(at, bytes)| (*at, version_one(bytes.clone(), 4)));
    write(
        "recording",
        "version-1",
        &recording(Profile::single(), &old.collect::<Vec<_>>()),
    );
    let two: Vec<_> = entries
        .iter()
        .map(|(at, bytes)| (*at, version_two(bytes.clone(), 4)))
        .collect();
    write("recording", "version-2", &recording(Profile::fast(), &two));
    let ends = [
        (MonoTime::ZERO, well.clone()),
        (MonoTime::from_micros(u64::MAX), well.clone()),
        (MonoTime::from_micros(u64::MAX), well),
    ];
    write("recording", "the-end-of-time", &recording(Profile::fast(), &ends));
}
