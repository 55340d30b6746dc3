//! Which failures are hard evidence, which are silence, and which are our own.

use std::io;

use super::Failure;
use crate::evidence::Hard;

/// A failed connect, read or write, before it is asked whether this host has a way to the target.
pub(super) fn classify(error: &io::Error) -> Failure {
    // A TCP connect finds no port by EADDRNOTAVAIL; it is also how a family without an address fails.
    if is_exhaustion(error) || error.raw_os_error() == Some(libc::EADDRNOTAVAIL) {
        return Failure::Local;
    }
    if let Some(code @ (libc::EPERM | libc::EACCES)) = error.raw_os_error() {
        return Failure::Forbidden(code);
    }
    if let Some(rustls::Error::AlertReceived(_)) = tls_error(error) {
        return Failure::Miss(Hard::TLS_ALERT);
    }
    let reset = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].contains(&error.kind());
    Failure::Miss(if error.kind() == io::ErrorKind::ConnectionRefused {
        Hard::REFUSED
    } else if reset {
        Hard::RESET
    } else {
        Hard::NONE
    })
}

/// No descriptor, no memory or no port is left to make a socket with.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let codes = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EADDRINUSE,
    ];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// What is wrong with a handshake beyond a connection that broke.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// How a request on a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The peer closed before it answered, as servers do with connections that were idle: ask again on a new one.
    Closed,
    Failed(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Broken {
        Broken::Failed(failure)
    }
}

/// On a connection that was new, a close is a miss like any other.
impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        match broken {
            Broken::Closed => Failure::Miss(Hard::NONE),
            Broken::Failed(failure) => failure,
        }
    }
}

pub(super) fn classify_http(error: &hyper::Error) -> Broken {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::NotConnected].contains(&io.kind());
            return if closed {
                Broken::Closed
            } else {
                Broken::Failed(classify(io))
            };
        }
        if let Some(io) = cause.downcast_ref::<h2::Error>().and_then(h2::Error::get_io) {
            return Broken::Failed(classify(io));
        }
        source = cause.source();
    }
    let closed = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    if closed {
        Broken::Closed
    } else {
        Broken::Failed(Failure::Miss(Hard::NONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: io::Error, expected: Failure) {
        assert_eq!(classify(&error), expected, "{error}");
    }

    #[test]
    fn kinds_of_failure() {
        check(
            io::ErrorKind::ConnectionRefused.into(),
            Failure::Miss(Hard::REFUSED),
        );
        check(io::ErrorKind::ConnectionReset.into(), Failure::Miss(Hard::RESET));
        check(
            io::Error::from_raw_os_error(libc::EHOSTUNREACH),
            Failure::Miss(Hard::NONE),
        );
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::AccessDenied);
        check(io::Error::other(alert), Failure::Miss(Hard::TLS_ALERT));
        let unverified = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        check(io::Error::other(unverified), Failure::Miss(Hard::NONE));
        for own in [libc::EMFILE, libc::ENOBUFS, libc::EADDRINUSE, libc::EADDRNOTAVAIL] {
            check(io::Error::from_raw_os_error(own), Failure::Local);
        }
        for code in [libc::EPERM, libc::EACCES] {
            check(io::Error::from_raw_os_error(code), Failure::Forbidden(code));
        }
    }
}
