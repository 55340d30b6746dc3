//! Certificates: who an observer or a consumer is.

use std::collections::BTreeMap;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{self, PemObject},
};

use super::CONSUMER_NAME;

/// A certificate with its key, and the roots that the other side must descend from.
pub struct Identity {
    /// The end entity's first. A name of an observer is a DNS name among its subject alternative names; a
    /// consumer's
    /// certificate has the name [`CONSUMER_NAME`].
    pub cert_chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub roots: Vec<CertificateDer<'static>>,
}

/// Certificates that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make a certificate for {name:?}: {source}")]
pub struct IdentityError {
    name: String,
    source: rcgen::Error,
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

    /// Make a certificate authority of its own and one identity for each name, all of them fit to observe and
    /// to consume.
    /// The authority's key is dropped: nobody can add to the fleet later. For demos and tests.
    ///
    /// # Errors
    /// The name for which no certificate could be made.
    pub fn generate_fleet(names: &[&str]) -> Result<BTreeMap<String, Identity>, IdentityError> {
        let wrong = |name: &str| {
            let name = name.to_owned();
            move |source| IdentityError { name, source }
        };
        let authority = "lifeboat fleet authority";
        let ca_key = KeyPair::generate().map_err(wrong(authority))?;
        let mut ca = CertificateParams::new(Vec::new()).map_err(wrong(authority))?;
        ca.distinguished_name.push(DnType::CommonName, authority);
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = ca.self_signed(&ca_key).map_err(wrong(authority))?.der().clone();
        let issuer = Issuer::new(ca, ca_key);
        let one = |name: &str| {
            let key = KeyPair::generate().map_err(wrong(name))?;
            let alt_names = vec![name.to_owned(), CONSUMER_NAME.to_owned()];
            let mut params = CertificateParams::new(alt_names).map_err(wrong(name))?;
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&key, &issuer).map_err(wrong(name))?;
            Ok(Identity {
                cert_chain: vec![certificate.der().clone()],
                key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
                roots: vec![root.clone()],
            })
        };
        names
            .iter()
            .map(|name| Ok(((*name).to_owned(), one(name)?)))
            .collect()
    }
}
