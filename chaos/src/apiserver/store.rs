//! The state of one cluster and everything that may be done to it.
//!
//! ```text
//! HTTP request ─┐                         ┌► validate, default, own fields ─► State ─► History ─► watchers
//! in-process   ─┴► Store (kind, options) ─┤
//! controllers                             └► delete ─► sweep: dependents, namespaces, definitions
//! ```
//! Everything is synchronous and done under one lock, cascades included: when a call returns, its
//! consequences have happened, and each of them is an event of its own in the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::watch;

use super::convert;
use super::error::ApiError;
use super::gvr::Gvr;
use super::kinds::Kind;
use super::selector::{Selector, labels::LabelSelector};
use super::state::State;
use super::stored::{Key, Stored};
use super::watch::WatchStream;

pub(crate) mod delete;
mod list;
pub(crate) mod options;
mod patch;
pub(crate) mod scale;
mod sweep;
mod write;

pub(crate) use list::{ListQuery, too_new};
pub(crate) use options::{DeleteOptions, FieldValidation, Subresource, WriteOptions};
pub(crate) use patch::PatchKind;

/// The store of one API server. Clones share it. The HTTP layer goes through the very same functions.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub state: RwLock<State>,
    /// A kubelet confirms the end of pods: deleting a bound pod only marks it.
    pub kubelet: AtomicBool,
    pub slow_watchers: AtomicU64,
}

/// Numbers about a store, for metrics and tests of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStats {
    pub objects: usize,
    pub resource_version: u64,
    pub history_events: usize,
    pub history_bytes: usize,
    /// Watches ended because they fell behind the history.
    pub slow_watchers_dropped: u64,
}

