//! What is spoken beside plain DNS, as the configuration file says.

use std::net::{TcpListener, UdpSocket};

use hickory_proto::{
    op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, Query},
    rr::{
        DNSClass, Name, RecordType,
        rdata::opt::{EdnsCode, EdnsOption},
    },
};

use crate::{
    ZONE,
    process::{Folder, Nameserver, until},
};

const ZONES: &str = "zones: [{name: example.org, file: example.org.zone}]\n";

/// A query for `www.example.org` with one option.
fn query(option: Option<(u16, &[u8])>) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(
        Name::from_ascii("www.example.org.").unwrap(),
        RecordType::A,
    ));
    let mut edns = Edns::new();
    edns.set_max_payload(DEFAULT_MAX_PAYLOAD_LEN);
    if let Some((code, data)) = option {
        edns.options_mut()
            .insert(EdnsOption::Unknown(code, data.to_vec()));
    }
    query.set_edns(edns);
    query
}

/// The code of the reply and the data of an option of it.
fn ask(server: &Nameserver<'_>, option: Option<(u16, &[u8])>, told: u16) -> (u16, Option<Vec<u8>>) {
    let reply = server.exchange(&UdpSocket::bind("127.0.0.1:0").unwrap(), &query(option));
    let reply = reply.unwrap();
    let edns = reply.edns.as_ref().unwrap();
    let option = edns.option(EdnsCode::from(told));
    let data = option.map(|option| Vec::<u8>::try_from(option).unwrap());
    (reply.metadata.response_code.into(), data)
}

/// RFC 7873 §5.2.3, RFC 9018 §5: cookies are enforced with a secret from a file, which is rolled over without a restart.
#[test]
fn cookies_are_enforced_and_their_secret_is_rolled_over() {
    let (old, new) = (
        "e5e973e5a6b2a43f48e7dc849e37bfcf",
        "445536bcd2513298075a5d379663c962",
    );
    let folder = Folder::with(&[("example.org.zone", ZONE), ("secrets", old)]);
    let text = format!("{ZONES}cookies: {{secretsFile: secrets, enforce: true}}\n");
    let server = Nameserver::start(&folder, &text);
    let show = |cookie: &[u8]| ask(&server, Some((10, cookie)), 10);
    assert_eq!(ask(&server, None, 10), (0, None));
    let (code, learned) = show(b"12345678");
    assert_eq!(code, 23, "BADCOOKIE");
    let learned = learned.unwrap();
    assert_eq!(show(&learned), (0, Some(learned.clone())));

    // Both are believed, the first makes new ones.
    folder.write("secrets", &format!("{new}\n{old}\n"));
    let after = until("a cookie of the new secret", || {
        let (code, told) = show(&learned);
        assert_eq!(code, 0);
        told.filter(|told| *told != learned)
    });
    // A file that cannot be read changes nothing, and is told.
    folder.write("secrets", "none");
    server.until("the problem in the status", |status| {
        let told = status["configuration"]["problems"].to_string();
        told.contains("cookies.secretsFile") && told.contains("line 1")
    });
    assert_eq!((show(&learned).0, show(&after).0), (0, 0));
    folder.write("secrets", new);
    until("the old secret to be gone", || {
        (show(&learned).0 == 23).then_some(())
    });
    assert_eq!(show(&after).0, 0);
    let metrics = server.get("/metrics").1;
    assert!(
        metrics.contains("lifeboat_dns_cookies_good_total{server=\"dns\"}"),
        "{metrics}"
    );

    // Off again, without a restart.
    server.configure(ZONES);
    until("no cookies", || (show(&learned) == (0, None)).then_some(()));
}

