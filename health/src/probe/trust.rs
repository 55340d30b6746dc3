//! TLS on the probing side: one verifier for all targets that trust the same roots.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::file::{Reloaded, Source};
use crate::check::{Roots, TlsProbe};
use crate::clock::MonoClock;

type Shared = Reloaded<Arc<ClientConfig>>;

/// The protocol that a handshake asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alpn {
    None,
    Http1,
    Http2,
}

/// Verifiers by roots and protocol.
#[derive(Default)]
pub(super) struct Trust {
    shared: Mutex<BTreeMap<(Roots, Alpn), Weak<Shared>>>,
}

/// What one target's handshakes need.
pub(super) struct Secure {
    config: Arc<Shared>,
    name: Option<ServerName<'static>>,
    pub(super) expiry_warning_days: u16,
}

impl Trust {
    pub(super) fn secure(&self, tls: TlsProbe, alpn: Alpn) -> Secure {
        let TlsProbe {
            roots,
            server_name,
            expiry_warning_days,
        } = tls;
        let mut shared = self.shared.lock();
        shared.retain(|_, weak| weak.strong_count() > 0);
        let key = (roots, alpn);
        let found = shared.get(&key).and_then(Weak::upgrade);
        let config = found.unwrap_or_else(|| {
            let source = match &key.0 {
                Roots::File(path) => Source::File(path.into()),
                Roots::Pem(pem) => Source::Given(pem.clone()),
            };
            let config = Reloaded::new(source, move |pem| client(pem, alpn).map(Arc::new));
            shared.insert(key, Arc::downgrade(&config));
            config
        });
        Secure {
            config,
            name: ServerName::try_from(server_name).ok(),
            expiry_warning_days,
        }
    }
}

impl Secure {
    /// # Errors
    /// The roots cannot be used, and why.
    pub(super) async fn get(
        &self,
        clock: MonoClock,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
        let config = self.config.get(clock).await?;
        let name = self.name.clone();
        Ok((config, name.ok_or("tls.serverName is not a name")?))
    }
}

fn client(pem: &[u8], alpn: Alpn) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("not PEM: {error}"))?;
        // A bundle of a system may hold roots that webpki does not take.
        if let Err(error) = roots.add(certificate) {
            tracing::debug!(%error, "a root certificate is not usable");
        }
    }
    if roots.is_empty() {
        return Err("no usable root certificate".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match alpn {
        Alpn::None => Vec::new(),
        Alpn::Http1 => vec![b"http/1.1".to_vec()],
        Alpn::Http2 => vec![b"h2".to_vec()],
    };
    // A resumed handshake would not show the certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}
