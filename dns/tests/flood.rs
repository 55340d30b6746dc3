//! Floods over real sockets: memory stays bounded, and who asks for real names is answered.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use lifeboat_dns::{Server, TcpLimits};
use socket2::{Domain, Socket, Type};
use support::{SHOP, ask, config, eventually, plan, query, read_tcp, write_tcp};

/// Octets of memory that this process takes, its test's sockets included.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// A connection from one of many addresses, which leaves no port taken behind when it is dropped.
fn connect(to: SocketAddr, number: u32) -> TcpStream {
    let from = Ipv4Addr::from_bits(u32::from_be_bytes([127, 1, 0, 0]) + number % 50_000 + 1);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// 100,000 clients connect over TCP, and each says one octet of a message and no more. A thousand at a time stay until they are
/// closed.
#[test]
fn a_hundred_thousand_slow_connections_take_no_memory_and_no_place_for_long() {
    const CONNECTIONS: u32 = 100_000;
    const MOST_OCTETS: usize = 32 << 20;

    let home = tempfile::tempdir().unwrap();
    let mut config = config(home.path());
    config.tcp_limits = TcpLimits {
        message: Duration::from_millis(200),
        ..TcpLimits::default()
    };
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let before = resident();
    let mut held = VecDeque::new();
    for number in 0..CONNECTIONS {
        let mut stream = connect(at, number);
        // It may be closed already, where all places are taken.
        let _ = stream.write_all(&[0]);
        held.push_back(stream);
        if held.len() > 1_000 {
            held.pop_front();
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < MOST_OCTETS, "{grown} octets more");
    // With all of these still open, a place is free as soon as the slow ones have had their time.
    eventually("an answer", || {
        let mut stream = connect(at, 50_001);
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let asked = query(SHOP, RecordType::A, 7);
        write_tcp(&mut stream, &asked);
        stream.peek(&mut [0]).is_ok_and(|octets| octets == 1) && read_tcp(&mut stream).answers.len() == 1
    });
    drop(held);
    server.stop();
}

/// 100,000 queries for random names that do not exist, in bursts that no answer is waited for: the real name asked for behind each
/// burst is answered, and nothing is remembered of the others.
#[test]
fn real_names_are_answered_among_a_flood_of_random_ones() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let at = server.local_addrs()[0];
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut packet = query("aaaaaaaaaaaaaaaa.demo.example.", RecordType::A, 1);
    let mut rng = fastrand::Rng::with_seed(7);
    let mut burst = || {
        for _ in 0..500 {
            for letter in &mut packet[13..29] {
                *letter = b'a' + rng.u8(..26);
            }
            flood.send_to(&packet, at).unwrap();
        }
        assert_eq!(ask(at, SHOP, RecordType::A).answers.len(), 1);
    };
    burst();
    let before = resident();
    (1..200).for_each(|_| burst());
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} octets more");
    server.stop();
}
