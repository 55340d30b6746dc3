//! Asking an API server whether and how it serves a kind.

use std::{collections::BTreeMap, time::Duration};

use kube::{Client, core::GroupVersionKind, discovery::pinned_kind, error::DiscoveryError};
use tokio::time::Instant;

use super::Kind;

/// Longest wait for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// What was not there is asked for again after this time: it may have been installed meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What an API server says of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    Yes(Kind),
    No,
    /// It did not answer, or not to the point.
    Unanswered,
}

/// The kinds of one API server, each asked for once.
pub struct Discovery {
    client: Client,
    found: BTreeMap<ApiKind, Kind>,
    missing: BTreeMap<ApiKind, (Instant, Served)>,
}

/// `apiVersion` and `kind`.
type ApiKind = (String, String);

impl Discovery {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            found: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Whether and how the API server serves the kind.
    #[expect(clippy::disallowed_methods, reason = "times its own retries")]
    pub async fn ask(&mut self, api_version: &str, kind: &str) -> Served {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(kind) = self.found.get(&key) {
            return Served::Yes(kind.clone());
        }
        if let Some((at, said)) = self.missing.get(&key)
            && at.elapsed() < ASK_AGAIN
        {
            return said.clone();
        }
        let said = discover(&self.client, api_version, kind).await;
        match &said {
            Served::Yes(kind) => {
                self.missing.remove(&key);
                self.found.insert(key, kind.clone());
            }
            Served::No | Served::Unanswered => {
                // What objects name is not ours to bound; old answers are worth nothing.
                self.missing.retain(|_, (at, _)| at.elapsed() < ASK_AGAIN);
                self.missing.insert(key, (Instant::now(), said.clone()));
            }
        }
        said
    }
}

async fn discover(client: &Client, api_version: &str, kind: &str) -> Served {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    match tokio::time::timeout(REQUEST_TIMEOUT, pinned_kind(client, &gvk)).await {
        Ok(Ok((resource, capabilities))) => Served::Yes(Kind::discovered(&resource, &capabilities.scope)),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Served::No,
        Ok(Err(kube::Error::Discovery(DiscoveryError::MissingKind(_)))) => Served::No,
        Ok(Err(_)) | Err(_) => Served::Unanswered,
    }
}
