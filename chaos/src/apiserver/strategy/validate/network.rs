//! Services and ingresses.

use serde_json::Value;

use super::one_of;
use crate::apiserver::error::Cause;

pub(super) fn service(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(spec.get("type"), &types, "spec.type", causes);
    one_of(
        spec.get("sessionAffinity"),
        &["ClientIP", "None"],
        "spec.sessionAffinity",
        causes,
    );
    let labels = spec.get("selector").and_then(Value::as_object);
    super::labels(labels, "spec.selector", causes);
    let ports: Vec<&Value> = spec
        .get("ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let external = spec.get("type").and_then(Value::as_str) == Some("ExternalName");
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    if external {
        if spec
            .get("externalName")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            causes.push(Cause::required(
                "spec.externalName",
                "must be set when type is ExternalName",
            ));
        }
        return;
    }
    if ports.is_empty() && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    let mut seen: Vec<(Option<&str>, Option<&Value>)> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        for field in ["port", "nodePort"] {
            if let Some(value) = port
                .get(field)
                .filter(|value| !value.as_i64().is_some_and(|n| (1..=65_535).contains(&n)))
            {
                let detail = "must be between 1 and 65535, inclusive";
                causes.push(Cause::invalid(format!("{at}.{field}"), value, detail));
            }
        }
        one_of(
            port.get("protocol"),
            &["SCTP", "TCP", "UDP"],
            &format!("{at}.protocol"),
            causes,
        );
        let name = port.get("name").and_then(Value::as_str);
        if ports.len() > 1 && name.is_none_or(str::is_empty) {
            causes.push(Cause::required(format!("{at}.name"), ""));
        }
        if name.is_some() && seen.iter().any(|(other, _)| *other == name) {
            causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
        }
        seen.push((name, port.get("port")));
    }
}

pub(super) fn ingress(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let rules = spec.get("rules").and_then(Value::as_array);
    if rules.is_none_or(Vec::is_empty) && spec.get("defaultBackend").is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", &serde_json::json!([]), detail));
    }
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (nth, path) in paths.into_iter().flatten().enumerate() {
            let at = format!("spec.rules[{index}].http.paths[{nth}]");
            let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
            match path.get("pathType") {
                None => causes.push(Cause::required(
                    format!("{at}.pathType"),
                    "pathType must be specified",
                )),
                found => one_of(found, &kinds, &format!("{at}.pathType"), causes),
            }
            let text = path.get("path").and_then(Value::as_str).unwrap_or_default();
            let absolute = path.get("pathType").and_then(Value::as_str) == Some("ImplementationSpecific");
            if !(text.starts_with('/') || absolute && text.is_empty()) {
                causes.push(Cause::invalid(
                    format!("{at}.path"),
                    &text.into(),
                    "must be an absolute path",
                ));
            }
            let service = path.pointer("/backend/service");
            if service.is_none() && path.pointer("/backend/resource").is_none() {
                causes.push(Cause::required(
                    format!("{at}.backend"),
                    "service or resource must be set",
                ));
            }
        }
    }
}
