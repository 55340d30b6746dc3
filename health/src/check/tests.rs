use super::*;

#[track_caller]
fn check(url: &str, expected: Result<(&str, &str, &str), &str>) {
    let given = Check::Http {
        url: url.into(),
        host: None,
        expect: StatusRange::default(),
    };
    let family = given.family().unwrap_or(Family::V4);
    match (given.parse(family), expected) {
        (Ok(Probe::Http { at, host, path, .. }), Ok(wanted)) => {
            let at = match at {
                Remote::Address(address) => address.to_string(),
                Remote::Name { name, port } => format!("{name} {port}"),
            };
            assert_eq!((at.as_str(), host.as_str(), path.as_str()), wanted);
        }
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (got, wanted) => panic!("{url}: got {got:?}, wanted {wanted:?}"),
    }
}

#[test]
fn urls() {
    check(
        "http://127.0.1.1:8000/healthz",
        Ok(("127.0.1.1:8000", "127.0.1.1:8000", "/healthz")),
    );
    check("http://127.0.1.1", Ok(("127.0.1.1:80", "127.0.1.1", "/")));
    check(
        "http://[::1]:8000/a?b=c",
        Ok(("[::1]:8000", "[::1]:8000", "/a?b=c")),
    );
    check("http://[::1]/", Ok(("[::1]:80", "[::1]", "/")));
    check(
        "http://vip.example:81/x",
        Ok(("vip.example 81", "vip.example:81", "/x")),
    );
    check("https://vip.example/", Err("the scheme is not http"));
    check("http://", Err("neither an address nor a host name"));
    check("http:///x", Err("neither an address nor a host name"));
    check("http://a b/", Err("visible ASCII"));
    check("http://a:x/", Err("the port is not a number"));
    check("http://a:0/", Err("port 0"));
    check("http://127.0.0.1:0/", Err("port 0"));
    check("http://u@a/", Err("user information"));
    check("http://a/#b", Err("fragment"));
    check("http://a?b", Err("the path is missing"));
    check(
        &format!("http://a/{}", "x".repeat(3_000)),
        Err("longer than 2048"),
    );
}

#[test]
fn families_and_ports_must_fit() {
    let tcp = |address: &str| Check::Tcp {
        address: address.parse().unwrap(),
    };
    assert!(tcp("127.0.0.1:1").parse(Family::V4).is_ok());
    assert!(matches!(
        tcp("127.0.0.1:1").parse(Family::V6),
        Err(CheckError::Family { .. })
    ));
    assert!(matches!(
        tcp("[::1]:0").parse(Family::V6),
        Err(CheckError::Port { .. })
    ));
    assert_eq!(tcp("[::1]:5").family(), Some(Family::V6));
}

#[test]
fn status_ranges() {
    let parse = |text: &str| text.parse::<StatusRange>();
    assert_eq!(parse("200-399"), Ok(StatusRange::default()));
    assert_eq!(parse("204").unwrap().to_string(), "204");
    for bad in ["", "x", "99", "600", "300-200", "200-", "1-2-3"] {
        let message = parse(bad).unwrap_err().to_string();
        assert!(
            message.contains("FIRST-LAST") && message.contains(bad),
            "{message}"
        );
    }
    assert!(StatusRange::default().contains(399) && !StatusRange::default().contains(400));
}

#[test]
fn a_host_header_cannot_smuggle() {
    let with = |host: &str| {
        Check::Http {
            url: "http://127.0.0.1/".into(),
            host: Some(host.into()),
            expect: StatusRange::default(),
        }
        .parse(Family::V4)
    };
    assert!(with("shop.demo.example").is_ok());
    for bad in ["", "a b", "a\r\nX: y", "a/b"] {
        assert!(matches!(with(bad), Err(CheckError::Host { .. })), "{bad:?}");
    }
}
