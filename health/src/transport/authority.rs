//! The fleet's certificate authority: who may send evidence, and who may hear it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{CONSUMER_NAME, Identity, Role};

const NAME: &str = "lifeboat fleet authority";
/// The authority's own certificate outlives those it issues.
const AUTHORITY_DAYS: i64 = 3_650;

/// A certificate authority with its key.
pub struct Authority {
    certificate_pem: String,
    certificate: CertificateDer<'static>,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Certificates that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make a certificate for {name:?}: {source}")]
pub struct IdentityError {
    name: String,
    source: rcgen::Error,
}

/// A certificate and its key as PEM.
pub struct Issued {
    pub certificate_pem: String,
    pub key_pem: String,
    identity: Identity,
}

impl Issued {
    pub fn into_identity(self) -> Identity {
        self.identity
    }
}

impl Authority {
    /// A new authority, valid from `now` for ten years.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn create(now: OffsetDateTime) -> Result<Authority, IdentityError> {
        let key = KeyPair::generate().map_err(wrong(NAME))?;
        let mut params = params()?;
        params.not_before = now - Duration::HOUR;
        params.not_after = now + Duration::days(AUTHORITY_DAYS);
        let certificate = params.self_signed(&key).map_err(wrong(NAME))?;
        Ok(Authority {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// One that was made by [`Authority::create`] before.
    ///
    /// # Errors
    /// The key is not a private key in PEM; the certificate none; or they are not of one pair, and nobody would trust what
    /// was issued.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Authority, AuthorityError> {
        use rustls::pki_types::pem::PemObject;
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(AuthorityError::Certificate)?;
        let key = KeyPair::from_pem(key_pem).map_err(AuthorityError::Key)?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| AuthorityError::Unreadable)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::Pair);
        }
        Ok(Authority {
            certificate_pem: certificate_pem.to_owned(),
            certificate,
            key_pem: key_pem.to_owned(),
            issuer: Issuer::new(params()?, key),
        })
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// A certificate for `name`, valid from `now` for `days`, fit for `role` and nothing else.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn issue(
        &self,
        name: &str,
        role: Role,
        now: OffsetDateTime,
        days: u32,
    ) -> Result<Issued, IdentityError> {
        let key = KeyPair::generate().map_err(wrong(name))?;
        let mut alt_names = vec![name.to_owned()];
        if role == Role::Consumer {
            alt_names.push(CONSUMER_NAME.to_owned());
        }
        let mut params = CertificateParams::new(alt_names).map_err(wrong(name))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![role.purpose()];
        params.not_before = now - Duration::HOUR;
        params.not_after = now + Duration::days(days.into());
        let certificate = params.signed_by(&key, &self.issuer).map_err(wrong(name))?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            identity: Identity {
                cert_chain: vec![certificate.der().clone()],
                key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
                roots: vec![self.certificate.clone()],
            },
        })
    }
}

/// An authority that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("the authority's certificate: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    #[error("the authority's certificate cannot be read")]
    Unreadable,
    #[error("the certificate and the key do not belong together: their public keys differ")]
    Pair,
    #[error("the authority's key: {0}")]
    Key(rcgen::Error),
    #[error(transparent)]
    Params(#[from] IdentityError),
}

fn params() -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(wrong(NAME))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn wrong(name: &str) -> impl Fn(rcgen::Error) -> IdentityError {
    let name = name.to_owned();
    move |source| IdentityError {
        name: name.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_anothers_key_are_no_authority() {
        let now = OffsetDateTime::now_utc();
        let (one, other) = (Authority::create(now).unwrap(), Authority::create(now).unwrap());
        assert!(Authority::from_pem(one.certificate_pem(), one.key_pem()).is_ok());
        let refused = Authority::from_pem(one.certificate_pem(), other.key_pem()).err();
        assert!(matches!(refused, Some(AuthorityError::Pair)), "{refused:?}");
    }
}
