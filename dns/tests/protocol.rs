//! What is spoken beside plain DNS, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use lifeboat_dns::{
    CookieRules, CookieSecrets, GeoSources, GeoTable, Ladder, LimitRules, NetworkInput, Protocol, ProxyFrom,
    Rung, Server,
};
use socket2::{Domain, Socket, Type};
use support::{SHOP, address, addresses, config, plan, query, read_tcp, write_tcp};

fn cookies() -> CookieRules {
    CookieRules {
        secrets: CookieSecrets::parse("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap(),
        enforce: false,
    }
}

/// So many answers a second to an address, and the rest truncated.
fn limits(answers_per_second: u32) -> LimitRules {
    LimitRules {
        answers_per_second,
        nxdomains_per_second: answers_per_second,
        errors_per_second: answers_per_second,
        slip: 1,
        ipv4: Ladder::ipv4(vec![Rung { length: 32, times: 1 }]).unwrap(),
        ipv6: Ladder::ipv6(vec![Rung { length: 56, times: 1 }]).unwrap(),
        exempt: Vec::new(),
        table_size: 1_024,
    }
}

/// A query with an OPT of one option.
fn with_option(code: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = query(SHOP, RecordType::A, 9);
    packet[11] = 1;
    let length = u16::try_from(data.len()).unwrap();
    packet.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00");
    packet.extend_from_slice(&(length + 4).to_be_bytes());
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

/// A PROXY header, version 2, for a client of IPv4.
fn proxied(client: [u8; 4], query: &[u8]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0c";
    [head, &client[..], &[127, 0, 0, 1, 0x30, 0x39, 0, 53], query].concat()
}

struct Client(UdpSocket);

impl Client {
    fn of(server: SocketAddr, from: &str) -> Self {
        let socket = UdpSocket::bind(format!("{from}:0")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect(server).unwrap();
        Self(socket)
    }

    fn send(&self, packet: &[u8]) {
        self.0.send(packet).unwrap();
    }

    fn exchange(&self, packet: &[u8]) -> Vec<u8> {
        self.0.send(packet).unwrap();
        let mut reply = [0; 2_048];
        let length = self.0.recv(&mut reply).unwrap();
        reply[..length].to_vec()
    }
}

/// Of answers over the limit all are truncated here; over TCP, with a cookie, and elsewhere, answers go on whole.
#[test]
fn answers_over_the_limit_are_truncated_and_who_is_there_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    server.set_protocol(Protocol {
        cookies: Some(cookies()),
        rate_limit: Some(limits(1)),
        ..Protocol::default()
    });
    let client = Client::of(at, "127.0.0.1");
    let asked = query(SHOP, RecordType::A, 9);
    let truncated = (0..200).filter(|_| client.exchange(&asked)[2] & 2 != 0).count();
    assert!(truncated > 100, "{truncated}");
    let status = server.status();
    assert_eq!(status.rate_limited_truncated, truncated as u64);
    // A cookie is learned even where the answer is not given.
    let learned = client.exchange(&with_option(10, b"12345678"));
    let learned = &learned[learned.len() - 24..];
    for _ in 0..200 {
        let reply = Message::from_vec(&client.exchange(&with_option(10, learned))).unwrap();
        assert_eq!((reply.metadata.truncation, reply.answers.len()), (false, 1));
    }
    let mut stream = TcpStream::connect(at).unwrap();
    for _ in 0..50 {
        write_tcp(&mut stream, &asked);
        assert_eq!(read_tcp(&mut stream).answers.len(), 1);
    }
    assert_eq!(Client::of(at, "127.0.0.2").exchange(&asked)[2] & 2, 0);
    // Off again, from the next batch on.
    server.set_protocol(Protocol::default());
    support::eventually("an answer", || client.exchange(&asked)[2] & 2 == 0);
    assert!((0..200).all(|_| client.exchange(&asked)[2] & 2 == 0));
    server.stop();
}

/// PROXY protocol §2.2: behind a load balancer that is believed the client is who it names, over UDP and TCP: for steering, for
/// limits, and for how many connections it may have. Whatever else comes is dropped and counted.
#[test]
fn behind_a_load_balancer_the_client_is_who_it_names() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.listen[0].proxy = Some(ProxyFrom(vec!["127.0.0.1/32".parse().unwrap()]));
    config.tcp_limits.per_client = 1;
    let server = Server::start(config).unwrap();
    let mut plan = plan(1);
    let geo = r#"[{"geo": {"networks": {"a": ["office"], "b": ["home"]}}}, {"weighted": {}}]"#;
    plan.names[0].steer = serde_json::from_str(geo).unwrap();
    server.apply(plan).unwrap();
    let network = |name: &str, prefix: &str| NetworkInput {
        prefix: prefix.to_owned(),
        name: Some(name.to_owned()),
        ..NetworkInput::default()
    };
    let sources = GeoSources {
        networks: vec![
            network("office", "192.0.2.0/24"),
            network("home", "198.51.100.0/24"),
        ],
        ..GeoSources::default()
    };
    server.set_geo(GeoTable::load(&sources).unwrap()).unwrap();
    server.set_protocol(Protocol {
        rate_limit: Some(limits(1)),
        ..Protocol::default()
    });
    let at = server.local_addrs()[0];
    let (office, home) = ([192, 0, 2, 7], [198, 51, 100, 7]);
    let asked = query(SHOP, RecordType::A, 9);

    let client = Client::of(at, "127.0.0.1");
    let addresses_of =
        |from| addresses(&Message::from_vec(&client.exchange(&proxied(from, &asked))).unwrap());
    assert_eq!(addresses_of(office), [address(0)]);
    assert_eq!(addresses_of(home), [address(1)]);
    // Each has its own limit.
    let truncated = (0..100)
        .filter(|_| client.exchange(&proxied(office, &asked))[2] & 2 != 0)
        .count();
    assert!(truncated > 50, "{truncated}");
    assert_eq!(client.exchange(&proxied([203, 0, 113, 1], &asked))[2] & 2, 0);

    // Without a header, with half of one, and from somebody who is not believed: nothing, and each is counted.
    client.send(&asked);
    client.send(&proxied(office, &asked)[..20]);
    Client::of(at, "127.0.0.2").send(&proxied(office, &asked));
    support::eventually("three refusals", || server.status().proxy_refused == 3);
    let stranger = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    stranger
        .bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())
        .unwrap();
    stranger.connect(&at.into()).unwrap();
    support::eventually("a refusal", || server.status().proxy_refused == 4);
    let mut plain = TcpStream::connect(at).unwrap();
    write_tcp(&mut plain, &asked);
    support::eventually("a refusal", || server.status().proxy_refused == 5);

    let connect = |from| {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(&proxied(from, &[])).unwrap();
        write_tcp(&mut stream, &asked);
        stream
    };
    let mut first = connect(office);
    assert_eq!(addresses(&read_tcp(&mut first)), [address(0)]);
    assert_eq!(addresses(&read_tcp(&mut connect(home))), [address(1)]);
    // Refused by its header, so that nothing more can be sent for sure.
    let mut second = TcpStream::connect(at).unwrap();
    second.write_all(&proxied(office, &[])).unwrap();
    support::eventually("a refusal", || server.status().client_connections_refused == 1);
    server.stop();
}

