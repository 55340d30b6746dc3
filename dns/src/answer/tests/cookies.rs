//! DNS cookies.

use super::*;
use crate::cookie::{CookieRules, CookieSecrets};

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const NOW_S: u32 = 1_559_731_985;

fn bench(enforce: bool) -> Bench {
    let mut bench = Bench::new();
    bench.unix_s = NOW_S;
    bench.protocol.cookies = Some(CookieRules {
        secrets: CookieSecrets::parse(SECRET).unwrap(),
        enforce,
    });
    bench
}

/// A query with an OPT of one option.
fn with_option(code: u16, data: &[u8]) -> Vec<u8> {
    let query = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    add_option(query.to_vec().unwrap(), code, data)
}

/// Adds an option to the OPT at the end, which has none.
pub(super) fn add_option(mut packet: Vec<u8>, code: u16, data: &[u8]) -> Vec<u8> {
    let at = packet.len() - 2;
    let length = u16::try_from(data.len()).unwrap();
    packet[at..].copy_from_slice(&(length + 4).to_be_bytes());
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

/// The code of a response, with the part of it that OPT has, its answers, and its cookie.
fn ask(bench: &mut Bench, packet: &[u8], transport: Transport) -> (u16, usize, Option<Vec<u8>>) {
    let (outcome, out) = bench.raw(packet, transport, 0);
    let Outcome::Reply(reply) = outcome else {
        panic!("no reply to {packet:?}")
    };
    let opt = &out[out.len() - reply.opt_len..];
    let cookie = opt.get(11..15) == Some(&[0, 10, 0, 24]);
    let answers = usize::from(u16::from_be_bytes([out[6], out[7]]));
    let upper = opt.get(5).map_or(0, |upper| u16::from(*upper) << 4);
    (
        u16::from(out[3] & 0xf) | upper,
        answers,
        cookie.then(|| opt[15..39].to_vec()),
    )
}

/// RFC 7873 §5.2.3, §5.2.5: a client learns its cookie with its answer, shows it, and is answered as before.
#[test]
fn a_cookie_is_learned_and_shown() {
    let mut bench = bench(false);
    let (code, answers, cookie) = ask(&mut bench, &with_option(10, b"12345678"), Transport::Udp);
    let cookie = cookie.unwrap();
    assert_eq!((code, answers, &cookie[..8]), (0, 1, &b"12345678"[..]));
    let shown = with_option(10, &cookie);
    assert_eq!(ask(&mut bench, &shown, Transport::Udp), (0, 1, Some(cookie)));
    // §5.2.4: one that is not ours gets a good one, and an answer all the same.
    let (code, answers, told) = ask(&mut bench, &with_option(10, &[7; 24]), Transport::Udp);
    assert_eq!((code, answers, told.is_some()), (0, 1, true));
    // §5.2.1: no cookie, nothing said of it.
    let plain = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    assert_eq!(
        ask(&mut bench, &plain.to_vec().unwrap(), Transport::Udp),
        (0, 1, None)
    );
    // Without a secret the option is one of those that are not known (RFC 6891 §6.1.2).
    assert_eq!(ask(&mut Bench::new(), &shown, Transport::Udp), (0, 1, None));
}

/// RFC 7873 §5.2.3, §5.2.4: where cookies are enforced, UDP without a good one gets BADCOOKIE and a good one; TCP an answer.
#[test]
fn without_a_good_cookie_is_badcookie() {
    let mut bench = bench(true);
    for data in [&b"12345678"[..], &[7; 24], &[7; 40]] {
        let (code, answers, cookie) = ask(&mut bench, &with_option(10, data), Transport::Udp);
        assert_eq!((code, answers), (23, 0));
        let shown = with_option(10, &cookie.unwrap());
        assert_eq!(ask(&mut bench, &shown, Transport::Udp).0, 0);
        assert_eq!(ask(&mut bench, &with_option(10, data), Transport::Tcp).0, 0);
    }
    let plain = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    assert_eq!(
        ask(&mut bench, &plain.to_vec().unwrap(), Transport::Udp),
        (0, 1, None)
    );
}

/// RFC 7873 §5.2.2: an option of another length is a format error, also beside a second that is well-formed: the first counts.
#[test]
fn a_malformed_cookie_is_a_format_error() {
    for length in [0, 1, 7, 9, 15, 41, 64] {
        let packet = with_option(10, &vec![1; length]);
        let (code, answers, _) = ask(&mut bench(false), &packet, Transport::Udp);
        assert_eq!((code, answers), (1, 0), "{length}");
        assert_eq!(ask(&mut Bench::new(), &packet, Transport::Udp).0, 0, "{length}");
    }
    let mut twice = with_option(10, b"1234567");
    let length = twice.len();
    twice[length - 12] += 12;
    twice.extend_from_slice(b"\x00\x0a\x00\x0812345678");
    assert_eq!(ask(&mut bench(false), &twice, Transport::Udp).0, 1);
}

/// RFC 7873 §5.4, RFC 9619 §3: a query without a question gets a cookie; BADCOOKIE where it shows one that is not ours.
#[test]
fn a_query_for_a_cookie_alone() {
    let alone = |data: &[u8]| {
        add_option(
            b"\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
                .to_vec(),
            10,
            data,
        )
    };
    for enforce in [false, true] {
        let mut bench = bench(enforce);
        let (code, answers, cookie) = ask(&mut bench, &alone(b"12345678"), Transport::Udp);
        assert_eq!((code, answers), (0, 0));
        assert_eq!(ask(&mut bench, &alone(&cookie.unwrap()), Transport::Udp).0, 0);
        assert_eq!(ask(&mut bench, &alone(&[7; 24]), Transport::Udp).0, 23);
        let (_, out) = bench.raw(&alone(b"12345678"), Transport::Udp, 0);
        assert_eq!(&out[4..12], [0, 0, 0, 0, 0, 0, 0, 1]);
    }
    assert_eq!(ask(&mut Bench::new(), &alone(b"12345678"), Transport::Udp).0, 1);
}

/// RFC 7873 §5.2: errors, referrals to TCP and answers of other classes have the cookie too.
#[test]
fn every_response_has_the_cookie() {
    for (name, kind) in [
        ("shop.demo.example.", RecordType::A),
        ("absent.demo.example.", RecordType::A),
        ("example.org.", RecordType::A),
        ("shop.demo.example.", RecordType::AXFR),
    ] {
        let query = with_edns(question(name, kind), 512).to_vec().unwrap();
        let packet = add_option(query, 10, b"12345678");
        let (_, _, cookie) = ask(&mut bench(false), &packet, Transport::Udp);
        assert!(cookie.is_some(), "{name} {kind}");
    }
    let mut version = with_edns(question("version.bind.", RecordType::TXT), 1232);
    version.queries[0].set_query_class(DNSClass::CH);
    let packet = add_option(version.to_vec().unwrap(), 10, b"12345678");
    let (code, answers, cookie) = ask(&mut bench(false), &packet, Transport::Udp);
    assert_eq!((code, answers, cookie.is_some()), (0, 1, true));
}