impl Store {
    /// An empty cluster with the namespaces every cluster has; `history` bounds the remembered changes.
    #[must_use]
    pub fn new(history: usize) -> Store {
        let inner = Inner {
            state: RwLock::new(State::new(history)),
            kubelet: AtomicBool::new(false),
            slow_watchers: AtomicU64::new(0),
        };
        let store = Store {
            inner: Arc::new(inner),
        };
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let object = serde_json::json!({"metadata": {"name": name}});
            if let Err(error) = store.create(&Gvr::core("namespaces"), None, object) {
                tracing::warn!(%error, name, "a standing namespace could not be created");
            }
        }
        store
    }

    /// With a kubelet, deleting a pod bound to a node only sets its deletionTimestamp; the kubelet ends it
    /// with a second delete (grace period 0, see [`Store::delete_now`]). Off by default: pods go at once.
    pub fn set_kubelet(&self, present: bool) {
        self.inner.kubelet.store(present, Ordering::Relaxed);
    }

    pub(crate) fn kind(&self, gvr: &Gvr) -> Result<Arc<Kind>, ApiError> {
        let state = self.inner.state.read();
        state
            .registry
            .get(gvr)
            .cloned()
            .ok_or_else(ApiError::no_such_path)
    }

    /// One object.
    ///
    /// # Errors
    /// Not found: the resource type, or the object.
    pub fn get(&self, gvr: &Gvr, namespace: Option<&str>, name: &str) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        let stored = self.find(&kind, namespace.unwrap_or_default(), name)?;
        Ok(convert::value(&kind, &stored))
    }

    pub(crate) fn find(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Stored>, ApiError> {
        let state = self.inner.state.read();
        let found = state.find(&kind.storage, &Key::new(namespace, name)).cloned();
        found.ok_or_else(|| ApiError::not_found(kind, name))
    }

    /// All objects, of one namespace or of all, that match a label selector (empty: every one), and the
    /// resource version a watch continues from.
    ///
    /// # Errors
    /// An unknown resource type, or a label selector that does not parse.
    pub fn list(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<(Vec<Value>, u64), ApiError> {
        let kind = self.kind(gvr)?;
        let labels = LabelSelector::parse(labels).map_err(ApiError::bad_request)?;
        let selector = Selector {
            labels,
            ..Selector::default()
        };
        let query = ListQuery {
            namespace: namespace.map(str::to_owned),
            selector,
            ..ListQuery::default()
        };
        let page = self.list_page(&kind, &query)?;
        Ok((
            page.items
                .iter()
                .map(|stored| convert::value(&kind, stored))
                .collect(),
            page.rv,
        ))
    }

    /// Creates an object and returns it as stored.
    ///
    /// # Errors
    /// Exists already, invalid, forbidden (a namespace that ends), or no such namespace or resource type.
    pub fn create(&self, gvr: &Gvr, namespace: Option<&str>, object: Value) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        self.create_with(&kind, namespace, object, &mut WriteOptions::in_process())
    }

    /// Replaces an object; a `metadata.resourceVersion` in it must be the present one.
    ///
    /// # Errors
    /// Not found, conflict, or invalid.
    pub fn update(&self, gvr: &Gvr, namespace: Option<&str>, object: Value) -> Result<Value, ApiError> {
        self.replace(gvr, namespace, object, Subresource::None)
    }

    /// Replaces the status of an object and nothing else.
    ///
    /// # Errors
    /// Not found, conflict, or invalid.
    pub fn update_status(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        object: Value,
    ) -> Result<Value, ApiError> {
        self.replace(gvr, namespace, object, Subresource::Status)
    }

    fn replace(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        object: Value,
        subresource: Subresource,
    ) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        let name = super::meta::name(&object).to_owned();
        let inside = super::meta::namespace(&object).to_owned();
        let namespace = namespace.unwrap_or(&inside);
        self.update_with(
            &kind,
            namespace,
            &name,
            subresource,
            object,
            &mut WriteOptions::in_process(),
        )
    }

    /// Changes an object by a JSON merge patch; `subresource` is `None` or `Some("status")`.
    ///
    /// # Errors
    /// Not found, conflict, or invalid.
    pub fn patch_merge(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        subresource: Option<&str>,
    ) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        let subresource = Subresource::parse(subresource.unwrap_or_default(), &kind)?;
        let namespace = namespace.unwrap_or_default();
        let options = &mut WriteOptions::in_process();
        self.patch_with(
            &kind,
            namespace,
            name,
            subresource,
            PatchKind::Merge,
            patch,
            options,
        )
    }

    /// Server-side apply in the name of a field manager; creates the object if it is not there.
    ///
    /// # Errors
    /// Conflict naming the fields others own (unless `force`), or invalid.
    pub fn apply(
        &self,
        gvr: &Gvr,
        namespace: Option<&str>,
        name: &str,
        manager: &str,
        force: bool,
        object: &Value,
    ) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        let mut options = WriteOptions {
            manager: manager.to_owned(),
            force,
            ..WriteOptions::in_process()
        };
        let namespace = namespace.unwrap_or_default();
        self.patch_with(
            &kind,
            namespace,
            name,
            Subresource::None,
            PatchKind::Apply,
            object,
            &mut options,
        )
    }

    /// Deletes an object; dependents follow in the background, finalizers are respected.
    /// Returns the object as it was last.
    ///
    /// # Errors
    /// Not found, or forbidden (the `default` namespace).
    pub fn delete(&self, gvr: &Gvr, namespace: Option<&str>, name: &str) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        self.delete_with(
            &kind,
            namespace.unwrap_or_default(),
            name,
            &DeleteOptions::default(),
        )
        .map(|d| d.object)
    }

    /// As [`Store::delete`], without a grace period: what a kubelet does when a pod has ended.
    ///
    /// # Errors
    /// Not found, or forbidden.
    pub fn delete_now(&self, gvr: &Gvr, namespace: Option<&str>, name: &str) -> Result<Value, ApiError> {
        let kind = self.kind(gvr)?;
        let options = DeleteOptions {
            grace_period_s: Some(0),
            ..DeleteOptions::default()
        };
        self.delete_with(&kind, namespace.unwrap_or_default(), name, &options)
            .map(|deleted| deleted.object)
    }

    /// Follows the newest resource version of the whole store: "something changed".
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.state.read().changed.subscribe()
    }

    /// The newest resource version.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.inner.state.read().rv
    }

    /// Every change of a resource type after `from_rv` (as returned by [`Store::list`]).
    ///
    /// # Errors
    /// Expired, if the history no longer reaches back to `from_rv`.
    pub fn watch(&self, gvr: &Gvr, namespace: Option<&str>, from_rv: u64) -> Result<WatchStream, ApiError> {
        let kind = self.kind(gvr)?;
        WatchStream::open(
            self.clone(),
            kind,
            namespace.map(str::to_owned),
            Selector::default(),
            from_rv,
        )
    }

    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let state = self.inner.state.read();
        StoreStats {
            objects: state.tables.values().map(|table| table.objects.len()).sum(),
            resource_version: state.rv,
            history_events: state.history.len(),
            history_bytes: state.history.bytes(),
            slow_watchers_dropped: self.inner.slow_watchers.load(Ordering::Relaxed),
        }
    }
}
