//! Pod specs, alone or in a template.

use serde_json::Value;

use super::one_of;
use crate::apiserver::error::Cause;
use crate::apiserver::names;

pub(super) fn check(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let containers = spec.get("containers").and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for list in ["initContainers", "containers"] {
        let items = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        for (index, item) in items.enumerate() {
            let at = format!("{path}.{list}[{index}]");
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            if !name.is_empty() && !names::is_dns_label(name) {
                causes.push(Cause::invalid(
                    format!("{at}.name"),
                    &name.into(),
                    names::LABEL_RULE,
                ));
            } else if seen.contains(&name) && !name.is_empty() {
                causes.push(Cause::duplicate(format!("{at}.name"), &name.into()));
            }
            seen.push(name);
            container(item, &at, causes);
        }
    }
    one_of(
        spec.get("restartPolicy"),
        &["Always", "OnFailure", "Never"],
        &format!("{path}.restartPolicy"),
        causes,
    );
    one_of(
        spec.get("dnsPolicy"),
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
        &format!("{path}.dnsPolicy"),
        causes,
    );
}

fn container(item: &Value, at: &str, causes: &mut Vec<Cause>) {
    if item
        .get("image")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        causes.push(Cause::required(format!("{at}.image"), ""));
    }
    for (index, port) in item
        .get("ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let number = port.get("containerPort");
        if let Some(value) = number.filter(|value| !value.as_i64().is_some_and(|n| (1..=65_535).contains(&n)))
        {
            let detail = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(
                format!("{at}.ports[{index}].containerPort"),
                value,
                detail,
            ));
        }
        one_of(
            port.get("protocol"),
            &["SCTP", "TCP", "UDP"],
            &format!("{at}.ports[{index}].protocol"),
            causes,
        );
    }
    for section in ["requests", "limits"] {
        let amounts = item
            .pointer(&format!("/resources/{section}"))
            .and_then(Value::as_object);
        for (name, amount) in amounts.into_iter().flatten() {
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            let field = format!("{at}.resources.{section}[{name}]");
            match quantity(&text) {
                None => {
                    let detail = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
                    causes.push(Cause::invalid(field, amount, detail));
                }
                Some(number) if number < 0.0 => {
                    causes.push(Cause::invalid(
                        field,
                        amount,
                        "must be greater than or equal to 0",
                    ));
                }
                Some(_) => {}
            }
        }
    }
    one_of(
        item.get("imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
        &format!("{at}.imagePullPolicy"),
        causes,
    );
}

/// A Kubernetes quantity as a number; good enough to tell whether it is one, and its sign.
pub(super) fn quantity(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1.1e12,
        "Pi" => 1.13e15,
        "Ei" => 1.15e18,
        exponent if exponent.starts_with(['e', 'E']) => 10_f64.powi(exponent[1..].parse().ok()?),
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
