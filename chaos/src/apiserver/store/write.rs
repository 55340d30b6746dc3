//! Create and update: decode strictly, default, keep what the client may not touch, validate, record owners.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::options::{FieldValidation, Subresource, WriteOptions};
use super::sweep::Sweep;
use super::{Store, scale};
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::{Kind, crd};
use crate::apiserver::managed;
use crate::apiserver::schema::{conform, default};
use crate::apiserver::state::State;
use crate::apiserver::stored::{Key, Stored};
use crate::apiserver::{clock, convert, meta, strategy};

/// The largest object that is stored, as etcd's default request limit has it.
const MAX_OBJECT_BYTES: usize = 1_572_864;
/// What all objects together may hold before writes are refused; deletes go on.
const MAX_STORE_BYTES: usize = 256 << 20;
/// Events are a log, not a state: beyond this many the oldest go.
const MAX_EVENTS: usize = 2_000;

impl Store {
    pub(crate) fn create_with(
        &self,
        kind: &Arc<Kind>,
        namespace: Option<&str>,
        mut object: Value,
        options: &mut WriteOptions,
    ) -> Result<Value, ApiError> {
        identify(kind, &mut object)?;
        let inside = meta::namespace(&object).to_owned();
        let namespace = placement(kind, namespace, &inside)?;
        decode(kind, &mut object, options)?;
        if meta::text(&object, "resourceVersion").is_some_and(|rv| !matches!(rv, "" | "0")) {
            return Err(ApiError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        name_it(kind, &mut object)?;
        set_namespace(&mut object, namespace);
        let mut state = self.inner.state.write();
        self.insert(&mut state, kind, object, options, Owner::Update)
    }

    /// The end of every creation, by POST or by apply; the name and namespace are in the object.
    pub(super) fn insert(
        &self,
        state: &mut State,
        kind: &Arc<Kind>,
        mut object: Value,
        options: &mut WriteOptions,
        owner: Owner,
    ) -> Result<Value, ApiError> {
        let name = meta::name(&object).to_owned();
        let namespace = meta::namespace(&object).to_owned();
        if kind.namespaced {
            check_namespace(state, kind, &namespace, &name)?;
        }
        let key = Key::new(&namespace, &name);
        if state.find(&kind.storage, &key).is_some() {
            return Err(ApiError::already_exists(kind, &name));
        }
        strategy::before_create(kind, &mut object);
        let causes = strategy::validate_create(kind, &object);
        if !causes.is_empty() {
            return Err(ApiError::invalid(kind, &name, causes));
        }
        strategy::allocate(state, kind, &mut object);
        if owner == Owner::Update {
            managed::record_update(None, &mut object, kind, &options.manager, Subresource::None);
        }
        if kind.is_crd() {
            crd::establish(&mut object);
        }
        check_size(kind, &name, &object)?;
        check_space(state)?;
        options.created = true;
        if options.dry_run {
            return Ok(object);
        }
        let mut stored = convert::to_storage(kind, object);
        let stored = state.put(kind, &mut stored);
        self.settle(state, kind, &stored);
        Ok(convert::value(kind, &stored))
    }

    pub(crate) fn update_with(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        name: &str,
        subresource: Subresource,
        mut object: Value,
        options: &mut WriteOptions,
    ) -> Result<Value, ApiError> {
        if subresource != Subresource::Scale {
            identify(kind, &mut object)?;
            let inside = meta::name(&object);
            if !inside.is_empty() && inside != name {
                return Err(ApiError::bad_request(format!(
                    "the name of the object ({inside}) does not match the name on the URL ({name})"
                )));
            }
            placement(kind, Some(namespace), meta::namespace(&object))?;
            decode(kind, &mut object, options)?;
        }
        let mut state = self.inner.state.write();
        let old = state.find(&kind.storage, &Key::new(namespace, name)).cloned();
        let Some(old) = old else {
            return Err(ApiError::not_found(kind, name));
        };
        let before = convert::value(kind, &old);
        if subresource == Subresource::Scale {
            object = scale::write(kind, &before, &object)?;
        }
        check_version(kind, &object, &old, subresource)?;
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

    /// The end of every change to an existing object.
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where all facets of a write meet"
    )]
    pub(super) fn replace_locked(
        &self,
        state: &mut State,
        kind: &Arc<Kind>,
        old: &Arc<Stored>,
        before: &Value,
        mut object: Value,
        subresource: Subresource,
        options: &mut WriteOptions,
        owner: Owner,
    ) -> Result<Value, ApiError> {
        let name = meta::name(before).to_owned();
        set_namespace(&mut object, meta::namespace(before));
        meta::set(&mut object, "name", name.as_str().into());
        strategy::before_update(kind, before, &mut object, subresource);
        let causes = strategy::validate_update(kind, before, &object, subresource);
        if !causes.is_empty() {
            return Err(ApiError::invalid(kind, &name, causes));
        }
        if kind.is_crd() && subresource == Subresource::None {
            crd::establish(&mut object);
        }
        if owner == Owner::Update {
            managed::record_update(Some(before), &mut object, kind, &options.manager, subresource);
        }
        check_size(kind, &name, &object)?;
        check_space(state)?;
        if object == *before {
            return Ok(object);
        }
        if strategy::desired_state_changed(kind, before, &object, subresource) {
            let generation = before
                .pointer("/metadata/generation")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            meta::set(&mut object, "generation", json!(generation.saturating_add(1)));
        }
        if options.dry_run {
            return Ok(object);
        }
        let content = kind.is_core("namespaces") || kind.is_crd();
        if old.deleting
            && !content
            && meta::finalizers(&object).is_empty()
            && !self.awaits_kubelet(kind, &object)
        {
            let last = convert::to_storage(kind, object.clone());
            Sweep::new(state, self.inner.kubelet.load(Ordering::Relaxed)).end(kind, &old.key(), last);
            return Ok(object);
        }
        let mut stored = convert::to_storage(kind, object);
        let stored = state.put(kind, &mut stored);
        self.settle(state, kind, &stored);
        if stored.deleting && content {
            Sweep::new(state, self.inner.kubelet.load(Ordering::Relaxed)).recheck(kind, &stored.name);
        }
        Ok(convert::value(kind, &stored))
    }

    /// A pod that is being ended is removed by its kubelet, whatever else is written to it.
    fn awaits_kubelet(&self, kind: &Kind, object: &Value) -> bool {
        let grace = object
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64);
        self.inner.kubelet.load(Ordering::Relaxed)
            && kind.is_core("pods")
            && grace.is_some_and(|grace| grace > 0)
    }

