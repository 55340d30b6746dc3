//! Lists: newest, exact or not older than a resource version, in pages that stay consistent.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Store;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::selector::Selector;
use crate::apiserver::state::State;
use crate::apiserver::stored::{Key, Stored};

/// What a list asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    pub selector: Selector,
    /// 0: no limit.
    pub limit: usize,
    pub continue_token: Option<String>,
    pub resource_version: Option<u64>,
    /// `resourceVersionMatch=Exact`.
    pub exact: bool,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct ListPage {
    pub items: Vec<Arc<Stored>>,
    pub rv: u64,
    pub next: Option<String>,
    /// How many follow after this page, where that is known without reading on.
    pub remaining: Option<usize>,
}

impl Store {
    pub(crate) fn list_page(&self, kind: &Kind, query: &ListQuery) -> Result<ListPage, ApiError> {
        let state = self.inner.state.read();
        let (rv, after) = match &query.continue_token {
            Some(token) => {
                let (rv, after) = decode(token).ok_or_else(|| {
                    ApiError::bad_request("continue key is not valid: it was not made by this server")
                })?;
                (rv, Some(after))
            }
            None => (version(&state, query)?, None),
        };
        if rv >= state.rv {
            let empty = BTreeMap::new();
            let objects = state
                .tables
                .get(&kind.storage)
                .map_or(&empty, |table| &table.objects);
            return Ok(page(objects, query, state.rv, after));
        }
        let objects = state.as_of(&kind.storage, rv).ok_or_else(|| {
            ApiError::expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.")
        })?;
        Ok(page(&objects, query, rv, after))
    }
}

/// Which resource version to answer with.
fn version(state: &State, query: &ListQuery) -> Result<u64, ApiError> {
    let newest = state.stale_at.unwrap_or(state.rv);
    match query.resource_version {
        Some(asked) if asked > state.rv => Err(too_new(asked, state.rv)),
        Some(asked) if query.exact => Ok(asked),
        Some(asked) if asked > newest => Ok(asked),
        Some(_) | None => Ok(newest),
    }
}

pub(crate) fn too_new(asked: u64, newest: u64) -> ApiError {
    use crate::apiserver::error::{Cause, CauseKind};
    let message = format!("Too large resource version: {asked}, current: {newest}");
    let cause = Cause {
        kind: CauseKind::ResourceVersionTooLarge,
        field: String::new(),
        message: "Too large resource version".into(),
    };
    ApiError::new(504, "Timeout", format!("Timeout: {message}"))
        .with_causes(vec![cause])
        .retry_after(1)
}

fn page(objects: &BTreeMap<Key, Arc<Stored>>, query: &ListQuery, rv: u64, after: Option<Key>) -> ListPage {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let (first, last) = match &query.namespace {
        Some(namespace) => {
            let range = Key::namespace_range(namespace);
            (Included(range.start), Excluded(range.end))
        }
        None => (Unbounded, Unbounded),
    };
    let first = match after {
        Some(after) if in_order(&after, &last) => Excluded(after),
        Some(_) => {
            return ListPage {
                items: Vec::new(),
                rv,
                next: None,
                remaining: None,
            };
        }
        None => first,
    };
    let mut matching = objects
        .range((first, last))
        .map(|(_, stored)| stored)
        .filter(|s| query.selector.matches(s));
    if query.limit == 0 {
        return ListPage {
            items: matching.cloned().collect(),
            rv,
            next: None,
            remaining: None,
        };
    }
    let items: Vec<Arc<Stored>> = matching.by_ref().take(query.limit).cloned().collect();
    let remaining = matching.count();
    let next = match items.last() {
        Some(last) if remaining > 0 => Some(encode(rv, &last.key())),
        Some(_) | None => None,
    };
    let remaining = next.is_some().then_some(remaining);
    ListPage {
        items,
        rv,
        next,
        remaining,
    }
}

/// `BTreeMap::range` panics on an inverted range, and the token comes from outside.
fn in_order(after: &Key, last: &std::ops::Bound<Key>) -> bool {
    match last {
        std::ops::Bound::Excluded(last) => after < last,
        std::ops::Bound::Included(_) | std::ops::Bound::Unbounded => true,
    }
}

fn encode(rv: u64, after: &Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{rv}\n{}", after.as_str()))
}

fn decode(token: &str) -> Option<(u64, Key)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (rv, key) = text.split_once('\n')?;
    key.contains('/')
        .then_some((rv.parse().ok()?, Key::from_text(key)))
}
