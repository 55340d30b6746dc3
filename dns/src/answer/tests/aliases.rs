//! CNAME and DNAME.

use std::fmt::Write as _;

use super::*;

/// Each answer as `owner ttl type data`. A DNAME's data is shown as octets in base64, since the decoder does not know the type.
fn told(reply: &Message) -> Vec<String> {
    let told = reply.answers.iter().map(|record| {
        let (kind, data) = (record.record_type(), &record.data);
        format!("{} {} {kind} {data}", record.name, record.ttl)
    });
    told.collect()
}

#[track_caller]
fn check_chain(name: &str, kind: RecordType, rcode: ResponseCode, answers: &[&str], authorities: usize) {
    let reply = check(name, kind, rcode, answers.len(), authorities);
    assert_eq!(told(&reply), answers);
    assert!(reply.metadata.authoritative);
}

/// RFC 1034 §3.6.2, §4.3.2 step 3a: the alias and what stands at its target, steered or not, to the end of the chain.
#[test]
fn an_alias_is_followed() {
    check_chain(
        "chain.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        &[
            "chain.demo.example. 300 CNAME www.demo.example.",
            "www.demo.example. 300 CNAME Shop.Demo.Example.",
            "Shop.Demo.Example. 5 A 192.0.2.1",
        ],
        0,
    );
}

/// RFC 1034 §3.6.2: a question for the CNAME itself is not followed; one target of another type has no data.
#[test]
fn an_alias_itself_and_one_without_data() {
    let own = &["www.demo.example. 300 CNAME Shop.Demo.Example."];
    check_chain(
        "www.demo.example.",
        RecordType::CNAME,
        ResponseCode::NoError,
        own,
        0,
    );
    check_chain("www.demo.example.", RecordType::MX, ResponseCode::NoError, own, 1);
}

/// RFC 6604 §2.1, §3: AA is of the first name, the code of the last.
#[test]
fn the_code_is_that_of_the_last_name() {
    check_chain(
        "dangling.demo.example.",
        RecordType::A,
        ResponseCode::NXDomain,
        &["dangling.demo.example. 300 CNAME absent.demo.example."],
        1,
    );
    check_chain(
        "away.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        &["away.demo.example. 300 CNAME www.elsewhere.example."],
        0,
    );
}

/// `a0` is an alias of `a1`, and so on to one that is absent; each record takes 148 octets.
fn long_chain(aliases: usize) -> Bench {
    let label = |number: usize| format!("a{number:02}{}", "x".repeat(60));
    let mut text = "$TTL 300\n@ SOA ns hm 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n".to_owned();
    let pad = "y".repeat(60);
    let target = |number| format!("{}.{pad}", label(number));
    for number in 0..aliases {
        writeln!(text, "{} CNAME {}", target(number), target(number + 1)).unwrap();
    }
    writeln!(text, "start CNAME {}", target(0)).unwrap();
    files::serving(&[("long.test", &text)])
}

/// RFC 2181 §9, RFC 6604 §3: of a chain that does not fit nothing is told, and the code is that of the last name that was come to; over
/// TCP it is that of the last name of all.
#[test]
fn a_chain_that_does_not_fit_is_truncated() {
    let query = question("start.long.test.", RecordType::A).to_vec().unwrap();
    let mut seen = Vec::new();
    for aliases in 1..=3 {
        let mut bench = long_chain(aliases);
        let mut ask = |transport| {
            let (_, out) = bench.raw(&query, transport, 0);
            let reply = Message::from_vec(&out).unwrap();
            let sections = [&reply.answers, &reply.authorities, &reply.additionals].map(Vec::len);
            (reply.metadata.response_code, reply.metadata.truncation, sections)
        };
        assert_eq!(
            ask(Transport::Tcp),
            (ResponseCode::NXDomain, false, [aliases + 1, 1, 0])
        );
        seen.push(ask(Transport::Udp));
    }
    let absent = ResponseCode::NXDomain;
    let open = ResponseCode::NoError;
    assert_eq!(
        seen,
        [
            (absent, false, [2, 1, 0]),
            // Without the SOA it would fit.
            (absent, true, [0; 3]),
            (open, true, [0; 3]),
        ]
    );
}

/// A chain is followed so far; a resolver goes on from there by itself (RFC 1034 §5.3.3), and is told no end that is none.
#[test]
fn a_long_chain_is_cut() {
    let query = question("start.long.test.", RecordType::A).to_vec().unwrap();
    let (_, out) = long_chain(20).raw(&query, Transport::Tcp, 0);
    let reply = Message::from_vec(&out).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    assert_eq!(
        (
            reply.answers.len(),
            reply.authorities.len(),
            reply.metadata.truncation
        ),
        (MAX_ALIASES + 1, 0, false)
    );
}

