//! Asking an API server whether and how it serves a kind.

use std::time::Duration;

use kube::{Client, core::GroupVersionKind, discovery::pinned_kind};

use super::Kind;

/// Longest wait for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The kind as the API server serves it; none where it does not, or does not answer.
pub async fn discover(client: &Client, api_version: &str, kind: &str) -> Option<Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let found = tokio::time::timeout(REQUEST_TIMEOUT, pinned_kind(client, &gvk))
        .await
        .ok()?
        .ok()?;
    Some(Kind::discovered(&found.0, &found.1.scope))
}
