//! Restarts without a controller: last-known-good answers, old plans stay out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use lifeboat_dns::{PlanSource, Refused, Server};
use support::{SHOP, ask, config, eventually, plan};

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
