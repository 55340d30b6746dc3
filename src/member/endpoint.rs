//! From a Cluster object to a client for its API server.

use base64::{Engine, prelude::BASE64_STANDARD};
use kube::{Client, Config};
use serde_json::Value;

use crate::store::{self, pointer_str};

#[derive(Debug, thiserror::Error)]
pub(super) enum EndpointError {
    #[error("spec.apiEndpoint is empty; a push-mode cluster needs the URL of its API server")]
    NoEndpoint,
    #[error("spec.apiEndpoint {endpoint:?} is not a URL: {source}")]
    Url {
        endpoint: String,
        source: http::uri::InvalidUri,
    },
    #[error("data.{field} of the secret in spec.secretRef is not base64: {source}")]
    Secret {
        field: &'static str,
        source: base64::DecodeError,
    },
    #[error("making a client for {endpoint}: {source}")]
    Client {
        endpoint: String,
        source: Box<kube::Error>,
    },
}

/// A client as `Cluster.spec` asks: `apiEndpoint`, the secret's `token` and `caBundle`,
/// `insecureSkipTLSVerification`.
pub(super) fn client(cluster: &Value, secret: Option<&Value>) -> Result<Client, EndpointError> {
    let endpoint = pointer_str(cluster, "/spec/apiEndpoint");
    if endpoint.is_empty() {
        return Err(EndpointError::NoEndpoint);
    }
    let url = endpoint.parse().map_err(|source| EndpointError::Url {
        endpoint: endpoint.to_owned(),
        source,
    })?;
    let mut config = Config::new(url);
    config.accept_invalid_certs = cluster
        .pointer("/spec/insecureSkipTLSVerification")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let Some(token) = data(secret, "token")? {
        config.auth_info.token = Some(String::from_utf8_lossy(&token).into_owned().into());
    }
    if let Some(bundle) = data(secret, "caBundle")? {
        config.root_cert = Some(vec![bundle]);
    }
    store::connect(config).map_err(|source| EndpointError::Client {
        endpoint: endpoint.to_owned(),
        source: Box::new(source),
    })
}

fn data(secret: Option<&Value>, field: &'static str) -> Result<Option<Vec<u8>>, EndpointError> {
    let Some(encoded) = secret.and_then(|secret| secret.get("data")?.get(field)?.as_str()) else {
        return Ok(None);
    };
    BASE64_STANDARD
        .decode(encoded)
        .map(Some)
        .map_err(|source| EndpointError::Secret { field, source })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bad_endpoint_is_named() {
        let error = client(&json!({"spec": {}}), None).err().unwrap();
        assert!(error.to_string().contains("spec.apiEndpoint is empty"));
        let error = client(&json!({"spec": {"apiEndpoint": "http://a b"}}), None)
            .err()
            .unwrap();
        assert!(error.to_string().contains("\"http://a b\""));
    }

    #[test]
    fn a_bad_secret_names_its_field() {
        let cluster = json!({"spec": {"apiEndpoint": "https://192.0.2.1:6443"}});
        let error = client(&cluster, Some(&json!({"data": {"token": "!"}})))
            .err()
            .unwrap();
        assert!(error.to_string().contains("data.token"));
    }
}
