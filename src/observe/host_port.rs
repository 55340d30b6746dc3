//! `HOST:PORT`, as people write it: where consumers listen for evidence, and observers for heartbeats.

use std::net::SocketAddr;

/// What `given` cannot be; a name may still have no address.
///
/// # Errors
/// It is no `HOST:PORT`.
pub(super) fn check(given: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        let example = "192.0.2.1:7443, [2001:db8::1]:7443 or dns.demo.example:7443";
        Err(format!(
            "{given:?}: {why}; allowed is HOST:PORT, such as {example}"
        ))
    };
    let port = match given.parse::<SocketAddr>() {
        Ok(address) => address.port().to_string(),
        Err(_) => match given.rsplit_once(':') {
            Some((host, port)) if is_host(host) => port.to_owned(),
            Some(_) => return wrong("the host is neither an address nor a host name"),
            None => return wrong("the port is missing"),
        },
    };
    match port.parse() {
        Ok(1..=u16::MAX) => Ok(()),
        Ok(0) | Err(_) => wrong("the port is no number from 1 to 65535"),
    }
}

fn is_host(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port() {
        for good in [
            "192.0.2.1:7443",
            "[2001:db8::1]:1",
            "dns.demo.example:65535",
            "a_b:7443",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("a", "the port is missing"),
            ("a:99999", "1 to 65535"),
            ("a:0", "1 to 65535"),
            ("192.0.2.1:0", "1 to 65535"),
            ("a:", "1 to 65535"),
            (":7443", "host"),
            ("2001:db8::1:7443", "host"),
            ("a\n:7443", "host"),
            ("https://a:7443", "host"),
        ] {
            let told = check(bad).unwrap_err();
            assert!(told.contains(why) && told.contains("HOST:PORT"), "{told}");
            assert!(!told.contains(char::is_control), "{told:?}");
        }
    }
}
