//! URLs as checks have them, and hosts to connect to.

use std::net::{IpAddr, SocketAddr};

use super::{CheckError, Remote};

/// A URL's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    given: &'a str,
    allowed: &'static str,
    pub(super) scheme: Scheme,
    /// `HOST[:PORT]`.
    pub(super) authority: &'a str,
    /// Path and query; `None` where the URL ends with the authority.
    pub(super) path: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl<'a> Url<'a> {
    pub(super) fn http(url: &'a str) -> Result<Url<'a>, CheckError> {
        Url::parse(url, Some(Scheme::Http), "http://HOST[:PORT]/PATH")
    }

    pub(super) fn https(url: &'a str) -> Result<Url<'a>, CheckError> {
        Url::parse(url, Some(Scheme::Https), "https://HOST[:PORT]/PATH")
    }

    pub(super) fn either(url: &'a str) -> Result<Url<'a>, CheckError> {
        Url::parse(url, None, "http://HOST[:PORT] or https://HOST[:PORT]")
    }

    fn parse(given: &'a str, scheme: Option<Scheme>, allowed: &'static str) -> Result<Url<'a>, CheckError> {
        let wrong = |problem| CheckError::Url {
            given: given.to_owned(),
            problem,
            allowed,
        };
        if given.len() > 2_048 {
            return Err(CheckError::Url {
                given: format!("{:.40}…", given),
                problem: "longer than 2048 bytes",
                allowed,
            });
        }
        if !given.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("characters other than visible ASCII"));
        }
        let split = [("http://", Scheme::Http), ("https://", Scheme::Https)]
            .into_iter()
            .find_map(|(prefix, scheme)| Some((given.strip_prefix(prefix)?, scheme)));
        let (rest, scheme) = match (split, scheme) {
            (Some((rest, found)), wanted) if wanted.is_none_or(|wanted| wanted == found) => (rest, found),
            (_, Some(Scheme::Http)) => return Err(wrong("the scheme is not http")),
            (_, Some(Scheme::Https)) => return Err(wrong("the scheme is not https")),
            (_, None) => return Err(wrong("the scheme is neither http nor https")),
        };
        if rest.contains('#') {
            return Err(wrong("a fragment cannot be sent"));
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) if rest.as_bytes().get(at) == Some(&b'?') => return Err(wrong("the path is missing")),
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        if authority.contains('@') {
            return Err(wrong("user information is not sent"));
        }
        Ok(Url {
            given,
            allowed,
            scheme,
            authority,
            path,
        })
    }

    pub(super) fn wrong(&self, problem: &'static str) -> CheckError {
        CheckError::Url {
            given: self.given.to_owned(),
            problem,
            allowed: self.allowed,
        }
    }

    /// Where to connect to.
    pub(super) fn remote(&self) -> Result<Remote, CheckError> {
        let authority = self.authority;
        if let Ok(address) = authority.parse::<SocketAddr>() {
            self.check_port(address.port())?;
            return Ok(Remote::Address(address));
        }
        let bare = authority
            .strip_prefix('[')
            .and_then(|a| a.strip_suffix(']'))
            .unwrap_or(authority);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Remote::Address(SocketAddr::new(ip, self.scheme.port())));
        }
        let (name, port) = match authority.split_once(':') {
            Some((name, port)) => (
                name,
                port.parse::<u16>()
                    .map_err(|_| self.wrong("the port is no number from 1 to 65535"))?,
            ),
            None => (authority, self.scheme.port()),
        };
        if !is_host_name(name) {
            return Err(self.wrong("the host is neither an address nor a host name"));
        }
        self.check_port(port)?;
        Ok(Remote::Name {
            name: name.to_owned(),
            port,
        })
    }

    fn check_port(&self, port: u16) -> Result<(), CheckError> {
        if port == 0 {
            return Err(self.wrong("port 0"));
        }
        Ok(())
    }
}

pub(super) fn is_host_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(plain)
}
