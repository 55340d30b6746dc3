//! The corpora of the fuzz targets, and small damage to each of their files, as ordinary tests: `just fuzz` goes on
//! from there. A file that once crashed a target is put into its corpus and stays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says which file it was at"
)]

#[path = "../fuzz/packet.rs"]
mod packet;
#[path = "../fuzz/properties.rs"]
mod properties;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lifeboat_dns::{BrokenZone, Catalog, zonefile};
use support::plan;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

/// Every file as it is, cut short, and with one octet turned over.
fn hold(target: &str, property: fn(&[u8])) {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{target} has {} files", files.len());
    for file in files {
        println!("{}", file.display());
        let octets = fs::read(&file).unwrap();
        property(&octets);
        let step = (octets.len() / 50).max(1);
        for at in (0..octets.len()).step_by(step) {
            property(&octets[..at]);
            let mut turned = octets.clone();
            turned[at] ^= 0xff;
            property(&turned);
        }
    }
}

#[test]
fn master_files() {
    hold("master-file", properties::master_file);
}

#[test]
fn packets() {
    hold("packet", packet::packet);
}

#[test]
fn proxy_headers() {
    hold("proxy", properties::proxy);
}

#[test]
fn last_known_good() {
    hold("last-known-good", properties::last_known_good);
}

#[test]
#[ignore = "writes the seeds, with the encoder as it is now: cargo test -p lifeboat-dns --test corpus -- --ignored"]
fn seeds() {
    fs::write(folder("packet").join("cookie-good"), packet::with_good_cookie()).unwrap();
    let write = |name: &str, catalog: &Catalog| {
        let file = catalog.to_last_known_good().unwrap();
        fs::create_dir_all(folder("last-known-good")).unwrap();
        fs::write(folder("last-known-good").join(name), file).unwrap();
    };
    let zone = |apex: &str, file: &str| {
        let apex = zonefile::parse_name(apex).unwrap();
        let file = folder("master-file").join(file);
        let reading = zonefile::read(&apex, Path::new(&file), &mut |path| zonefile::from_disk(path));
        Arc::new(reading.zone.unwrap())
    };
    let empty = plan(1);
    write("steered", &Catalog::default().applied(&empty).unwrap().0);
    let mut files = plan(2);
    files.files = vec![zone("example.org", "plain"), zone("sub.example.org", "cuts")];
    files.broken = vec![BrokenZone {
        name: "broken.example.org".to_owned(),
        reason: "unreadable".to_owned(),
    }];
    write("files", &Catalog::default().applied(&files).unwrap().0);
    let mut types = plan(3);
    types.zones.clear();
    types.names.clear();
    types.files = vec![zone("example.org", "types")];
    write("types", &Catalog::default().applied(&types).unwrap().0);
}
