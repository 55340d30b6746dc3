//! Who the process is once its ports are bound.

use hickory_proto::{op::ResponseCode, rr::RecordType};
use rustix::process::geteuid;

use super::process::{Folder, Nameserver, free_tcp};

const ZONE: &str = "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1.example.net.\n";

/// Real, effective, saved and file-system ids of every thread, and the groups.
fn identities(pid: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut found: Vec<String> = threads
        .flat_map(|thread| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let line = |begin: &str| {
                let line = status.lines().find(|line| line.starts_with(begin)).unwrap();
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            ["Uid:", "Gid:", "Groups:"].map(line)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn root_is_given_up_by_every_thread_and_the_state_still_kept() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let admin = free_tcp();
    let text = format!(
        "listen: [{{address: '127.0.0.1:0', udpThreads: 2}}]\nadmin: '{admin}'\nstate: state\nuser: nobody\n\
         zones: [{{name: example.org, file: example.org.zone}}]\n"
    );
    if !geteuid().is_root() {
        folder.write("dns.yaml", &text);
        let (code, told) = folder.output(&["dns", "--config", "dns.yaml"]);
        assert!(
            code == 1 && told.contains("only root can become another"),
            "{told}"
        );
        return;
    }
    folder.open_to_all();
    let server = Nameserver::start_with(&folder, &text, admin);
    let nobody = [
        "Gid: 65534 65534 65534 65534",
        "Groups: 65534",
        "Uid: 65534 65534 65534 65534",
    ];
    assert_eq!(identities(server.pid()), nobody);
    assert_eq!(
        server.ask("example.org.", RecordType::SOA).response_code,
        ResponseCode::NoError
    );
    // Its state folder is its own now.
    server.until("the plan in the state folder", |status| {
        status["server"]["lastKnownGood"]["saved"].is_object()
    });
}
