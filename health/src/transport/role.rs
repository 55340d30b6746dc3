//! What a certificate is for, by its extended key usage (RFC 5280 §4.2.1.12): observers dial, so theirs is a TLS client's;
//! consumers listen, so theirs is a server's.
//!
//! One that says nothing is taken for both: so were all that were issued before roles, and a fleet that refused them would
//! be blind while it is upgraded.

use std::fmt;

use quinn::{ConnectionError, TransportErrorCode};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::prelude::FromDer;

use super::{Identity, TlsError};

/// What the holder of a certificate may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Who sends evidence.
    Observer,
    /// Who hears it: DNS servers and controllers.
    Consumer,
}

/// What a certificate says about a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Yes,
    No,
    /// It has no extended key usage.
    Unsaid,
}

impl Role {
    pub(super) fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Role::Observer => ExtendedKeyUsagePurpose::ClientAuth,
            Role::Consumer => ExtendedKeyUsagePurpose::ServerAuth,
        }
    }

    /// The name of the key usage, as openssl and cert-manager spell it up to hyphens.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Role::Observer => "clientAuth",
            Role::Consumer => "serverAuth",
        }
    }

    /// What TLS goes by as well: a usage "any" is not this one. What cannot be read is left to TLS to refuse.
    pub(super) fn granted_by(self, certificate: &CertificateDer<'_>) -> Granted {
        let granted = |usage: &ExtendedKeyUsage<'_>| match self {
            Role::Observer => usage.client_auth,
            Role::Consumer => usage.server_auth,
        };
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Granted::Unsaid;
        };
        match parsed.extended_key_usage() {
            Ok(Some(usage)) if granted(usage.value) => Granted::Yes,
            Ok(Some(_)) => Granted::No,
            Ok(None) | Err(_) => Granted::Unsaid,
        }
    }

    /// Whether one's own certificate is for this role.
    ///
    /// # Errors
    /// It is for the other.
    pub(super) fn check(self, identity: &Identity) -> Result<(), TlsError> {
        let granted = identity
            .cert_chain
            .first()
            .map_or(Granted::Unsaid, |own| self.granted_by(own));
        match granted {
            Granted::Yes | Granted::Unsaid => Ok(()),
            Granted::No => Err(TlsError::Role { role: self }),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Observer => "an observer",
            Role::Consumer => "a consumer",
        })
    }
}

/// Whether a connection ended because one side's certificate lacks its role: of all that can be wrong with a certificate only
/// that has this alert.
pub(super) fn lacks_role(error: &ConnectionError) -> bool {
    alert(error)
        == Some(TransportErrorCode::crypto(
            AlertDescription::UnsupportedCertificate.into(),
        ))
}

/// Whether TLS, on this side or the other, ended a connection.
pub(super) fn refused_by_tls(error: &ConnectionError) -> bool {
    alert(error).is_some_and(|code| (0x100..0x200).contains(&u64::from(code)))
}

fn alert(error: &ConnectionError) -> Option<TransportErrorCode> {
    match error {
        ConnectionError::TransportError(error) => Some(error.code),
        ConnectionError::ConnectionClosed(close) => Some(close.error_code),
        ConnectionError::VersionMismatch
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => None,
    }
}
