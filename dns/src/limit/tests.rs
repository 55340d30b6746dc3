//! What is limited and what is not.

use super::*;

const KEY: [u8; 16] = *b"nobody knows it.";

fn rung(length: u8, times: u32) -> Rung {
    Rung { length, times }
}

/// Ten answers a second to an address, 20 to its /24; two of NXDOMAIN and one error.
fn rules() -> LimitRules {
    LimitRules {
        answers_per_second: 10,
        nxdomains_per_second: 2,
        errors_per_second: 1,
        slip: 0,
        ipv4: Ladder::ipv4(vec![rung(32, 1), rung(24, 2)]).unwrap(),
        ipv6: Ladder::ipv6(vec![rung(64, 1), rung(48, 2)]).unwrap(),
        exempt: vec!["198.51.100.0/24".parse().unwrap()],
        table_size: 1_024,
    }
}

fn reply(rcode: Rcode) -> Reply {
    Reply {
        len: 100,
        rcode,
        qtype: 1,
        truncated: false,
        panic: false,
        cookie: CookieSeen::None,
        metered: crate::meter::Metered::default(),
        keepalive_tenths: None,
        question_end: 30,
        opt_len: 0,
    }
}

/// How many of so many answers at one time are sent.
fn sent(limiter: &Limiter, client: &str, rcode: Rcode, count: u64, now_ms: u64) -> u64 {
    let client = client.parse().unwrap();
    let now = MonoTime::from_millis(now_ms);
    let judged = (0..count).map(|draw| limiter.judge(client, Transport::Udp, &reply(rcode), now, draw));
    judged.filter(|verdict| *verdict == Verdict::Send).count() as u64
}

#[test]
fn a_client_gets_its_rate_and_a_second_of_it_at_once() {
    let limiter = Limiter::new(rules(), KEY);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, 0), 10);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, 50), 0);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, 100), 1);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, 600), 5);
    // It does not save up.
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, 1_000_000), 10);
    // After the time in a bucket has wrapped.
    let later = 16 * 24 * 3_600 * 1_000;
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, later), 10);
    // A thread whose batch began earlier does not find the bucket full again.
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 100, later - 10), 0);
}

#[test]
fn over_time_it_is_the_rate() {
    for rate in [1, 7, 100, 5_000, 200_000] {
        let mut rules = rules();
        rules.answers_per_second = rate;
        rules.ipv4 = Ladder::ipv4(vec![rung(32, 1)]).unwrap();
        let limiter = Limiter::new(rules, KEY);
        let each_ms = u64::from(rate).div_ceil(500).max(1);
        let total: u64 = (0..10_000)
            .map(|ms| sent(&limiter, "192.0.2.1", Rcode::NoError, each_ms, ms))
            .sum();
        let expected = u64::from(rate) * 11;
        let off = total.abs_diff(expected) * 1_000 / expected;
        assert!(
            off <= 10 || total.abs_diff(expected) <= 1,
            "{rate}: {total}, not {expected}"
        );
    }
}

#[test]
fn a_network_has_its_rate_too() {
    let limiter = Limiter::new(rules(), KEY);
    let all: u64 = (1..=50)
        .map(|last| sent(&limiter, &format!("192.0.2.{last}"), Rcode::NoError, 1, 0))
        .sum();
    assert_eq!(all, 20, "of the /24");
    assert_eq!(sent(&limiter, "192.0.3.1", Rcode::NoError, 1, 0), 1);
    // IPv6: addresses of one /64 are one, and those of a /48 share.
    let all: u64 = (1..=50)
        .map(|last| sent(&limiter, &format!("2001:db8:1:1::{last}"), Rcode::NoError, 1, 0))
        .sum();
    assert_eq!(all, 10, "of the /64");
    assert_eq!(
        sent(&limiter, "2001:db8:1:2::1", Rcode::NoError, 50, 0),
        10,
        "of the /48"
    );
    assert_eq!(sent(&limiter, "2001:db8:1:3::1", Rcode::NoError, 50, 0), 0);
    // The address that is mapped is the address.
    assert_eq!(sent(&limiter, "203.0.113.1", Rcode::NoError, 50, 0), 10);
    assert_eq!(sent(&limiter, "::ffff:203.0.113.1", Rcode::NoError, 50, 0), 0);
}

