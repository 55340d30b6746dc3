//! Kinds that run pods, and the autoscaler.

use serde_json::Value;

use super::{non_negative, one_of, pod};
use crate::apiserver::error::Cause;
use crate::apiserver::kinds::Kind;
use crate::apiserver::selector::labels::LabelSelector;
use crate::apiserver::store::scale::selector_text;

pub(super) fn check(kind: &Kind, object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match kind.resource.as_str() {
        "controllerrevisions" => return,
        "cronjobs" => {
            let inner = spec.pointer("/jobTemplate/spec/template").unwrap_or(&Value::Null);
            template(kind, inner, "spec.jobTemplate.spec.template", causes);
            one_of(
                spec.get("concurrencyPolicy"),
                &["Allow", "Forbid", "Replace"],
                "spec.concurrencyPolicy",
                causes,
            );
            let schedule = spec.get("schedule").and_then(Value::as_str).unwrap_or_default();
            let fields = schedule.split_whitespace().count();
            if fields != 5 && !schedule.starts_with('@') {
                let detail = format!("expected exactly 5 fields, found {fields}: [{schedule}]");
                causes.push(Cause::invalid("spec.schedule", &schedule.into(), &detail));
            }
            return;
        }
        _ => {}
    }
    for field in [
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        non_negative(spec.get(field), &format!("spec.{field}"), causes);
    }
    template(
        kind,
        spec.get("template").unwrap_or(&Value::Null),
        "spec.template",
        causes,
    );
    if kind.resource != "jobs" {
        selector(spec, causes);
    }
    if kind.resource == "deployments" {
        one_of(
            spec.pointer("/strategy/type"),
            &["Recreate", "RollingUpdate"],
            "spec.strategy.type",
            causes,
        );
        let recreate = spec.pointer("/strategy/type").and_then(Value::as_str) == Some("Recreate");
        if recreate && spec.pointer("/strategy/rollingUpdate").is_some() {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            causes.push(Cause::forbidden("spec.strategy.rollingUpdate", detail));
        }
    }
}

fn template(kind: &Kind, template: &Value, path: &str, causes: &mut Vec<Cause>) {
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
    super::labels(labels, &format!("{path}.metadata.labels"), causes);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    pod::check(spec, &format!("{path}.spec"), causes);
    let policy = spec.get("restartPolicy");
    let field = format!("{path}.spec.restartPolicy");
    if matches!(kind.group.as_str(), "batch") {
        if policy.and_then(Value::as_str) == Some("Always") {
            let allowed = [Value::from("OnFailure"), "Never".into()];
            causes.push(Cause::unsupported(field, &"Always".into(), &allowed));
        }
    } else if let Some(policy) = policy.filter(|policy| *policy != "Always") {
        causes.push(Cause::unsupported(field, policy, &["Always".into()]));
    }
}

/// The selector must select the pods the template makes.
fn selector(spec: &Value, causes: &mut Vec<Cause>) {
    let Some(selector) = spec.get("selector") else {
        return;
    };
    let text = selector_text(selector);
    if text.is_empty() {
        causes.push(Cause::invalid(
            "spec.selector",
            selector,
            "empty selector is invalid for this kind",
        ));
        return;
    }
    let parsed = match LabelSelector::parse(&text) {
        Ok(parsed) => parsed,
        Err(why) => {
            causes.push(Cause::invalid("spec.selector", selector, &why));
            return;
        }
    };
    let labels = spec.pointer("/template/metadata/labels");
    let pairs: Vec<(Box<str>, Box<str>)> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect();
    if !parsed.matches(&pairs) {
        let shown = labels.cloned().unwrap_or_else(|| serde_json::json!({}));
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, detail));
    }
}

pub(super) fn autoscaler(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let (min, max) = (
        spec.get("minReplicas").and_then(Value::as_i64),
        spec.get("maxReplicas").and_then(Value::as_i64),
    );
    if let Some(value) = spec
        .get("maxReplicas")
        .filter(|value| value.as_i64().is_some_and(|n| n < 1))
    {
        causes.push(Cause::invalid(
            "spec.maxReplicas",
            value,
            "must be greater than 0",
        ));
    }
    if let Some(value) = spec
        .get("minReplicas")
        .filter(|value| value.as_i64().is_some_and(|n| n < 1))
    {
        causes.push(Cause::invalid(
            "spec.minReplicas",
            value,
            "must be greater than or equal to 1",
        ));
    }
    if let (Some(min), Some(max)) = (min, max)
        && max < min
    {
        let detail = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &max.into(), detail));
    }
}
