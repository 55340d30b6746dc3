//! Zones of master files in the catalog: their serials, and what is kept of them.

use std::path::Path;

use super::*;
use crate::input::BrokenZone;
use crate::zone::Zone;
use crate::zonefile;

fn file(apex: &str, serial: u32, rest: &str) -> Arc<Zone> {
    let text = format!("$TTL 9\n@ SOA ns hm {serial} 2 3 4 5\n NS ns.other.\n{rest}");
    let apex = zonefile::parse_name(apex).unwrap();
    let mut source = |_: &Path| Ok(text.clone().into_bytes());
    let zone = zonefile::read(&apex, Path::new("z"), &mut source).zone;
    Arc::new(zone.unwrap())
}

fn files(seq: u64, files: &[Arc<Zone>]) -> SnapshotInput {
    SnapshotInput {
        stamp: stamp(seq),
        files: files.to_vec(),
        ..SnapshotInput::default()
    }
}

/// Applies a plan in full and gives the serials after it.
fn serials(catalog: &mut Catalog, plan: &SnapshotInput) -> Vec<u32> {
    let (next, applied) = catalog.applied(plan).unwrap();
    assert_eq!(applied.rejected, []);
    *catalog = next;
    catalog.serials().into_values().collect()
}

/// RFC 1982: secondaries notice each change, and no zone goes back.
#[test]
fn a_change_raises_the_serial_of_its_file_only() {
    let mut catalog = Catalog::default();
    let other = file("other", 5, "");
    let both = |seq, serial, text| files(seq, &[file("demo.example", serial, text), Arc::clone(&other)]);
    let plan = both(1, 7, "a TXT x\n");
    assert_eq!(serials(&mut catalog, &plan), [7, 5], "its own");
    assert_eq!(
        serials(&mut catalog, &both(2, 7, "a TXT x\n")),
        [7, 5],
        "nothing changed"
    );
    assert_eq!(
        serials(&mut catalog, &both(3, 7, "a TXT y\n")),
        [8, 5],
        "forgotten in the file"
    );
    assert_eq!(
        serials(&mut catalog, &both(4, 8, "a TXT y\n")),
        [9, 5],
        "behind what was served"
    );
    assert_eq!(serials(&mut catalog, &both(5, 20, "a TXT y\n")), [20, 5]);
    assert_eq!(serials(&mut catalog, &both(6, 6, "a TXT y\n")), [21, 5]);

    let mut steered = both(7, 6, "a TXT y\n");
    steered.names = vec![name(7)];
    assert_eq!(
        serials(&mut catalog, &steered),
        [22, 5],
        "a name is steered in it"
    );
    steered.stamp = stamp(8);
    assert_eq!(serials(&mut catalog, &steered), [22, 5]);
    steered.stamp = stamp(9);
    steered.names[0].seq = 9;
    steered.names[0].ttl = 6;
    assert_eq!(serials(&mut catalog, &steered), [23, 5]);
    let mut removed = both(10, 6, "a TXT y\n");
    removed.removed = vec![name(1).name];
    assert_eq!(serials(&mut catalog, &removed), [24, 5]);
}

#[test]
fn a_serial_is_not_lower_after_a_restart() {
    let mut catalog = Catalog::default();
    let text = "a TXT x\n";
    assert_eq!(
        serials(&mut catalog, &files(1, &[file("demo.example", 7, text)])),
        [7]
    );
    let soaked = catalog.clone();
    let changed = files(2, &[file("demo.example", 7, "a TXT y\n")]);
    assert_eq!(serials(&mut catalog, &changed), [8]);
    let last = catalog.serials();

    // What had soaked is another zone than the one that was served last.
    let restore = |catalog: &Catalog| {
        let (kept, zones) = catalog.kept().unwrap();
        let kept = serde_json::from_slice(&serde_json::to_vec(&kept).unwrap()).unwrap();
        let zones = zones.into_iter().map(|zone| {
            let image = crate::zone::image::Image::parse(zone.image().octets().into());
            Zone::new(zone.apex().clone(), image.unwrap()).unwrap()
        });
        Catalog::restored(kept, zones.collect()).0
    };
    let mut restored = restore(&soaked);
    restored.remember_serials(&last);
    assert_eq!(serials(&mut restored.clone(), &files(3, &[])), [9]);
    let again = files(3, &[file("demo.example", 7, "a TXT y\n")]);
    assert_eq!(serials(&mut restored, &again), [10]);

    // The same zone as before goes on as it was.
    let mut restored = restore(&catalog);
    restored.remember_serials(&last);
    assert_eq!(serials(&mut restored, &again), [8]);

    // Of nothing that had soaked only the serial is left.
    let mut empty = Catalog::default();
    empty.remember_serials(&last);
    assert_eq!(empty.serials(), last, "still known before the first plan");
    assert_eq!(serials(&mut empty, &again), [9]);
}

#[test]
fn a_zone_is_stated_once() {
    let mut twice = files(1, &[file("Demo.Example", 7, "")]);
    twice.zones = vec![zone()];
    let (catalog, applied) = Catalog::default().applied(&twice).unwrap();
    let told: Vec<String> = applied.rejected.iter().map(Problem::to_string).collect();
    assert_eq!(told, ["zone demo.example: name: is in the plan twice"; 2]);
    assert_eq!(catalog.zone_names(), [""; 0]);
}

#[test]
fn a_zone_changes_from_object_to_file_and_back() {
    let mut catalog = Catalog::default();
    let object = |seq| SnapshotInput {
        names: Vec::new(),
        ..plan(seq)
    };
    assert_eq!(serials(&mut catalog, &object(1)), [0; 0]);
    assert_eq!(
        serials(&mut catalog, &files(2, &[file("demo.example", 7, "")])),
        [7]
    );
    assert_eq!(serials(&mut catalog, &object(3)), [0; 0]);
}

#[test]
fn a_name_belongs_to_the_closest_zone() {
    let inner = file("shop.demo.example", 1, "");
    let mut plan = plan(1);
    plan.files = vec![inner];
    let (_, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(
        applied.rejected[0].to_string(),
        "name shop.demo.example: zone: the name belongs to the zone shop.demo.example"
    );
    plan.broken = vec![BrokenZone {
        name: "shop.demo.example".to_owned(),
        reason: "unreadable".to_owned(),
    }];
    plan.files.clear();
    let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(applied.rejected.len(), 2, "{:?}", applied.rejected);

    let removed = SnapshotInput {
        stamp: stamp(2),
        removed: vec!["shop.demo.example".to_owned()],
        ..SnapshotInput::default()
    };
    let (catalog, applied) = catalog.applied(&removed).unwrap();
    assert_eq!((applied.removed, applied.rejected), (1, Vec::new()));
    let mut with_name = super::plan(3);
    with_name.zones.clear();
    assert_eq!(catalog.applied(&with_name).unwrap().1.rejected, []);
}
