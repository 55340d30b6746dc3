//! Restarts without a controller: last-known-good answers, old plans stay out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};
use lifeboat_dns::{PlanSource, Refused, Server, SnapshotInput, zonefile};
use lifeboat_health::Verdict;
use support::{SHOP, Verdicts, ask, config, eventually, plan, served};

/// Runs a server until its plan is last-known-good.
fn serve_and_save(state: &Path, seqs: &[u64]) {
    let server = Server::start(config(state)).unwrap();
    for seq in seqs {
        server.apply(plan(*seq)).unwrap();
        let stamp = plan(*seq).stamp;
        eventually("the save", || {
            server.status().last_known_good.saved.as_ref() == Some(&stamp)
        });
    }
    server.stop();
}

#[test]
fn a_restarted_server_answers_from_last_known_good() {
    let home = tempfile::tempdir().unwrap();
    serve_and_save(home.path(), &[1, 2]);
    let server = Server::start(config(home.path())).unwrap();
    let reply = ask(server.local_addrs()[0], SHOP, RecordType::A);
    assert_eq!(
        (reply.metadata.response_code, reply.answers.len()),
        (ResponseCode::NoError, 1)
    );
    let status = server.status();
    assert_eq!(
        (status.source, status.stamp),
        (PlanSource::LastKnownGood, Some(plan(2).stamp))
    );
    assert!(matches!(
        server.apply(plan(2)).unwrap_err(),
        Refused::NotNewer { .. }
    ));
    server.apply(plan(3)).unwrap();
    assert_eq!(server.status().source, PlanSource::Plan);
    server.stop();
}

#[test]
fn a_torn_file_is_passed_over_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    serve_and_save(home.path(), &[1, 2]);
    let newest = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("good-"))
        .max()
        .unwrap();
    let content = fs::read(&newest).unwrap();
    fs::write(&newest, &content[..content.len() - 10]).unwrap();
    let server = Server::start(config(home.path())).unwrap();
    let status = server.status();
    assert_eq!(status.stamp, Some(plan(1).stamp));
    assert!(
        status.last_known_good.skipped[0].contains("is torn"),
        "{:?}",
        status.last_known_good.skipped
    );
    // The stamp served before the restart still holds older plans off.
    let mut between = plan(2);
    between.stamp.seq = 1;
    assert!(server.apply(between).is_err());
    server.apply(plan(2)).unwrap();
    server.stop();
}

/// Observers that cannot be heard after a restart say nothing; what was known to be dead is not answered with because of it.
#[test]
fn a_dead_cluster_stays_out_over_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    verdicts.set("a", Verdict::Down);
    verdicts.tick(100);
    assert_eq!(served(&server), "bcde");
    server.stop();

    let server = Server::start(config(home.path())).unwrap();
    assert_eq!(served(&server), "bcde", "before anything is heard");
    let mut verdicts = Verdicts::of(&server);
    verdicts.tick(0);
    assert_eq!(served(&server), "bcde");
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(100);
    assert_eq!(served(&server), "abcde");
    server.stop();

    let server = Server::start(config(home.path())).unwrap();
    let torn = fs::read(home.path().join("gates.lkg")).unwrap();
    server.stop();
    fs::write(home.path().join("gates.lkg"), &torn[..torn.len() - 1]).unwrap();
    let server = Server::start(config(home.path())).unwrap();
    let skipped = server.status().last_known_good.skipped;
    assert!(skipped[0].starts_with("gates.lkg is torn"), "{skipped:?}");
    server.stop();
}

#[test]
fn an_unsoaked_plan_is_not_kept_but_its_stamp_is() {
    let home = tempfile::tempdir().unwrap();
    serve_and_save(home.path(), &[1]);
    let mut slow = config(home.path());
    slow.soak = std::time::Duration::from_secs(3600);
    let server = Server::start(slow).unwrap();
    server.apply(plan(5)).unwrap();
    server.stop();
    let server = Server::start(config(home.path())).unwrap();
    assert_eq!(server.status().stamp, Some(plan(1).stamp));
    let refused = server.apply(plan(4)).unwrap_err();
    assert!(
        matches!(refused, Refused::BelowHighWater { seq: 5, .. }),
        "{refused}"
    );
    server.apply(plan(5)).unwrap();
    server.stop();
}

#[test]
fn a_foreign_fleet_is_refused_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    serve_and_save(home.path(), &[1]);
    let server = Server::start(config(home.path())).unwrap();
    let mut foreign = plan(9);
    foreign.stamp.fleet_uid = "other".to_owned();
    let refused = server.apply(foreign).unwrap_err();
    assert!(matches!(refused, Refused::ForeignFleet { .. }), "{refused}");
    let status = server.status();
    assert_eq!(
        (status.plans_refused, status.last_refusal),
        (1, Some(refused.to_string()))
    );
    server.stop();
}

/// RFC 1982: a zone of a master file is not served under a lower serial than before.
#[test]
fn a_file_zone_is_served_after_a_restart() {
    let zone = |text: &str| {
        let text = format!("$TTL 9\n@ SOA ns hm 7 2 3 4 5\n NS ns.other.\na TXT {text}\n");
        let apex = zonefile::parse_name("file.example").unwrap();
        let mut source = |_: &Path| Ok(text.clone().into_bytes());
        let zone = zonefile::read(&apex, Path::new("z"), &mut source).zone;
        Arc::new(zone.unwrap())
    };
    let serial = |server: &Server| {
        let reply = ask(server.local_addrs()[0], "file.example.", RecordType::SOA);
        let RData::SOA(soa) = &reply.answers[0].data else {
            panic!("{reply}");
        };
        soa.serial
    };
    let with = |seq, text| SnapshotInput {
        files: vec![zone(text)],
        ..plan(seq)
    };
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    for (seq, text, expected) in [(1, "x", 7), (2, "y", 8)] {
        server.apply(with(seq, text)).unwrap();
        assert_eq!(serial(&server), expected);
        let stamp = plan(seq).stamp;
        eventually("the save", || {
            server.status().last_known_good.saved.as_ref() == Some(&stamp)
        });
    }
    server.stop();
    let server = Server::start(config(home.path())).unwrap();
    assert_eq!(serial(&server), 8);
    server.apply(with(3, "y")).unwrap();
    assert_eq!(serial(&server), 8);
    server.stop();
    for entry in fs::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("good-") {
            fs::remove_file(path).unwrap();
        }
    }
    let server = Server::start(config(home.path())).unwrap();
    server.apply(with(3, "y")).unwrap();
    assert_eq!(serial(&server), 9, "only the serial was known");
    server.stop();
}