#[test]
fn kinds_of_answers_are_counted_apart() {
    let limiter = Limiter::new(rules(), KEY);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NxDomain, 50, 0), 2);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::Refused, 50, 0), 1);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::FormErr, 50, 0), 0);
    assert_eq!(sent(&limiter, "192.0.2.1", Rcode::NoError, 50, 0), 10);
}

#[test]
fn who_cannot_be_forged_is_not_limited() {
    let limiter = Limiter::new(rules(), KEY);
    assert_eq!(sent(&limiter, "198.51.100.9", Rcode::NoError, 500, 0), 500);
    let client = "192.0.2.1".parse().unwrap();
    let shown = Reply {
        cookie: CookieSeen::Good,
        ..reply(Rcode::NoError)
    };
    for draw in 0..100 {
        let judge = |transport, reply: &Reply| limiter.judge(client, transport, reply, MonoTime::ZERO, draw);
        assert_eq!(judge(Transport::Tcp, &reply(Rcode::NoError)), Verdict::Send);
        assert_eq!(judge(Transport::Udp, &shown), Verdict::Send);
    }
    let learning = Reply {
        cookie: CookieSeen::Client,
        ..reply(Rcode::NoError)
    };
    let judged = (0..100).map(|draw| limiter.judge(client, Transport::Udp, &learning, MonoTime::ZERO, draw));
    assert_eq!(judged.filter(|verdict| *verdict == Verdict::Send).count(), 10);
}

#[test]
fn one_in_so_many_slips() {
    for (slip, truncated) in [(0, 0), (1, 90), (2, 45), (10, 9)] {
        let limiter = Limiter::new(LimitRules { slip, ..rules() }, KEY);
        let client = "192.0.2.1".parse().unwrap();
        let judged = (0..100).map(|draw| {
            limiter.judge(
                client,
                Transport::Udp,
                &reply(Rcode::NoError),
                MonoTime::ZERO,
                draw,
            )
        });
        let found = judged.filter(|verdict| *verdict == Verdict::Truncate).count();
        assert_eq!(found, truncated, "slip {slip}");
    }
}

/// A flood from everywhere takes no memory, and what it does to others is bounded: it makes buckets forget, and nobody is limited
/// for what others have been sent.
#[test]
fn a_flood_from_everywhere_limits_nobody_else() {
    let mut rules = rules();
    rules.table_size = 64;
    let limiter = Limiter::new(rules, KEY);
    for low in 0..100_000_u32 {
        let client = IpAddr::from((0x0a00_0000 | low).to_be_bytes());
        limiter.judge(client, Transport::Udp, &reply(Rcode::NoError), MonoTime::ZERO, 1);
    }
    let mut limited = 0;
    for high in 0..1_000_u32 {
        let client = IpAddr::from((0xc000_0000 | high << 12).to_be_bytes());
        let verdict = limiter.judge(client, Transport::Udp, &reply(Rcode::NoError), MonoTime::ZERO, 1);
        limited += u32::from(verdict != Verdict::Send);
    }
    assert_eq!(limited, 0);
}

/// Threads that take from one bucket at once take no more than it has, but for what they give up on.
#[test]
fn threads_share_a_bucket() {
    let mut rules = rules();
    rules.answers_per_second = 10_000;
    rules.ipv4 = Ladder::ipv4(vec![rung(32, 1)]).unwrap();
    let limiter = Limiter::new(rules, KEY);
    let total: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| sent(&limiter, "192.0.2.1", Rcode::NoError, 10_000, 0)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!((10_000..=20_000).contains(&total), "{total}");
}

#[test]
fn ladders() {
    fn check(rungs: &[(u8, u32)], expected: Option<LadderError>) {
        let rungs = rungs
            .iter()
            .map(|(length, times)| rung(*length, *times))
            .collect();
        assert_eq!(Ladder::ipv4(rungs).err(), expected);
    }
    check(&[(32, 1), (24, 8), (16, 64)], None);
    check(&[], Some(LadderError::Rungs(0)));
    check(
        &[(32, 1), (24, 1), (16, 1), (8, 1), (4, 1)],
        Some(LadderError::Rungs(5)),
    );
    check(&[(33, 1)], Some(LadderError::Length(33, 32)));
    check(&[(0, 1)], Some(LadderError::Length(0, 32)));
    check(&[(24, 1), (32, 1)], Some(LadderError::Order(24, 32)));
    check(&[(24, 0)], Some(LadderError::Times(24)));
    assert!(Ladder::ipv6(vec![rung(128, 1), rung(56, 4), rung(48, 16)]).is_ok());
}
