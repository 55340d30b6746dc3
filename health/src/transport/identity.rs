//! Certificates: who an observer or a consumer is.

use std::collections::BTreeMap;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

use super::Role;
use super::authority::{Authority, IdentityError};

/// How long a generated fleet lasts: as long as its authority, for whoever holds it in memory cannot renew it.
const FLEET_DAYS: u32 = 3_650;

/// A certificate with its key, and the roots that the other side must descend from.
pub struct Identity {
    /// The end entity's first. A name of an observer is a DNS name among its subject alternative names; a consumer's
    /// certificate has the name [`super::CONSUMER_NAME`]. Its extended key usage says which of the two it may be ([`Role`]).
    pub cert_chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub roots: Vec<CertificateDer<'static>>,
}

/// PEM text that is not an identity.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("{what}: {source}")]
    Pem { what: &'static str, source: pem::Error },
    #[error("{what}: holds no certificate")]
    Empty { what: &'static str },
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity {
            cert_chain: self.cert_chain.clone(),
            key: self.key.clone_key(),
            roots: self.roots.clone(),
        }
    }
}

impl Identity {
    /// From PEM: a certificate chain with the end entity's first, its private key, and the roots of the others.
    ///
    /// # Errors
    /// Which of the three is not what it should be.
    pub fn from_pem(cert_chain: &[u8], key: &[u8], roots: &[u8]) -> Result<Identity, PemError> {
        let certificates = |what, pem: &[u8]| {
            let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(|source| PemError::Pem { what, source })?;
            if found.is_empty() {
                return Err(PemError::Empty { what });
            }
            Ok(found)
        };
        Ok(Identity {
            cert_chain: certificates("certificate", cert_chain)?,
            key: PrivateKeyDer::from_pem_slice(key)
                .map_err(|source| PemError::Pem { what: "key", source })?,
            roots: certificates("roots", roots)?,
        })
    }

    /// Make a certificate authority of its own and one identity for each name.
    /// The authority's key is dropped: nobody can add to the fleet later. For demos and tests.
    ///
    /// # Errors
    /// The name for which no certificate could be made.
    pub fn generate_fleet(
        observers: &[&str],
        consumers: &[&str],
    ) -> Result<BTreeMap<String, Identity>, IdentityError> {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create(now)?;
        let observers = observers.iter().map(|name| (*name, Role::Observer));
        let consumers = consumers.iter().map(|name| (*name, Role::Consumer));
        observers
            .chain(consumers)
            .map(|(name, role)| {
                let issued = authority.issue(name, role, now, FLEET_DAYS)?;
                Ok((name.to_owned(), issued.into_identity()))
            })
            .collect()
    }
}
