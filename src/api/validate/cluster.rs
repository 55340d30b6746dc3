//! Karmada's rules for `Cluster` (`pkg/apis/cluster/validation`).

use super::models::resource_models;
use super::{FieldError, FieldErrorKind, Validate};
use crate::api::Cluster;
use crate::api::cluster::{ClusterSpec, LocalSecretReference};
use crate::schedule::{valid_subdomain, valid_value};

/// The name becomes part of the names of namespaces and secrets.
const MAX_NAME_LEN: usize = 48;
const LABEL_VALUE: &str =
    "must be at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends";

impl Validate for Cluster {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        name(self.metadata.name.as_deref().unwrap_or_default(), &mut errors);
        spec(&self.spec, &mut errors);
        errors
    }
}

fn name(name: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "a cluster must have a name",
        ));
    } else if name.contains('.') || !valid_subdomain(name) {
        let detail = "must be lower-case letters, digits and '-', with a letter or digit at both ends";
        errors.push(FieldError::invalid("metadata.name", name, detail));
    } else if name.len() > MAX_NAME_LEN {
        errors.push(FieldError::invalid(
            "metadata.name",
            name,
            format!("must be at most {MAX_NAME_LEN} characters"),
        ));
    }
}

fn spec(spec: &ClusterSpec, errors: &mut Vec<FieldError>) {
    match spec.sync_mode.as_str() {
        "Push" | "Pull" => {}
        mode => {
            if mode.is_empty() {
                errors.push(FieldError::required(
                    "spec.syncMode",
                    "Push or Pull must be given",
                ));
            }
            errors.push(not_supported(
                "spec.syncMode",
                mode,
                "supported are Push and Pull",
            ));
        }
    }
    secret("spec.secretRef", spec.secret_ref.as_ref(), errors);
    secret(
        "spec.impersonatorSecretRef",
        spec.impersonator_secret_ref.as_ref(),
        errors,
    );
    if !spec.api_endpoint.is_empty() && !endpoint(&spec.api_endpoint) {
        errors.push(FieldError::invalid(
            "spec.apiEndpoint",
            &spec.api_endpoint,
            "must be a URL, a host name or an address, with a port where needed",
        ));
    }
    if !spec.proxy_url.is_empty()
        && !["http://", "https://", "socks5://"]
            .iter()
            .any(|scheme| spec.proxy_url.starts_with(scheme))
    {
        errors.push(FieldError::invalid(
            "spec.proxyURL",
            &spec.proxy_url,
            "must begin with http://, https:// or socks5://",
        ));
    }
    properties(spec, errors);
    errors.extend(resource_models(&spec.resource_models));
    for (index, taint) in spec.taints.iter().enumerate() {
        if !["NoSchedule", "NoExecute"].contains(&taint.effect.as_str()) {
            let field = format!("spec.taints[{index}].effect");
            errors.push(not_supported(
                &field,
                &taint.effect,
                "supported are NoSchedule and NoExecute",
            ));
        }
    }
}

fn secret(field: &str, reference: Option<&LocalSecretReference>, errors: &mut Vec<FieldError>) {
    let Some(reference) = reference else { return };
    for (part, value) in [("namespace", &reference.namespace), ("name", &reference.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(
                format!("{field}.{part}"),
                "must not be empty",
            ));
        }
    }
}

/// They are used as label values and compared with selectors.
fn properties(spec: &ClusterSpec, errors: &mut Vec<FieldError>) {
    if !spec.zone.is_empty() && !spec.zones.is_empty() {
        errors.push(FieldError {
            field: "spec.spec".into(),
            kind: FieldErrorKind::TypeInvalid,
            value: spec.zone.clone(),
            detail: "zone and zones must not be given together".into(),
        });
    }
    // Karmada's own spelling of these two paths.
    let zones = spec
        .zones
        .iter()
        .map(|zone| ("spec.Zones", zone))
        .chain([("spec.Zone", &spec.zone)]);
    for (field, value) in [("spec.provider", &spec.provider), ("spec.region", &spec.region)]
        .into_iter()
        .chain(zones)
    {
        if !valid_value(value) {
            errors.push(FieldError::invalid(field, value, LABEL_VALUE));
        }
    }
}

fn endpoint(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_%".contains(&byte))
}

fn not_supported(field: &str, value: &str, detail: &str) -> FieldError {
    FieldError {
        field: field.into(),
        kind: FieldErrorKind::NotSupported,
        value: value.into(),
        detail: detail.into(),
    }
}
