//! The four kinds of PATCH, each ending in the same write as an update.

use std::sync::Arc;

use serde_json::{Value, json};

use super::options::{Subresource, WriteOptions};
use super::write::{Owner, check_version, decode, identify, set_namespace};
use super::{Store, scale};
use crate::apiserver::error::{ApiError, Cause};
use crate::apiserver::kinds::Kind;
use crate::apiserver::patch::{json as json_patch, merge, strategic};
use crate::apiserver::state::State;
use crate::apiserver::stored::{Key, Stored};
use crate::apiserver::{convert, managed, meta};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Store {
    #[expect(clippy::too_many_arguments, reason = "mirrors what a PATCH request carries")]
    pub(crate) fn patch_with(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        name: &str,
        subresource: Subresource,
        how: PatchKind,
        patch: &Value,
        options: &mut WriteOptions,
    ) -> Result<Value, ApiError> {
        let namespace = if kind.namespaced { namespace } else { "" };
        let mut state = self.inner.state.write();
        let old = state.find(&kind.storage, &Key::new(namespace, name)).cloned();
        let Some(old) = old else {
            if how == PatchKind::Apply && subresource == Subresource::None {
                return self.apply_new(&mut state, kind, namespace, name, patch, options);
            }
            return Err(ApiError::not_found(kind, name));
        };
        if how == PatchKind::Apply {
            return self.apply_over(&mut state, kind, &old, subresource, patch, options);
        }
        let before = convert::value(kind, &old);
        let target = match subresource {
            Subresource::Scale => scale::read(kind, &before)?,
            Subresource::None | Subresource::Status => before.clone(),
        };
        let mut object = patched(kind, name, target, how, subresource, patch)?;
        if subresource == Subresource::Scale {
            object = scale::write(kind, &before, &object)?;
        } else {
            identify(kind, &mut object)?;
            decode(kind, &mut object, options)?;
        }
        check_version(kind, &object, &old, Subresource::Status)?;
        self.replace_locked(
            &mut state,
            kind,
            &old,
            &before,
            object,
            subresource,
            options,
            Owner::Update,
        )
    }

    fn apply_new(
        &self,
        state: &mut State,
        kind: &Arc<Kind>,
        namespace: &str,
        name: &str,
        config: &Value,
        options: &mut WriteOptions,
    ) -> Result<Value, ApiError> {
        let config = applied_config(kind, namespace, name, Subresource::None, config, options)?;
        if let Some(uid) = meta::text(&config, "uid") {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(ApiError::conflict(kind, name, &why));
        }
        let mut object = managed::apply(
            None,
            &config,
            kind,
            &options.manager,
            Subresource::None,
            options.force,
        )?;
        set_namespace(&mut object, namespace);
        decode(kind, &mut object, &mut WriteOptions::in_process())?;
        self.insert(state, kind, object, options, Owner::Applied)
    }

    fn apply_over(
        &self,
        state: &mut State,
        kind: &Arc<Kind>,
        old: &Arc<Stored>,
        subresource: Subresource,
        config: &Value,
        options: &mut WriteOptions,
    ) -> Result<Value, ApiError> {
        let before = convert::value(kind, old);
        let config = if subresource == Subresource::Scale {
            scale::as_config(kind, &before, config)?
        } else {
            applied_config(kind, &old.namespace, &old.name, subresource, config, options)?
        };
        check_version(kind, &config, old, Subresource::Status)?;
        let mut object = managed::apply(
            Some(&before),
            &config,
            kind,
            &options.manager,
            subresource,
            options.force,
        )?;
        decode(kind, &mut object, &mut WriteOptions::in_process())?;
        self.replace_locked(
            state,
            kind,
            old,
            &before,
            object,
            subresource,
            options,
            Owner::Applied,
        )
    }
}

/// The configuration as sent, checked like any body.
fn applied_config(
    kind: &Kind,
    namespace: &str,
    name: &str,
    subresource: Subresource,
    config: &Value,
    options: &mut WriteOptions,
) -> Result<Value, ApiError> {
    let mut config = config.clone();
    if options.manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid(kind, name, vec![cause]));
    }
    for field in ["apiVersion", "kind"] {
        if config.get(field).is_none_or(Value::is_null) {
            return Err(ApiError::bad_request(format!(
                "{field} must be set in an apply patch"
            )));
        }
    }
    identify(kind, &mut config)?;
    if config
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    for (field, expected) in [("name", name), ("namespace", namespace)] {
        match meta::text(&config, field) {
            Some(found) if found != expected && !found.is_empty() => {
                return Err(ApiError::bad_request(format!(
                    "the {field} of the object ({found}) does not match the {field} on the URL ({expected})"
                )));
            }
            Some(_) | None => {}
        }
    }
    meta::set(&mut config, "name", name.into());
    set_namespace(&mut config, namespace);
    let schema = kind.schema.get();
    let report =
        crate::apiserver::schema::conform::conform(&mut config, schema, !kind.is_custom(), &kind.kind);
    let refuse = |why: &str| {
        ApiError::new(
            500,
            "InternalError",
            format!(
                "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {why}",
                kind.api_version(),
                kind.kind
            ),
        )
    };
    if let Some(mismatch) = report.mismatch {
        return Err(refuse(&mismatch));
    }
    let duplicates = std::mem::take(&mut options.duplicates);
    let strict = duplicates
        .iter()
        .map(|path| format!("duplicate field \"{path}\""));
    let strict: Vec<String> = strict
        .chain(
            report
                .unknown
                .iter()
                .map(|path| format!(".{path}: field not declared in schema")),
        )
        .collect();
    match options.validation {
        super::FieldValidation::Strict if !strict.is_empty() => return Err(refuse(&strict.join(", "))),
        super::FieldValidation::Warn => options.warnings.extend(strict),
        super::FieldValidation::Strict | super::FieldValidation::Ignore => {}
    }
    // A subresource applies its own part only; the main resource leaves the status alone.
    if let Some(map) = config.as_object_mut() {
        match subresource {
            Subresource::None if kind.status => {
                map.remove("status");
            }
            Subresource::Status => {
                map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
            }
            Subresource::None | Subresource::Scale => {}
        }
        if subresource == Subresource::Status {
            let identity = json!({"name": name});
            map.insert("metadata".to_owned(), identity);
        }
    }
    Ok(config)
}

fn patched(
    kind: &Kind,
    name: &str,
    mut target: Value,
    how: PatchKind,
    subresource: Subresource,
    patch: &Value,
) -> Result<Value, ApiError> {
    match how {
        PatchKind::Json => {
            json_patch::apply(&mut target, patch).map_err(|why| match why {
                json_patch::Failure::Malformed(why) => ApiError::bad_request(why),
                json_patch::Failure::Refused(why) => ApiError::new(
                    422,
                    "Invalid",
                    format!("the server rejected our request due to an error in our request: {why}"),
                )
                .about(&kind.group, &kind.kind, name),
            })?;
        }
        PatchKind::Merge => {
            if !patch.is_object() {
                return Err(ApiError::bad_request("a merge patch must be a JSON object"));
            }
            merge::apply(&mut target, patch);
        }
        PatchKind::Strategic => {
            if kind.is_custom() {
                return Err(ApiError::unsupported_media(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            let schema = match subresource {
                Subresource::Scale => {
                    crate::apiserver::schema::builtin::get("io.k8s.api.autoscaling.v1.Scale")
                }
                Subresource::None | Subresource::Status => kind.schema.get(),
            };
            strategic::apply(&mut target, patch, schema).map_err(ApiError::bad_request)?;
        }
        PatchKind::Apply => {}
    }
    Ok(target)
}
