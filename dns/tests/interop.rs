//! Debian's resolvers in front of our server, on loopback: unbound, BIND and PowerDNS recursor. What a user sees of a failover is what
//! they make of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "support/daemon.rs"]
mod daemon;
mod interop {
    pub(crate) mod resolver;
    pub(crate) mod upstream;
}

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use interop::resolver::{Asker, Resolver, scope};
use interop::upstream::{ADDRESSES, Old, SCOPE, TTL_S, Upstream};
use lifeboat_health::Verdict;

/// More than the TTL by what a noisy machine takes.
const SLACK: Duration = Duration::from_secs(4);

/// Starts a resolver that asks a server for `demo.test`.
type Start = fn(&Upstream, SocketAddr) -> Resolver;

/// The failover is seen through the resolver's cache when the TTL is over, and at no time is there no answer.
fn failover(upstream: &mut Upstream, resolver: &Resolver) {
    let shop = |resolver: &Resolver| {
        let reply = resolver.ask("shop.demo.test.", RecordType::A);
        assert_eq!(
            reply.metadata.response_code,
            ResponseCode::NoError,
            "{}: {reply}",
            resolver.name()
        );
        let [record] = &reply.answers[..] else {
            panic!("{}: one address is meant: {reply}", resolver.name());
        };
        assert!(record.ttl <= TTL_S, "{}: {record}", resolver.name());
        record.data.ip_addr().unwrap()
    };
    let [eu, us] = ADDRESSES.map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
    assert_eq!(shop(resolver), eu);
    for (cluster, verdict, expected) in [("eu", Verdict::Down, us), ("eu", Verdict::Up, eu)] {
        upstream.set(cluster, verdict);
        until(
            resolver.name(),
            &format!("{cluster} {verdict:?}: {expected}"),
            || shop(resolver) == expected,
        );
    }
}

/// Comes within the TTL and what a machine that is busy adds.
#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn until(who: &str, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(TTL_S.into()) + SLACK,
            "{who}: {what} is not seen when the TTL is over"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// RFC 1034 §3.6.2, RFC 6672 §3.2, RFC 4592: aliases, a DNAME, wildcards, and names below empty non-terminals, whom minimised questions
/// (RFC 9156) meet one by one.
fn names(_: &mut Upstream, resolver: &Resolver) {
    let check = |name: &str, kind: RecordType, expected: &[&str]| {
        let reply = resolver.ask(name, kind);
        let told: Vec<String> = reply
            .answers
            .iter()
            .filter(|record| record.record_type() == kind)
            .map(|record| format!("{} {}", record.name, record.data).to_ascii_lowercase())
            .collect();
        assert_eq!(told, expected, "{}: {reply}\n{}", resolver.name(), resolver.log());
    };
    check("www.demo.test.", RecordType::A, &["ns.demo.test. 127.0.0.1"]);
    check("chain.demo.test.", RecordType::A, &["ns.demo.test. 127.0.0.1"]);
    check("ns.old.demo.test.", RecordType::A, &["ns.demo.test. 127.0.0.1"]);
    check(
        "any.wild.demo.test.",
        RecordType::A,
        &["any.wild.demo.test. 192.0.2.9"],
    );
    check(
        "a.b.c.d.demo.test.",
        RecordType::A,
        &["a.b.c.d.demo.test. 192.0.2.8"],
    );
    check(
        "sHoUt.dEmO.tEsT.",
        RecordType::MX,
        &["shout.demo.test. 10 ns.demo.test."],
    );
}

/// RFC 2308 §5, RFC 8020 §2: what does not exist is asked for once; and a name above others that has no data is not taken for absent.
fn negative(upstream: &mut Upstream, resolver: &Resolver) {
    let ask = |name: &str, rcode: ResponseCode| {
        let reply = resolver.ask(name, RecordType::SRV);
        assert_eq!(
            reply.metadata.response_code,
            rcode,
            "{}: {name}: {reply}",
            resolver.name()
        );
        assert!(reply.answers.is_empty(), "{}: {reply}", resolver.name());
    };
    ask("absent.demo.test.", ResponseCode::NXDomain);
    ask("c.d.demo.test.", ResponseCode::NoError);
    ask("ns.demo.test.", ResponseCode::NoError);
    let asked = upstream.queries("SRV");
    for (name, rcode) in [
        ("absent.demo.test.", ResponseCode::NXDomain),
        ("c.d.demo.test.", ResponseCode::NoError),
        ("ns.demo.test.", ResponseCode::NoError),
    ] {
        ask(name, rcode);
    }
    assert_eq!(
        upstream.queries("SRV"),
        asked,
        "{}: negative answers are in its cache",
        resolver.name()
    );
}

/// RFC 7766 §5: what is truncated is fetched over TCP.
fn truncation(upstream: &mut Upstream, resolver: &Resolver) {
    let before = upstream.over_tcp();
    let reply = resolver.ask_tcp("big.demo.test.", RecordType::TXT);
    assert_eq!(
        reply.answers.len(),
        40,
        "{}: {}",
        resolver.name(),
        reply.metadata.response_code
    );
    assert!(
        upstream.truncated() > 0 && upstream.over_tcp() > before,
        "{}",
        resolver.name()
    );
}