/// RFC 7828 §3.3.2, §3.4: a connection whose client asks for it may be idle for longer than others, while there is room.
#[test]
fn a_connection_is_kept_for_who_asks() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.tcp_limits.idle = Duration::from_millis(300);
    config.tcp_limits.connections = 4;
    config.tcp_limits.per_client = 4;
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    server.set_protocol(Protocol {
        keepalive_tenths: Some(600),
        ..Protocol::default()
    });
    let asked = |packet: &[u8]| {
        let mut stream = TcpStream::connect(server.local_addrs()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write_tcp(&mut stream, packet);
        assert_eq!(read_tcp(&mut stream).answers.len(), 1);
        stream
    };
    let keepalive = with_option(11, b"");
    let mut kept = asked(&keepalive);
    // It was idle before this one, which is closed for being idle.
    let mut plain = asked(&query(SHOP, RecordType::A, 9));
    assert_eq!(plain.read(&mut [0; 1]).unwrap(), 0);
    write_tcp(&mut kept, &query(SHOP, RecordType::A, 9));
    assert_eq!(read_tcp(&mut kept).answers.len(), 1);
    // Where more than half of all places are taken, nobody keeps one for long.
    let mut crowd: Vec<TcpStream> = (0..3).map(|_| asked(&keepalive)).collect();
    let last = crowd.last_mut().unwrap();
    assert_eq!(last.read(&mut [0; 1]).unwrap(), 0);
    server.stop();
}
