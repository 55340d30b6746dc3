//! Deleting one object or many, with preconditions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::options::DeleteOptions;
use super::sweep::{Outcome, Sweep};
use super::{ListQuery, Store};
use crate::apiserver::convert;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::stored::{Key, Stored};

/// The result of a deletion.
#[derive(Debug)]
pub(crate) struct Deleted {
    /// The object as it was last, or with its deletionTimestamp.
    pub object: Value,
    /// It is gone, not only marked.
    pub gone: bool,
}

impl Store {
    pub(crate) fn delete_with(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let namespace = if kind.namespaced { namespace } else { "" };
        let mut state = self.inner.state.write();
        let key = Key::new(namespace, name);
        let found = state.find(&kind.storage, &key).cloned();
        let found = found.ok_or_else(|| ApiError::not_found(kind, name))?;
        check(kind, &found, options)?;
        if options.dry_run {
            return Ok(Deleted {
                object: convert::value(kind, &found),
                gone: true,
            });
        }
        let mut sweep = Sweep::new(&mut state, self.inner.kubelet.load(Ordering::Relaxed));
        let outcome = sweep.delete(kind, &key, options.propagation, options.grace_period_s);
        sweep.run();
        let present = state
            .find(&kind.storage, &key)
            .filter(|now| now.uid == found.uid)
            .cloned();
        Ok(match (present, outcome) {
            (Some(marked), _) => Deleted {
                object: convert::value(kind, &marked),
                gone: false,
            },
            (None, Outcome::Gone(last)) => Deleted {
                object: convert::value(kind, &last),
                gone: true,
            },
            (None, Outcome::Marked | Outcome::Absent) => Deleted {
                object: convert::value(kind, &found),
                gone: true,
            },
        })
    }

    /// Deletes everything a list would return, and returns it.
    pub(crate) fn delete_collection(
        &self,
        kind: &Arc<Kind>,
        query: &ListQuery,
        options: &DeleteOptions,
    ) -> Result<Vec<Value>, ApiError> {
        let page = self.list_page(kind, query)?;
        let mut deleted = Vec::with_capacity(page.items.len());
        for item in page.items {
            match self.delete_with(kind, &item.namespace, &item.name, options) {
                Ok(done) => deleted.push(done.object),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }
}

fn check(kind: &Kind, found: &Stored, options: &DeleteOptions) -> Result<(), ApiError> {
    let name = &*found.name;
    if kind.is_core("namespaces") && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(ApiError::forbidden(
            kind,
            name,
            "this namespace may not be deleted",
        ));
    }
    if let Some(uid) = options.uid.as_deref().filter(|uid| **uid != *found.uid) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            found.uid
        );
        return Err(ApiError::conflict(kind, name, &why));
    }
    if let Some(rv) = options
        .resource_version
        .as_deref()
        .filter(|rv| **rv != *found.rv.to_string())
    {
        let why = format!(
            "Precondition failed: ResourceVersion in precondition: {rv}, ResourceVersion in object meta: {}",
            found.rv
        );
        return Err(ApiError::conflict(kind, name, &why));
    }
    Ok(())
}
