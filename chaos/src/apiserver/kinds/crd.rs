//! CustomResourceDefinitions: checked, established at once, and turned into served kinds.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Kind, Registry, ScalePaths, Source};
use crate::apiserver::error::Cause;
use crate::apiserver::schema::{self, SchemaRef, structural};
use crate::apiserver::table::CustomColumn;
use crate::apiserver::{clock, meta, names};

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Fills in the names a definition may leave out.
pub(crate) fn default(definition: &mut Value) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    let spec = meta::child_mut(definition, "spec");
    let names = meta::as_map(spec.entry("names").or_insert_with(|| json!({})));
    names
        .entry("singular")
        .or_insert_with(|| kind.to_ascii_lowercase().into());
    names
        .entry("listKind")
        .or_insert_with(|| format!("{kind}List").into());
    spec.entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
}

/// Everything wrong with a definition.
pub(crate) fn validate(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (group, plural) = (
        text(definition, "/spec/group"),
        text(definition, "/spec/names/plural"),
    );
    if !names::is_subdomain(group) || !group.contains('.') {
        causes.push(Cause::invalid(
            "spec.group",
            &group.into(),
            "should be a domain with at least one dot",
        ));
    }
    if super::BUILTINS
        .iter()
        .any(|row| row.group == group && row.resource == plural)
    {
        let detail = "is the name of a built-in resource";
        causes.push(Cause::invalid("spec.names.plural", &plural.into(), detail));
    }
    let expected = format!("{plural}.{group}");
    if meta::name(definition) != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid(
            "metadata.name",
            &meta::name(definition).into(),
            detail,
        ));
    }
    for field in ["plural", "kind"] {
        let found = text(definition, &format!("/spec/names/{field}"));
        let field = format!("spec.names.{field}");
        if found.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if !names::is_dns_1035(&found.to_ascii_lowercase()) {
            causes.push(Cause::invalid(field, &found.into(), names::DNS_1035_RULE));
        }
    }
    let scope = text(definition, "/spec/scope");
    if !matches!(scope, "Namespaced" | "Cluster") {
        let allowed = ["Cluster".into(), "Namespaced".into()];
        causes.push(Cause::unsupported("spec.scope", &scope.into(), &allowed));
    }
    let stored = versions(definition)
        .filter(|version| version.get("storage") == Some(&json!(true)))
        .count();
    if stored != 1 {
        let versions = definition
            .pointer("/spec/versions")
            .cloned()
            .unwrap_or_else(|| json!([]));
        let count = json!(versions.as_array().map_or(0, Vec::len));
        causes.push(Cause::invalid(
            "spec.versions",
            &count,
            "must have exactly one version marked as storage version",
        ));
    }
    for (index, version) in versions(definition).enumerate() {
        let path = format!("spec.versions[{index}]");
        if !names::is_dns_1035(text(version, "/name")) {
            causes.push(Cause::invalid(
                format!("{path}.name"),
                &text(version, "/name").into(),
                names::DNS_1035_RULE,
            ));
        }
        let path = format!("{path}.schema.openAPIV3Schema");
        match version.pointer("/schema/openAPIV3Schema") {
            Some(schema) => causes.extend(structural::check(schema, &path)),
            None => causes.push(Cause::required(path, "schemas are required")),
        }
    }
    causes
}

/// Writes the status the real server's controllers would reach: names accepted, established.
pub(crate) fn establish(definition: &mut Value) {
    let now = clock::now_rfc3339();
    let storage = versions(definition).find(|version| version.get("storage") == Some(&json!(true)));
    let storage = storage.map_or(Value::Null, |version| version["name"].clone());
    let accepted = definition
        .pointer("/spec/names")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let status = meta::child_mut(definition, "status");
    status.insert("acceptedNames".to_owned(), accepted);
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(list) = stored.as_array_mut()
        && !list.contains(&storage)
    {
        list.push(storage);
    }
    let has_conditions = status
        .get("conditions")
        .and_then(Value::as_array)
        .is_some_and(|list| list.len() >= 2);
    if !has_conditions {
        let conditions = json!([
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": now,
             "reason": "NoConflicts", "message": "no conflicts found"},
            {"type": "Established", "status": "True", "lastTransitionTime": now,
             "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
        ]);
        status.insert("conditions".to_owned(), conditions);
    }
}

/// Serves what a stored definition declares from now on.
pub(crate) fn register(registry: &mut Registry, definition: &Value) {
    registry.replace_custom(meta::name(definition), kinds(definition));
}

fn kinds(definition: &Value) -> Vec<Kind> {
    let list = |pointer: &str| -> Vec<String> {
        let found = definition
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        found.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let many = versions(definition).count() > 1;
    let storage: Arc<str> = meta::name(definition).into();
    let served = versions(definition).filter(|version| version.get("served") == Some(&json!(true)));
    served
        .map(|version| {
            let raw = version
                .pointer("/schema/openAPIV3Schema")
                .cloned()
                .unwrap_or_default();
            Kind {
                group: text(definition, "/spec/group").to_owned(),
                version: text(version, "/name").to_owned(),
                resource: text(definition, "/spec/names/plural").to_owned(),
                singular: text(definition, "/spec/names/singular").to_owned(),
                kind: text(definition, "/spec/names/kind").to_owned(),
                list_kind: text(definition, "/spec/names/listKind").to_owned(),
                short_names: list("/spec/names/shortNames"),
                categories: list("/spec/names/categories"),
                namespaced: text(definition, "/spec/scope") == "Namespaced",
                status: version.pointer("/subresources/status").is_some(),
                scale: version.pointer("/subresources/scale").map(scale_paths),
                generation: true,
                schema: SchemaRef::Inline(Arc::new(root(schema::parse(&raw)))),
                storage: storage.clone(),
                source: Source::Custom {
                    columns: CustomColumn::parse_all(version.get("additionalPrinterColumns")),
                    deprecated: deprecation(definition, version),
                    many_versions: many,
                    raw_schema: raw.to_string().into(),
                },
            }
        })
        .collect()
}

/// The root has apiVersion, kind and metadata whether or not the definition spells them out.
fn root(mut schema: schema::Schema) -> schema::Schema {
    for field in ["apiVersion", "kind"] {
        schema
            .properties
            .insert(field.into(), SchemaRef::Inline(Arc::new(schema::any().clone())));
    }
    let metadata = SchemaRef::Named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into());
    schema.properties.insert("metadata".into(), metadata);
    schema
}

fn scale_paths(raw: &Value) -> ScalePaths {
    let path = |key: &str| -> Option<Vec<String>> {
        let text = raw.get(key)?.as_str()?;
        Some(
            text.trim_start_matches('.')
                .split('.')
                .map(str::to_owned)
                .collect(),
        )
    };
    ScalePaths {
        spec: path("specReplicasPath").unwrap_or_default(),
        status: path("statusReplicasPath").unwrap_or_default(),
        selector: Some(path("labelSelectorPath").unwrap_or_default()),
    }
}

fn deprecation(definition: &Value, version: &Value) -> Option<String> {
    if version.get("deprecated") != Some(&json!(true)) {
        return None;
    }
    let fallback = || {
        let (group, kind) = (
            text(definition, "/spec/group"),
            text(definition, "/spec/names/kind"),
        );
        format!("{group}/{} {kind} is deprecated", text(version, "/name"))
    };
    Some(
        version
            .get("deprecationWarning")
            .and_then(Value::as_str)
            .map_or_else(fallback, str::to_owned),
    )
}
