//! TLS 1.3 on ring, both sides with certificates; and the QUIC settings that suit evidence.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::pki_types::CertificateDer;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, crypto::CryptoProvider, version::TLS13};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::window::FixedWindow;
use super::{ALPN, CONSUMER_NAME, Identity, Role};
use crate::profile::Profile;

/// An identity that TLS cannot use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("identity: a root certificate is not usable: {0}")]
    Root(rustls::Error),
    #[error("identity: verify the other side's certificates: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("identity: use the certificate and its key: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("identity: no cipher suite for QUIC: {0}")]
    Suite(#[from] NoInitialCipherSuite),
    #[error(
        "identity: {name:?} is not a name in the certificate; its subject alternative names must have it"
    )]
    Name { name: String },
    #[error(
        "identity: the certificate is not {role}'s: its extended key usage lacks {usage}",
        usage = role.usage()
    )]
    Role { role: Role },
    #[error("identity: the certificate has expired, at {at}")]
    Expired { at: String },
    #[error("identity: the certificate is not valid before {from}; is the clock right?")]
    NotYetValid { from: String },
    #[error("the idle timeout of {0:?} is too long for QUIC")]
    Idle(Duration),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(identity: &Identity) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for root in &identity.roots {
        store.add(root.clone()).map_err(TlsError::Root)?;
    }
    Ok(Arc::new(store))
}

pub(super) fn server(identity: &Identity, profile: &Profile) -> Result<ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(identity)?, provider()).build()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.cert_chain.clone(), identity.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport(profile, 0)?));
    Ok(config)
}

/// `table_bytes`: the size of one table, which is all that is ever buffered.
pub(super) fn client(
    identity: &Identity,
    profile: &Profile,
    table_bytes: usize,
) -> Result<ClientConfig, TlsError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(identity)?)
        .with_client_auth_cert(identity.cert_chain.clone(), identity.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport(profile, table_bytes)?));
    Ok(config)
}

/// Every datagram is acknowledged within 25 ms, so a path that is silent for the acknowledgement timeout is dead, and the
/// idle timeout ends the connection; the dialler makes another.
fn transport(profile: &Profile, table_bytes: usize) -> Result<TransportConfig, TlsError> {
    let idle = profile.ack_timeout();
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(
            IdleTimeout::try_from(idle).map_err(|_| TlsError::Idle(idle))?,
        ))
        .initial_rtt(Duration::from_millis(100))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(Some(256 * 1024))
        .datagram_send_buffer_size(table_bytes.max(16 * 1024))
        .congestion_controller_factory(Arc::new(FixedWindow(1024 * 1024)));
    Ok(config)
}

/// Whether a certificate has an observer's name, as it is: a wildcard would give one holder as many votes as it likes. The name that
/// consumers share is nobody's.
pub(super) fn has_name(certificate: &CertificateDer<'_>, name: &str) -> bool {
    if name.eq_ignore_ascii_case(CONSUMER_NAME) {
        return false;
    }
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else {
        return false;
    };
    let is = |of: &GeneralName<'_>| matches!(of, GeneralName::DNSName(own) if own.eq_ignore_ascii_case(name));
    names.value.general_names.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_it_stands_in_the_certificate() {
        let check = |own: &str, name: &str, expected: bool| {
            let mut fleet = Identity::generate_fleet(&[own], &[]).unwrap();
            let identity = fleet.remove(own).unwrap();
            let has = has_name(identity.cert_chain.first().unwrap(), name);
            assert_eq!(has, expected, "{own} {name}");
        };
        check("observer-1", "observer-1", true);
        check("observer-1", "Observer-1", true);
        check("observer-1", "observer-2", false);
        check("*.obs.example", "a.obs.example", false);
        check(CONSUMER_NAME, CONSUMER_NAME, false);
    }
}
