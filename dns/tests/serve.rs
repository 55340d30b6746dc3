//! The server over real sockets: UDP, TCP, truncation, start and stop.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use lifeboat_dns::{Listen, Server, StartError, TcpLimits};
use socket2::{Domain, Socket, Type};
use support::{
    CLUSTERS, SHOP, address, addresses, ask, config, eventually, plan, query, read_tcp, write_tcp,
};

#[test]
fn before_a_plan_every_query_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    let reply = ask(server.local_addrs()[0], SHOP, RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    server.apply(plan(1)).unwrap();
    let reply = ask(server.local_addrs()[0], SHOP, RecordType::A);
    assert_eq!(
        (reply.metadata.response_code, reply.answers.len()),
        (ResponseCode::NoError, 1)
    );
    server.stop();
}

#[tokio::test]
async fn a_resolver_gets_answers_over_udp_and_by_tcp_after_truncation() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let mut name_server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut name_server.connections {
        connection.port = at.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().case_randomization = true;
    builder.options_mut().cache_size = 0;
    let resolver = builder.build().unwrap();

    let shop: Vec<_> = resolver.ipv4_lookup(SHOP).await.unwrap().answers().to_vec();
    assert_eq!(shop.len(), 1);
    let many = resolver.ipv4_lookup("many.demo.example.").await.unwrap();
    assert_eq!(
        many.answers().len(),
        100,
        "the truncated answer was fetched over TCP"
    );
    assert!(resolver.ipv4_lookup("absent.demo.example.").await.is_err());
    let status = server.status();
    assert!(status.truncated >= 1);
    assert!(
        status
            .queries
            .iter()
            .any(|count| count.transport == "tcp" && count.kind == "A")
    );
    server.stop();
}

/// RFC 7766 §6.2.1.1: several queries on one connection without waiting, in pieces of any size.
#[test]
fn tcp_queries_are_pipelined() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut stream = TcpStream::connect(server.local_addrs()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for id in 0..50 {
        write_tcp(&mut stream, &query("many.demo.example.", RecordType::A, id));
    }
    for id in 0..50 {
        let reply = read_tcp(&mut stream);
        assert_eq!((reply.metadata.id, reply.answers.len()), (id, 100));
    }
    // What cannot be a query ends the connection.
    write_tcp(&mut stream, b"xyz");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    server.stop();
}

fn listen(text: &str) -> Listen {
    Listen {
        udp_threads: 2,
        ..text.parse::<SocketAddr>().expect("an address").into()
    }
}

