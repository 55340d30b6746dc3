//! The value constraints of a schema: ranges, lengths, patterns, enumerations and formats.

use serde_json::Value;

use super::{Limits, Schema};
use crate::apiserver::error::Cause;

pub(super) fn check(value: &Value, limits: &Limits, path: &str, causes: &mut Vec<Cause>) {
    if let Some(allowed) = &limits.enumeration
        && !allowed.contains(value)
    {
        causes.push(Cause::unsupported(path, value, allowed));
        return;
    }
    let mut wrong = |detail: String| {
        causes.push(Cause::invalid(
            path,
            value,
            &format!("{path} in body should {detail}"),
        ));
    };
    match value {
        Value::Number(_) => {
            let Some(number) = value.as_f64() else { return };
            if let Some(min) = limits.minimum {
                if limits.exclusive_minimum && number <= min {
                    wrong(format!("be greater than {min}"));
                } else if number < min {
                    wrong(format!("be greater than or equal to {min}"));
                }
            }
            if let Some(max) = limits.maximum {
                if limits.exclusive_maximum && number >= max {
                    wrong(format!("be less than {max}"));
                } else if number > max {
                    wrong(format!("be less than or equal to {max}"));
                }
            }
            if let Some(step) = limits.multiple_of
                && step > 0.0
                && (number / step).fract().abs() > 1e-9
            {
                wrong(format!("be a multiple of {step}"));
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if limits.min_length.is_some_and(|min| length < min) {
                let min = limits.min_length.unwrap_or_default();
                wrong(format!("be at least {min} chars long"));
            }
            if let Some(max) = limits.max_length.filter(|max| length > *max) {
                causes.push(Cause::too_long(path, max));
            } else if let Some(pattern) = limits.pattern.as_ref().filter(|found| !found.is_match(text)) {
                wrong(format!("match '{}'", pattern.as_str()));
            }
        }
        Value::Array(items) => {
            let length = items.len() as u64;
            if let Some(min) = limits.min_items.filter(|min| length < *min) {
                wrong(format!("have at least {min} items"));
            }
            if let Some(max) = limits.max_items.filter(|max| length > *max) {
                causes.push(Cause::too_many(path, length, max));
            } else if limits.unique_items && has_duplicates(items) {
                wrong("not contain duplicates".to_owned());
            }
        }
        Value::Object(map) => {
            let length = map.len() as u64;
            if let Some(min) = limits.min_properties.filter(|min| length < *min) {
                wrong(format!("have at least {min} properties"));
            }
            if let Some(max) = limits.max_properties.filter(|max| length > *max) {
                causes.push(Cause::too_many(path, length, max));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn has_duplicates(items: &[Value]) -> bool {
    items
        .iter()
        .enumerate()
        .any(|(index, item)| items[..index].contains(item))
}

/// Formats that Kubernetes checks and objects commonly use.
pub(super) fn check_format(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let Some(format) = schema.format.as_deref() else {
        return;
    };
    let fits = match (format, value) {
        ("int32", Value::Number(number)) => number.as_i64().is_none_or(|n| i32::try_from(n).is_ok()),
        ("date-time", Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("date", Value::String(text)) => text.parse::<jiff::civil::Date>().is_ok(),
        ("ipv4", Value::String(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        ("ipv6", Value::String(text)) => text.parse::<std::net::Ipv6Addr>().is_ok(),
        ("uuid", Value::String(text)) => {
            text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        }
        ("byte", Value::String(text)) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.decode(text).is_ok()
        }
        _ => true,
    };
    if !fits {
        let detail = format!("{path} in body must be of type {format}: {value}");
        causes.push(Cause::invalid(path, value, &detail));
    }
}