/// RFC 1034 §3.6.2, RFC 2181 §5: a loop ends, and no record stands in the answer twice.
#[test]
fn a_loop_ends() {
    check_chain(
        "loop.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        &[
            "loop.demo.example. 300 CNAME pool.demo.example.",
            "pool.demo.example. 300 CNAME loop.demo.example.",
        ],
        0,
    );
}

/// RFC 4592 §3.3.3: a wildcard's CNAME is that of the name asked for.
#[test]
fn a_wildcard_is_an_alias() {
    check_chain(
        "any.aliases.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        &[
            "any.aliases.demo.example. 300 CNAME v4only.demo.example.",
            "v4only.demo.example. 5 A 192.0.2.1",
        ],
        0,
    );
}

/// RFC 6672 §2.2, §3.1: names below are redirected, with a CNAME of the DNAME's TTL; the owner is not.
#[test]
fn names_below_a_dname_are_redirected() {
    check_chain(
        "shop.old.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        &[
            "old.demo.example. 60 DNAME BGRlbW8HZXhhbXBsZQA=",
            "shop.old.demo.example. 60 CNAME shop.demo.example.",
            "shop.demo.example. 5 A 192.0.2.1",
        ],
        0,
    );
    check_chain("old.demo.example.", RecordType::A, ResponseCode::NoError, &[], 1);
    check_chain(
        "old.demo.example.",
        RecordType::TXT,
        ResponseCode::NoError,
        &["old.demo.example. 300 TXT the DNAME's own"],
        0,
    );
}

/// RFC 6672 §3.1, RFC 1034 §4.3.2 step 3a: the CNAME that a DNAME makes answers a question for CNAME.
#[test]
fn the_alias_of_a_dname_itself() {
    check_chain(
        "www.old.demo.example.",
        RecordType::CNAME,
        ResponseCode::NoError,
        &[
            "old.demo.example. 60 DNAME BGRlbW8HZXhhbXBsZQA=",
            "www.old.demo.example. 60 CNAME www.demo.example.",
        ],
        0,
    );
}

/// RFC 6672 §2.2: a name that would be too long is YXDOMAIN, with the DNAME.
#[test]
fn a_redirection_that_is_too_long() {
    let label = "y".repeat(60);
    let reply = check(
        &format!("{label}.long.demo.example."),
        RecordType::A,
        ResponseCode::YXDomain,
        1,
        0,
    );
    assert_eq!(reply.answers[0].record_type().to_string(), "DNAME");
}

/// RFC 8482 §4.2: ANY for an alias is answered as ANY for other names is.
#[test]
fn any_of_an_alias() {
    let reply = check("www.demo.example.", RecordType::ANY, ResponseCode::NoError, 1, 0);
    assert_eq!(reply.answers[0].record_type(), RecordType::HINFO);
}

/// An ALIAS is flattened: the addresses of the other name, chosen by its health and filters, under this one; with the shorter
/// of the two TTLs, and also at the apex.
#[test]
fn an_alias_has_the_addresses_of_another_name() {
    let mut bench = Bench::new();
    for (kind, address) in [(RecordType::A, "192.0.2.1"), (RecordType::AAAA, "2001:db8::1")] {
        let reply = bench.ask("demo.example.", kind);
        assert_eq!(addresses(&reply), [address.parse::<IpAddr>().unwrap()]);
        let record = &reply.answers[0];
        assert_eq!(
            (record.name.to_string().as_str(), record.ttl),
            ("demo.example.", 3)
        );
        assert!(reply.metadata.authoritative);
    }
    let withdraw = |bench: &Bench, cluster: &str| {
        let slot = bench.gates.intern(cluster, Family::V4).unwrap();
        let value = GateValue {
            gate: 0,
            last_good: FULL,
            episode: 1,
            ..GateValue::default()
        };
        bench.gates.store(slot, value);
    };
    withdraw(&bench, "a");
    let reply = bench.ask("demo.example.", RecordType::A);
    assert_eq!(addresses(&reply), [IpAddr::from([192, 0, 2, 2])]);
    assert_eq!(reply.answers[0].ttl, 2, "degraded");
    let reply = bench.ask("flat.demo.example.", RecordType::A);
    assert_eq!(addresses(&reply), [IpAddr::from([192, 0, 2, 78])]);
    assert_eq!(reply.answers[0].ttl, 60);
}

/// What an ALIAS has not, or cannot be had, is no data (RFC 2308 §2.2); the record itself is never shown.
#[test]
fn an_alias_without_addresses_is_no_data() {
    for (name, kind) in [
        ("flat.demo.example.", RecordType::AAAA),
        ("flat.demo.example.", RecordType::MX),
        ("flat.demo.example.", RecordType::Unknown(65_401)),
        ("alias-loop.demo.example.", RecordType::A),
        ("outside.demo.example.", RecordType::A),
    ] {
        check(name, kind, ResponseCode::NoError, 0, 1);
    }
    check("demo.example.", RecordType::TXT, ResponseCode::NoError, 1, 0);
}
