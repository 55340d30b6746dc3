//! managedFields: which manager owns which field, kept by comparing (updates) or by what was sent (apply).

use serde_json::{Value, json};

use super::clock;
use super::error::ApiError;
use super::fieldset::{FieldSet, compare};
use super::kinds::Kind;
use super::store::Subresource;

mod apply;
mod entries;

pub(crate) use apply::apply;
use entries::{Entry, read, write};

/// Metadata the server keeps; nobody owns it.
const SERVER_METADATA: &[&str] = &[
    "name",
    "namespace",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "generateName",
];

/// Drops the paths that are never owned.
fn strip(set: &mut FieldSet) {
    set.children.remove("f:apiVersion");
    set.children.remove("f:kind");
    if let Some(metadata) = set.children.get_mut("f:metadata") {
        metadata.member = false;
        for name in SERVER_METADATA {
            metadata.children.remove(format!("f:{name}").as_str());
        }
        if metadata.is_empty() {
            set.children.remove("f:metadata");
        }
    }
}

/// Records that `manager` wrote `object` over `old` by create, update or a plain patch.
pub(crate) fn record_update(
    old: Option<&Value>,
    object: &mut Value,
    kind: &Kind,
    manager: &str,
    subresource: Subresource,
) {
    let sent = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    // An explicit list without content resets the record; no list at all keeps it.
    let reset = sent.is_some_and(|list| {
        list.iter()
            .all(|entry| entry.as_object().is_none_or(serde_json::Map::is_empty))
    });
    let mut entries = match (sent, old) {
        (Some(_), _) if reset => Vec::new(),
        (Some(_), _) => read(object),
        (None, Some(old)) => read(old),
        (None, None) => Vec::new(),
    };
    let nothing = json!({});
    let (mut changed, mut removed) = compare(old.unwrap_or(&nothing), object, kind.schema.get());
    strip(&mut changed);
    strip(&mut removed);
    if changed.is_empty() && removed.is_empty() {
        write(object, &entries);
        return;
    }
    let api_version = kind.api_version();
    let own = |entry: &Entry| entry.is(manager, "Update", &api_version, subresource.name());
    for entry in &mut entries {
        entry.set.subtract(&removed);
        if !own(entry) {
            entry.set.subtract(&changed);
        }
    }
    if !changed.is_empty() {
        let at = entries.iter().position(own);
        let at = at.unwrap_or_else(|| {
            entries.push(Entry::new(manager, "Update", &api_version, subresource.name()));
            entries.len() - 1
        });
        entries[at].set.union(&changed);
        entries[at].time = clock::now_rfc3339();
    }
    entries.retain(|entry| !entry.set.is_empty());
    entries::bound(&mut entries);
    write(object, &entries);
}

/// The refusal of an apply: every field, and who owns it.
fn conflict(found: &[(String, FieldSet)]) -> ApiError {
    use super::error::{Cause, CauseKind};
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (owner, set) in found {
        let paths = set.paths();
        for path in &paths {
            causes.push(Cause {
                kind: CauseKind::ManagerConflict,
                field: path.clone(),
                message: format!("conflict with {owner}"),
            });
        }
        lines.push((owner, paths));
    }
    let detail = match lines.as_slice() {
        [(owner, paths)] if paths.len() == 1 => format!("conflict with {owner}: {}", paths[0]),
        many => {
            let text: Vec<String> = many
                .iter()
                .map(|(owner, paths)| format!("conflicts with {owner}:\n- {}", paths.join("\n- ")))
                .collect();
            text.join("\n")
        }
    };
    let plural = if causes.len() == 1 {
        "conflict"
    } else {
        "conflicts"
    };
    ApiError::new(
        409,
        "Conflict",
        format!("Apply failed with {} {plural}: {detail}", causes.len()),
    )
    .with_causes(causes)
}
