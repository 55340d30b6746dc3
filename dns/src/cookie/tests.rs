//! RFC 7873 §4, §5.2; RFC 9018 §4.3, §5 and the examples of its appendix A.

use super::*;

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

fn octets(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn judge(secrets: &str, shown: &str, client: &str, unix_s: u32) -> (CookieSeen, Vec<u8>) {
    let shown = octets(shown);
    let secrets = CookieSecrets::parse(secrets).unwrap();
    let (seen, told) = secrets.judge(&read(&shown).unwrap(), client.parse().unwrap(), unix_s);
    (seen, told.to_vec())
}

/// RFC 9018 appendix A, example by example.
#[test]
fn the_examples_of_rfc_9018() {
    fn check(secrets: &str, shown: &str, client: &str, unix_s: u32, seen: CookieSeen, told: &str) {
        assert_eq!(
            judge(secrets, shown, client, unix_s),
            (seen, octets(told)),
            "{shown}"
        );
    }
    let learned = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    let (v4, v6) = ("198.51.100.100", "2001:db8:220:1:59de:d0f4:8769:82b8");
    check(
        SECRET,
        "2464c4abcf10c957",
        v4,
        1_559_731_985,
        CookieSeen::Client,
        learned,
    );
    let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
    check(SECRET, learned, v4, 1_559_734_385, CookieSeen::Good, renewed);
    // With reserved octets, which are hashed as they came and are not sent.
    let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
    assert_eq!(
        judge(SECRET, reserved, "203.0.113.203", 1_559_727_985).0,
        CookieSeen::Good
    );
    // The example answers an hour and 52 minutes later, when §4.3 would have the old one refused.
    let told = "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e";
    check(
        SECRET,
        reserved,
        "203.0.113.203",
        1_559_734_700,
        CookieSeen::Bad,
        told,
    );
    let rolled = "445536bcd2513298075a5d379663c962\ndd3bdf9344b678b185a6f5cb60fca715";
    let before = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
    let after = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
    check(rolled, before, v6, 1_559_741_961, CookieSeen::Good, after);
}

/// RFC 9018 §4.3: an hour back, five minutes ahead, in serial number arithmetic; after half an hour a new one.
#[test]
fn a_cookie_is_good_for_an_hour() {
    for made in [1_559_731_985, 60, u32::MAX - 60] {
        let (_, cookie) = judge(SECRET, "2464c4abcf10c957", "192.0.2.1", made);
        let shown: String = cookie.iter().map(|octet| format!("{octet:02x}")).collect();
        let check = |later: i32, expected: CookieSeen, same: bool| {
            let now = made.wrapping_add_signed(later);
            let (seen, told) = judge(SECRET, &shown, "192.0.2.1", now);
            assert_eq!((seen, told == cookie), (expected, same), "{made} {later}");
        };
        check(0, CookieSeen::Good, true);
        check(1_800, CookieSeen::Good, true);
        check(1_801, CookieSeen::Good, false);
        check(3_600, CookieSeen::Good, false);
        check(3_601, CookieSeen::Bad, false);
        check(-300, CookieSeen::Good, true);
        check(-301, CookieSeen::Bad, false);
    }
}

/// RFC 7873 §5.2: another client, another address, another secret, another version, another length.
#[test]
fn a_cookie_of_another_is_bad() {
    let good = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    let check = |secrets: &str, shown: &str, client: &str, expected: CookieSeen| {
        assert_eq!(
            judge(secrets, shown, client, 1_559_731_985).0,
            expected,
            "{shown}"
        );
    };
    check(SECRET, good, "198.51.100.100", CookieSeen::Good);
    check(SECRET, good, "::ffff:198.51.100.100", CookieSeen::Good);
    check(SECRET, good, "198.51.100.101", CookieSeen::Bad);
    check(
        "00000000000000000000000000000000",
        good,
        "198.51.100.100",
        CookieSeen::Bad,
    );
    check(
        SECRET,
        &good.replacen("2464", "2465", 1),
        "198.51.100.100",
        CookieSeen::Bad,
    );
    check(
        SECRET,
        &good.replacen("957010", "957020", 1),
        "198.51.100.100",
        CookieSeen::Bad,
    );
    check(SECRET, &good[..46], "198.51.100.100", CookieSeen::Bad);
    check(SECRET, &format!("{good}00"), "198.51.100.100", CookieSeen::Bad);
}

/// RFC 9018 §5: while secrets are rolled over, those before and after are believed, and the first makes new ones.
#[test]
fn secrets_roll_over() {
    let (old, new) = (SECRET, "445536bcd2513298075a5d379663c962");
    let by = |secrets: &str, now| judge(secrets, "2464c4abcf10c957", "192.0.2.1", now).1;
    let shown: String = by(old, 1_000)
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    for secrets in [format!("{old}\n{new}"), format!("{new}\n{old}")] {
        assert_eq!(judge(&secrets, &shown, "192.0.2.1", 1_001).0, CookieSeen::Good);
    }
    // A cookie of the secret that goes is not handed out any longer.
    let (seen, told) = judge(&format!("{new}\n{old}"), &shown, "192.0.2.1", 1_001);
    assert_eq!((seen, told), (CookieSeen::Good, by(new, 1_001)));
    assert_eq!(judge(new, &shown, "192.0.2.1", 1_001).0, CookieSeen::Bad);
}

/// RFC 7873 §5.2.2: 8 octets, or 16 to 40.
#[test]
fn lengths() {
    for length in 0..=64 {
        let data = vec![7; length];
        let allowed = length == 8 || (16..=40).contains(&length);
        assert_eq!(read(&data).is_some(), allowed, "{length}");
    }
}

#[test]
fn files_of_secrets() {
    fn check(text: &str, expected: Result<usize, CookieSecretsError>) {
        let read = CookieSecrets::parse(text).map(|secrets| 1 + secrets.others.len());
        assert_eq!(read, expected, "{text:?}");
    }
    check(SECRET, Ok(1));
    check(
        &format!("# now\n {}\n\n# before\n{SECRET}\n", SECRET.to_uppercase()),
        Ok(2),
    );
    check("", Err(CookieSecretsError::Empty));
    check("# none\n", Err(CookieSecretsError::Empty));
    check(
        &format!("{SECRET}\n").repeat(4),
        Err(CookieSecretsError::TooMany(4)),
    );
    check(
        &format!("{SECRET}\n{SECRET}0"),
        Err(CookieSecretsError::NotHexadecimal { line: 2 }),
    );
    check(
        "xyz973e5a6b2a43f48e7dc849e37bfcf",
        Err(CookieSecretsError::NotHexadecimal { line: 1 }),
    );
    let secrets = CookieSecrets::parse(SECRET).unwrap();
    assert!(
        !format!("{secrets:?}").contains("e5"),
        "a secret is never printed"
    );
}