    /// What follows from a write: a definition changes what is served, an orphan is collected.
    fn settle(&self, state: &mut State, kind: &Arc<Kind>, stored: &Arc<Stored>) {
        if kind.is_crd() {
            crd::register(&mut state.registry, &stored.value());
        }
        if &*kind.storage == "events" {
            forget_oldest_event(state, kind);
        }
        if !stored.owners.is_empty() && !stored.owners.iter().any(|uid| state.uids.contains_key(uid)) {
            Sweep::new(state, self.inner.kubelet.load(Ordering::Relaxed)).collect_orphan(kind, &stored.key());
        }
    }
}

fn forget_oldest_event(state: &mut State, kind: &Kind) {
    let Some(table) = state
        .tables
        .get(&kind.storage)
        .filter(|table| table.objects.len() > MAX_EVENTS)
    else {
        return;
    };
    let oldest = table.objects.values().min_by_key(|stored| stored.rv).cloned();
    if let Some(oldest) = oldest {
        state.take(kind, &oldest.key(), oldest.value());
    }
}

/// How ownership of fields is recorded: by comparing, or by an apply that has already done it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Update,
    Applied,
}

/// Checks `apiVersion` and `kind`, filling them in where they are missing.
pub(super) fn identify(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::bad_request(
            "the body of the request is not a JSON object",
        ));
    };
    let api_version = kind.api_version();
    for (field, expected) in [("apiVersion", api_version.as_str()), ("kind", kind.kind.as_str())] {
        match map.get(field) {
            None | Some(Value::Null) => {
                map.insert(field.to_owned(), expected.into());
            }
            Some(found) if found == expected => {}
            Some(found) => {
                return Err(ApiError::bad_request(format!(
                    "the {field} in the data ({found}) does not match the expected {field} (\"{expected}\") of {}",
                    kind.group_resource()
                )));
            }
        }
    }
    if map
        .get("metadata")
        .is_some_and(|metadata| !metadata.is_object() && !metadata.is_null())
    {
        return Err(ApiError::bad_request("metadata: expected a map"));
    }
    Ok(())
}

/// Where the object belongs: URL and object must agree, and namespaced kinds need a namespace.
fn placement<'a>(kind: &Kind, asked: Option<&'a str>, inside: &'a str) -> Result<&'a str, ApiError> {
    if !kind.namespaced {
        return Ok("");
    }
    match asked {
        Some(asked) if !asked.is_empty() => {
            if !inside.is_empty() && inside != asked {
                return Err(ApiError::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request: {inside:?} and {asked:?}"
                )));
            }
            Ok(asked)
        }
        Some(_) | None if !inside.is_empty() => Ok(inside),
        Some(_) | None => Err(ApiError::bad_request(format!(
            "an empty namespace may not be set when a resource name is provided: {} are namespaced",
            kind.group_resource()
        ))),
    }
}