#[test]
fn each_address_and_thread_answers() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.listen = ["127.0.0.1:0", "127.0.0.2:0", "0.0.0.0:0"].map(listen).to_vec();
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        config.listen.push(listen("[::1]:0"));
        config.listen.push(listen("[::]:0"));
    }
    let listens = config.listen.len();
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    let bound = server.local_addrs();
    assert_eq!(bound.len(), listens);
    for mut at in bound {
        // The client's socket is connected: it hears only the address it asked.
        if at.ip().is_unspecified() {
            at.set_ip(if at.is_ipv4() {
                "127.0.0.3".parse().unwrap()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        assert_eq!(addresses(&ask(at, SHOP, RecordType::A)).len(), 1, "{at}");
    }
    server.stop();
}

#[test]
fn draws_are_anew_for_every_query() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let seen: BTreeSet<_> = (0..200)
        .flat_map(|_| addresses(&ask(at, SHOP, RecordType::A)))
        .collect();
    assert_eq!(seen, (0..CLUSTERS.len()).map(address).collect());
    server.stop();
}

#[test]
fn a_port_in_use_is_named() {
    let home = tempfile::tempdir().unwrap();
    let first = Server::start(config(home.path())).unwrap();
    let at = first.local_addrs()[0];
    for threads in [1, 2] {
        let mut second = config(home.path());
        second.listen = vec![Listen {
            udp_threads: threads,
            ..at.into()
        }];
        let error = Server::start(second).err().unwrap();
        assert!(matches!(error, StartError::Bind { transport: "UDP", .. }));
        assert!(error.to_string().contains(&at.to_string()), "{error}");
    }
    first.stop();
}

#[test]
fn wrong_settings_are_named() {
    let home = tempfile::tempdir().unwrap();
    let start = |change: fn(&mut lifeboat_dns::ServerConfig)| {
        let mut config = config(home.path());
        change(&mut config);
        Server::start(config).err().unwrap().to_string()
    };
    assert!(start(|config| config.listen.clear()).contains("listen"));
    assert!(start(|config| config.listen[0].udp_threads = 0).contains("udpThreads: is 0"));
    assert!(start(|config| config.ramp.step_permille = 0).contains("ramp.stepPermille"));
    assert!(start(|config| config.state = "/proc/lifeboat".into()).contains("/proc/lifeboat"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn stopping_takes_less_than_a_second_and_frees_the_port() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write_tcp(&mut stream, &query(SHOP, RecordType::A, 1));
    read_tcp(&mut stream);
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let mut again = config(home.path());
    again.listen = vec![at.into()];
    Server::start(again).unwrap().stop();
}

/// RFC 7766 §6.2.3, §10: silent and slow connections are closed, and only so many are held.
#[test]
fn tcp_connections_are_bounded_in_number_and_time() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.tcp_limits = TcpLimits {
        connections: 2,
        per_client: 2,
        idle: Duration::from_millis(300),
        message: Duration::from_millis(100),
    };
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let connect = || {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    let closed = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_));
    let (mut silent, mut slow) = (connect(), connect());
    slow.write_all(&[0]).unwrap();
    // Both places are taken once both have been accepted; the third is turned away.
    eventually("a refusal", || {
        closed(&mut connect()) && server.status().connections_refused > 0
    });
    assert!(closed(&mut slow) && closed(&mut silent));
    let mut next = connect();
    write_tcp(&mut next, &query(SHOP, RecordType::A, 3));
    assert_eq!(read_tcp(&mut next).answers.len(), 1);
    server.stop();
}

/// One client that takes all it can get leaves room for others.
#[test]
fn tcp_connections_of_one_client_are_bounded() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.tcp_limits = TcpLimits {
        connections: 10,
        per_client: 2,
        idle: Duration::from_secs(60),
        message: Duration::from_secs(60),
    };
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let mut held: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(at).unwrap()).collect();
    eventually("a refusal", || server.status().client_connections_refused == 1);
    let elsewhere = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    elsewhere
        .bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into())
        .unwrap();
    elsewhere.connect(&at.into()).unwrap();
    let mut other = TcpStream::from(elsewhere);
    write_tcp(&mut other, &query(SHOP, RecordType::A, 3));
    assert_eq!(read_tcp(&mut other).answers.len(), 1);
    assert_eq!(server.status().connections_refused, 0);
    // A place that is left is free again.
    held.remove(0);
    eventually("an answer", || {
        let mut again = TcpStream::connect(at).unwrap();
        write_tcp(&mut again, &query(SHOP, RecordType::A, 4));
        matches!(again.read(&mut [0; 1]), Ok(1))
    });
    server.stop();
}

/// A server that is to wait for its first plan says nothing before, and does not lie by REFUSED.
#[test]
fn a_server_that_waits_for_its_plan_is_silent_until_then() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.wait_for_plan = true;
    let server = Server::start(config).unwrap();
    let at = server.local_addrs()[0];
    assert!(!server.ready());
    let client = UdpSocket::bind((at.ip(), 0)).unwrap();
    client.connect(at).unwrap();
    client.send(&query(SHOP, RecordType::A, 1)).unwrap();
    server.apply(plan(1)).unwrap();
    assert!(server.ready());
    // The query that waited is answered, by the plan.
    let mut answer = [0; 512];
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = client.recv(&mut answer).unwrap();
    let answer = hickory_resolver::proto::op::Message::from_vec(&answer[..length]).unwrap();
    assert_eq!(addresses(&answer).len(), 1);
    server.stop();
}