/// RFC 6891 §6.2.2, §7: where something on the way knows no EDNS, a resolver asks without, and we answer without.
fn fallback(start: Start) {
    let mut upstream = Upstream::start();
    let old = Old::start(upstream.address());
    let resolver = start(&upstream, old.address);
    names(&mut upstream, &resolver);
    assert!(old.refused() > 0, "{}: it asks with EDNS first", resolver.name());
}

/// RFC 7871 §7.3.1: an answer for one network is kept for the whole of its scope and for nobody else; clients of other networks get
/// their own cluster, whether they are told of or ask themselves. `passed_on` is the scope that the resolver tells who told it a network.
fn subnets(upstream: &mut Upstream, resolver: &Resolver, passed_on: Option<u8>) {
    use Asker::{At, Tells};

    let who = resolver.name();
    let address = |asker, name| {
        let reply = resolver.ask_as(asker, name, RecordType::A);
        let [record] = &reply.answers[..] else {
            panic!(
                "{who}: {asker:?}: one address is meant: {reply}\n{}",
                resolver.log()
            );
        };
        (record.data.ip_addr().unwrap(), scope(&reply))
    };
    let [eu, us] = ADDRESSES.map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
    for (asker, expected, is_cached) in [
        (At([127, 1, 1, 1]), eu, false),
        (At([127, 2, 1, 1]), us, false),
        (At([127, 1, 2, 1]), eu, true),
        (At([127, 2, 63, 1]), us, true),
        (Tells([198, 18, 1, 0]), eu, false),
        (Tells([198, 19, 1, 0]), us, false),
        // The same scope, and its first and last network.
        (Tells([198, 18, 2, 0]), eu, true),
        (Tells([198, 18, 0, 0]), eu, true),
        (Tells([198, 19, 63, 0]), us, true),
    ] {
        let before = upstream.queries("A");
        let (told, scope) = address(asker, "near.demo.test.");
        assert_eq!(told, expected, "{who}: {asker:?}");
        assert_eq!(
            upstream.queries("A") == before,
            is_cached,
            "{who}: {asker:?} from its cache"
        );
        if let Tells(_) = asker {
            assert_eq!(scope, passed_on, "{who}: {asker:?}");
        }
    }
    // The network beside them is not in their scope.
    for asker in [At([127, 1, 64, 1]), Tells([198, 18, 64, 0])] {
        let before = upstream.queries("A");
        address(asker, "near.demo.test.");
        assert!(
            upstream.queries("A") > before,
            "{who}: {asker:?} is of another scope"
        );
    }
    // RFC 7871 §7.2.1: what is the same for all is kept for all, and what does not exist as well.
    for name in ["any.wild.demo.test.", "absent.demo.test."] {
        let ask = |asker| resolver.ask_as(asker, name, RecordType::A).metadata.response_code;
        let rcode = ask(Tells([198, 18, 1, 0]));
        let before = upstream.queries("A");
        for asker in [Tells([198, 19, 1, 0]), At([127, 1, 1, 1])] {
            assert_eq!(ask(asker), rcode, "{who}: {name}");
            assert_eq!(upstream.queries("A"), before, "{who}: {name} is asked for once");
        }
    }
    // The death of a cluster is seen through the caches of its own clients, and by others not at all.
    let nearby = |asker| address(asker, "nearby.demo.test.").0;
    let ours = [At([127, 1, 1, 1]), Tells([198, 18, 1, 0])];
    let others = [At([127, 2, 1, 1]), Tells([198, 19, 1, 0])];
    for (verdict, expected) in [(Verdict::Up, eu), (Verdict::Down, us), (Verdict::Up, eu)] {
        upstream.set("eu", verdict);
        for asker in ours {
            until(who, &format!("eu {verdict:?}: {asker:?} {expected}"), || {
                others.map(nearby) == [us, us] && nearby(asker) == expected
            });
        }
        assert_eq!(others.map(nearby), [us, us], "{who}: clients of us");
    }
}

/// BIND is not among those who play this: it sends no client subnets.
fn with_subnets(start: Start, passed_on: Option<u8>) {
    let mut upstream = Upstream::start();
    let resolver = start(&upstream, upstream.address());
    subnets(&mut upstream, &resolver, passed_on);
}

fn all(start: Start) {
    for play in [failover, names, negative, truncation] {
        let mut upstream = Upstream::start();
        let resolver = start(&upstream, upstream.address());
        play(&mut upstream, &resolver);
    }
    fallback(start);
}

#[test]
#[ignore = "needs Debian's unbound: just dns-interop"]
fn unbound() {
    all(Resolver::unbound);
}

#[test]
#[ignore = "needs Debian's unbound: just dns-interop"]
fn unbound_with_client_subnets() {
    with_subnets(Resolver::unbound_with_subnets, Some(SCOPE));
}

#[test]
#[ignore = "needs Debian's bind9: just dns-interop"]
fn bind() {
    all(Resolver::bind);
}

#[test]
#[ignore = "needs Debian's pdns-recursor: just dns-interop"]
fn pdns_recursor() {
    all(Resolver::pdns);
}

#[test]
#[ignore = "needs Debian's pdns-recursor: just dns-interop"]
fn pdns_recursor_with_client_subnets() {
    // It tells its clients of no scope, and keeps to it.
    with_subnets(Resolver::pdns_with_subnets, None);
}