pub(super) fn set_namespace(object: &mut Value, namespace: &str) {
    if namespace.is_empty() {
        meta::remove(object, "namespace");
    } else {
        meta::set(object, "namespace", namespace.into());
    }
}

/// Unknown and duplicate fields by the wish of the client; wrong types; structural defaults.
pub(super) fn decode(kind: &Kind, object: &mut Value, options: &mut WriteOptions) -> Result<(), ApiError> {
    let schema = kind.schema.get();
    if conform::too_deep(object) {
        return Err(ApiError::bad_request(format!(
            "the object is nested too deep: at most {} levels are stored",
            conform::MAX_DEPTH
        )));
    }
    let report = conform::conform(object, schema, !kind.is_custom(), &kind.kind);
    let refuse = |why: &str| {
        ApiError::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            kind.kind, kind.version, kind.kind
        ))
    };
    if let Some(mismatch) = report.mismatch {
        return Err(refuse(&mismatch));
    }
    let mut strict: Vec<String> = std::mem::take(&mut options.duplicates)
        .iter()
        .map(|path| format!("duplicate field \"{path}\""))
        .collect();
    strict.extend(
        report
            .unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\"")),
    );
    match options.validation {
        FieldValidation::Strict if !strict.is_empty() => {
            return Err(refuse(&format!("strict decoding error: {}", strict.join(", "))));
        }
        FieldValidation::Warn => options.warnings.extend(strict),
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    if kind.is_custom() {
        default::apply(object, schema);
    }
    Ok(())
}

fn name_it(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    if !meta::name(object).is_empty() {
        return Ok(());
    }
    match meta::text(object, "generateName").filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => {
            let prefix: String = prefix.chars().take(58).collect();
            let name = format!("{prefix}{}", clock::name_suffix());
            meta::set(object, "name", name.into());
            Ok(())
        }
        None => {
            let cause =
                crate::apiserver::error::Cause::required("metadata.name", "name or generateName is required");
            Err(ApiError::invalid(kind, "", vec![cause]))
        }
    }
}

fn check_namespace(state: &State, kind: &Kind, namespace: &str, name: &str) -> Result<(), ApiError> {
    match state.find("namespaces", &Key::new("", namespace)) {
        Some(found) if found.deleting => {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            Err(ApiError::forbidden(kind, name, &why))
        }
        Some(_) => Ok(()),
        None => Err(
            ApiError::new(404, "NotFound", format!("namespaces \"{namespace}\" not found")).about(
                "",
                "namespaces",
                namespace,
            ),
        ),
    }
}

/// Optimistic concurrency: a resource version that is sent must be the present one.
pub(super) fn check_version(
    kind: &Kind,
    object: &Value,
    old: &Stored,
    subresource: Subresource,
) -> Result<(), ApiError> {
    let name = &*old.name;
    if let Some(uid) = meta::text(object, "uid").filter(|uid| !uid.is_empty() && **uid != *old.uid) {
        let why = format!(
            "StorageError: invalid object, Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid
        );
        return Err(ApiError::conflict(kind, name, &why));
    }
    match meta::text(object, "resourceVersion") {
        Some("" | "0") | None => {
            if kind.is_custom()
                && subresource == Subresource::None
                && meta::text(object, "resourceVersion").is_some()
            {
                let cause = crate::apiserver::error::Cause::invalid(
                    "metadata.resourceVersion",
                    &json!(0),
                    "must be specified for an update",
                );
                return Err(ApiError::invalid(kind, name, vec![cause]));
            }
            Ok(())
        }
        Some(sent) if sent.parse() == Ok(old.rv) => Ok(()),
        Some(_) => Err(ApiError::modified(kind, name)),
    }
}

fn check_size(kind: &Kind, name: &str, object: &Value) -> Result<(), ApiError> {
    let bytes = json_len(object);
    if bytes > MAX_OBJECT_BYTES {
        return Err(ApiError::too_large(format!(
            "{} \"{name}\" is too large: {bytes} bytes; at most {MAX_OBJECT_BYTES} are stored",
            kind.group_resource()
        )));
    }
    Ok(())
}

/// The whole store is bounded too, as etcd's is.
fn check_space(state: &State) -> Result<(), ApiError> {
    if state.live_bytes > MAX_STORE_BYTES {
        return Err(ApiError::new(
            500,
            "InternalError",
            "etcdserver: mvcc: database space exceeded",
        ));
    }
    Ok(())
}

/// Length of the JSON text, without building it.
fn json_len(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}
