//! `x-kubernetes-validations`: CEL rules over a value (`self`) and what it replaces (`oldSelf`).
//!
//! Standard CEL with its macros is evaluated. Kubernetes' own function libraries (quantities, URLs, IP
//! addresses, formats) are not there: a rule that calls them is not evaluated, and counts as satisfied.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, ExecutionError, Program};
use serde_json::Value;

use crate::apiserver::error::Cause;

/// A rule longer or nested deeper than this is not compiled; the parser is recursive.
const MAX_RULE_CHARS: usize = 2_048;
const MAX_RULE_NESTING: usize = 24;

/// One compiled rule of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    source: Box<str>,
    message: Option<Box<str>>,
    message_expression: Option<Arc<Program>>,
    field_path: Option<Box<str>>,
    transition: bool,
    program: Arc<Program>,
}

/// Compiles what can be compiled; see [`compile`] for why the rest is left out.
pub(super) fn parse_rules(raw: Option<&Value>) -> Vec<Rule> {
    let rules = raw.and_then(Value::as_array).into_iter().flatten();
    rules.filter_map(|rule| parse_rule(rule).ok()).collect()
}

fn parse_rule(raw: &Value) -> Result<Rule, String> {
    let text = |key: &str| raw.get(key).and_then(Value::as_str);
    let source = text("rule").unwrap_or_default();
    let program = compile(source)?;
    Ok(Rule {
        source: source.into(),
        message: text("message").map(Into::into),
        message_expression: text("messageExpression").and_then(|text| compile(text).ok()),
        field_path: text("fieldPath").map(Into::into),
        transition: source.contains("oldSelf"),
        program,
    })
}

/// Parses one rule. The parser is foreign code fed with outside text, so a panic in it is an error here.
pub(super) fn compile(source: &str) -> Result<Arc<Program>, String> {
    if source.trim().is_empty() {
        return Err("rule must not be empty".to_owned());
    }
    let depth = source.chars().scan(0_usize, |depth, c| {
        match c {
            '(' | '[' | '{' | '?' => *depth += 1,
            ')' | ']' | '}' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    if source.chars().count() > MAX_RULE_CHARS || depth.max().unwrap_or(0) > MAX_RULE_NESTING {
        return Err(format!(
            "rule must have at most {MAX_RULE_CHARS} characters and {MAX_RULE_NESTING} levels of nesting"
        ));
    }
    match catch_unwind(AssertUnwindSafe(|| Program::compile(source))) {
        Ok(Ok(program)) => Ok(Arc::new(program)),
        Ok(Err(error)) => Err(format!("compilation failed: {error}")),
        Err(_) => Err("compilation failed".to_owned()),
    }
}

/// Evaluates the rules of one value and adds a complaint for each that is false.
pub(super) fn check(rules: &[Rule], value: &Value, old: Option<&Value>, path: &str, causes: &mut Vec<Cause>) {
    for rule in rules {
        if rule.transition && old.is_none() {
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&rule.program, value, old)));
        let field = match &rule.field_path {
            Some(inner) if path.is_empty() => inner.trim_start_matches('.').to_owned(),
            Some(inner) => format!("{path}{inner}"),
            None => path.to_owned(),
        };
        match outcome {
            Ok(Ok(cel::Value::Bool(true))) => {}
            Ok(Ok(cel::Value::Bool(false))) => {
                let computed = rule.message_expression.as_ref().and_then(|program| {
                    match catch_unwind(AssertUnwindSafe(|| run(program, value, old))) {
                        Ok(Ok(cel::Value::String(text))) => Some(text.to_string()),
                        _ => None,
                    }
                });
                let message = computed.unwrap_or_else(|| match &rule.message {
                    Some(message) => message.to_string(),
                    None => format!("failed rule: {}", rule.source),
                });
                let shown = if value.is_object() {
                    Value::from("object")
                } else {
                    value.clone()
                };
                causes.push(Cause::invalid(field, &shown, &message));
            }
            Ok(Err(ExecutionError::UndeclaredReference(_) | ExecutionError::NotSupportedAsMethod { .. }))
            | Err(_) => {}
            Ok(Err(error)) => {
                let message = format!("rule evaluation error: {error}: {}", rule.source);
                causes.push(Cause::invalid(
                    field,
                    &Value::from(super::Type::of(value)),
                    &message,
                ));
            }
            Ok(Ok(_)) => {
                let message = format!("rule evaluation error: result is not a bool: {}", rule.source);
                causes.push(Cause::invalid(
                    field,
                    &Value::from(super::Type::of(value)),
                    &message,
                ));
            }
        }
    }
}

fn run(program: &Program, value: &Value, old: Option<&Value>) -> Result<cel::Value, ExecutionError> {
    let mut context = Context::default();
    context.add_variable_from_value("self", convert(value));
    if let Some(old) = old {
        context.add_variable_from_value("oldSelf", convert(old));
    }
    program.execute(&context)
}

/// JSON → CEL; whole numbers become ints, because literals in rules are ints.
fn convert(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(convert).collect())),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, entry)| (key.clone().into(), convert(entry)));
            cel::Value::Map(cel::objects::Map {
                map: Arc::new(entries.collect()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn verdict(rule: Value, value: Value, old: Option<Value>, expected: &[&str]) {
        let rules = parse_rules(Some(&json!([rule])));
        assert_eq!(rules.len(), 1);
        let mut causes = Vec::new();
        check(&rules, &value, old.as_ref(), "spec", &mut causes);
        let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
        assert_eq!(causes, expected);
    }

    #[test]
    fn rules_see_self_and_old_self() {
        let rule = json!({"rule": "self.min <= self.max", "message": "min must not exceed max"});
        verdict(rule.clone(), json!({"min": 1, "max": 2}), None, &[]);
        verdict(
            rule,
            json!({"min": 3, "max": 2}),
            None,
            &["spec: Invalid value: \"object\": min must not exceed max"],
        );
        let rule = json!({"rule": "self == oldSelf", "message": "is immutable"});
        verdict(rule.clone(), json!("a"), None, &[]);
        verdict(
            rule,
            json!("a"),
            Some(json!("b")),
            &["spec: Invalid value: \"a\": is immutable"],
        );
        let rule = json!({"rule": "!has(self.a) || self.list.all(x, x.startsWith('p'))"});
        verdict(rule.clone(), json!({"list": ["q"]}), None, &[]);
        verdict(
            rule,
            json!({"a": 1, "list": ["q"]}),
            None,
            &[
                "spec: Invalid value: \"object\": failed rule: !has(self.a) || self.list.all(x, x.startsWith('p'))",
            ],
        );
    }

    #[test]
    fn hostile_rules_do_not_compile_and_do_not_panic() {
        assert!(compile(&"(".repeat(4_000)).is_err());
        assert!(compile("self.x ===").is_err());
        assert!(compile("").is_err());
    }
}