/// RFC 5001 §2.2, RFC 4892 §3: what a configuration says of the server, and what a later one does, without a restart.
#[test]
fn it_says_who_it_is() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let server = Nameserver::start(&folder, ZONES);
    let nsid = || ask(&server, Some((3, b"")), 3).1;
    let version = || {
        let mut query = Message::query();
        let mut asked = Query::query(Name::from_ascii("version.server.").unwrap(), RecordType::TXT);
        asked.set_query_class(DNSClass::CH);
        query.add_query(asked);
        let reply = server.exchange(&UdpSocket::bind("127.0.0.1:0").unwrap(), &query);
        reply
            .unwrap()
            .answers
            .first()
            .map(|record| record.data.to_string())
    };
    assert_eq!(nsid(), None);
    assert!(version().is_some_and(|told| told.contains("lifeboat ")));
    server.configure(&format!("{ZONES}identity: {{nsid: fra-1, version: false}}\n"));
    until("an identity", || {
        (nsid().as_deref() == Some(b"fra-1")).then_some(())
    });
    assert_eq!(version(), None);
    // What cannot be told is refused with the file, and changes nothing.
    server.configure(&format!("{ZONES}identity: {{nsid: ''}}\n"));
    server.until("the refusal", |status| {
        let told = status["configuration"]["refused"].to_string();
        told.contains("identity.nsid")
    });
    assert_eq!(nsid().as_deref(), Some(&b"fra-1"[..]));
}

/// PROXY protocol §2.2: on an address for load balancers the client is who they name; what comes without is dropped.
#[test]
fn load_balancers_say_who_the_client_is() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "listen: [{{address: '127.0.0.1:0', proxy: {{from: [127.0.0.1/32]}}}}]\nadmin: '{admin}'\nstate: state\n{ZONES}\
         clusters: [{{name: eu, addresses: [192.0.2.1]}}, {{name: us, addresses: [192.0.2.2]}}]\n\
         names: [{{name: shop.example.org, steer: [{{geo: {{networks: {{eu: [office], us: [home]}}}}}}]}}]\n\
         geo: {{networks: [{{prefix: 198.51.100.0/24, name: office}}, {{prefix: 203.0.113.0/24, name: home}}]}}\n"
    );
    let server = Nameserver::start_with(&folder, &text, admin);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = Name::from_ascii("shop.example.org.").unwrap();
    let mut query = Message::query();
    query.add_query(Query::query(name, RecordType::A));
    let query = query.to_vec().unwrap();
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0c";
    let ports = [127, 0, 0, 1, 0x30, 0x39, 0, 53];
    let ask = |client: [u8; 4]| {
        let packet = [header, &client[..], &ports, &query].concat();
        let reply = server.exchange_octets(&socket, &packet).unwrap();
        reply
            .answers
            .iter()
            .map(|record| record.data.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ask([198, 51, 100, 9]), ["192.0.2.1"]);
    assert_eq!(ask([203, 0, 113, 9]), ["192.0.2.2"]);
    // Dropped, so the next reply is to the query after it.
    socket.send(&query).unwrap();
    assert_eq!(ask([198, 51, 100, 9]), ["192.0.2.1"]);
    server.until("the refusal", |status| status["server"]["proxyRefused"] == 1);
}

/// Each query is a line of the file; who moves the file away and sends SIGHUP has it to himself.
#[test]
fn queries_are_sampled_to_a_file_that_can_be_rotated() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let text = format!("{ZONES}sampling: {{file: queries.jsonl, oneIn: 1}}\n");
    let server = Nameserver::start(&folder, &text);
    ask(&server, None, 10);
    folder.until_told("queries.jsonl", "\n");
    let line: serde_json::Value = serde_json::from_str(&folder.read("queries.jsonl")).unwrap();
    let expected = serde_json::json!({
        "time": line["time"], "client": "127.0.0.1", "transport": "udp", "name": "www.example.org", "type": "A",
        "rcode": "NOERROR", "octets": line["octets"], "truncated": false, "oneIn": 1,
    });
    assert_eq!(line, expected);
    assert!(line["octets"].as_u64().unwrap() > 40 && line["time"].as_str().unwrap().ends_with('Z'));
    let counted = "lifeboat_dns_samples_written_total{server=\"dns\"} 1\n";
    until(counted, || {
        server.get("/metrics").1.contains(counted).then_some(())
    });

    std::fs::rename(folder.path("queries.jsonl"), folder.path("queries.1")).unwrap();
    server.hangup();
    folder.until_file("queries.jsonl");
    ask(&server, None, 10);
    folder.until_told("queries.jsonl", "\n");
    assert_eq!(folder.read("queries.1").lines().count(), 1);

    server.configure(&format!(
        "{ZONES}sampling: {{file: nowhere/queries.jsonl, oneIn: 1}}\n"
    ));
    server.until("the reason", |status| {
        let problems = status["configuration"]["problems"].to_string();
        problems.contains("sampling.file: ") && problems.contains("nowhere/queries.jsonl: No such file")
    });
}
