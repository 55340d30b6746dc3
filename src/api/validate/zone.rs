//! Checks of `Zone`, and of DNS names wherever they occur.

use super::{FieldError, FieldErrorKind, Validate};
use crate::api::lifeboat::ZoneSpec;

const MAX_TTL_SECONDS: u32 = crate::api::lifeboat::MAX_TTL_SECONDS;

impl Validate for ZoneSpec {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        errors.extend(dns_name("spec.soa.mname", &self.soa.mname));
        errors.extend(dns_name("spec.soa.rname", &self.soa.rname));
        errors.extend(check_ttl("spec.ttl", self.ttl));
        if self.name_servers.is_empty() {
            errors.push(FieldError::required(
                "spec.nameServers",
                "a zone needs at least one name server",
            ));
        }
        for (index, server) in self.name_servers.iter().enumerate() {
            errors.extend(dns_name(&format!("spec.nameServers[{index}].name"), &server.name));
        }
        for (index, record) in self.records.iter().enumerate() {
            let field = format!("spec.records[{index}]");
            if record.name != "@" {
                let checked = record.name.strip_prefix("*.").unwrap_or(&record.name);
                errors.extend(dns_name(&format!("{field}.name"), checked));
            }
            errors.extend(check_ttl(&format!("{field}.ttl"), record.ttl));
            if record.data.is_empty() {
                errors.push(FieldError::required(
                    format!("{field}.data"),
                    "at least one record must be given",
                ));
            }
            if !crate::api::lifeboat::RECORD_TYPES.contains(&record.kind.as_str()) {
                errors.push(FieldError {
                    field: format!("{field}.type"),
                    kind: FieldErrorKind::NotSupported,
                    value: record.kind.clone(),
                    detail: format!("supported are {}", crate::api::lifeboat::RECORD_TYPES.join(", ")),
                });
            }
        }
        errors
    }
}

/// RFC 1035 section 2.3.4: labels of 1 to 63 octets, 255 in all; letters, digits, hyphen and underscore.
pub(super) fn dns_name(field: &str, name: &str) -> Option<FieldError> {
    let detail = "must be a DNS name: labels of 1 to 63 letters, digits, '-' or '_' with dots between, at most 253 characters";
    let trimmed = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let good = trimmed.len() <= 253 && trimmed.split('.').all(label);
    (!good).then(|| FieldError::invalid(field, name, detail))
}

/// Whether `name` is the zone's apex or below it, by whole labels and without regard to case.
pub(super) fn within(name: &str, zone: &str) -> bool {
    let lower = |text: &str| text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let (name, zone) = (lower(name), lower(zone));
    name.strip_suffix(&zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

pub(super) fn check_ttl(field: &str, ttl: Option<u32>) -> Option<FieldError> {
    ttl.filter(|ttl| *ttl > MAX_TTL_SECONDS)
        .map(|ttl| FieldError::invalid(field, ttl, format!("must be 0 to {MAX_TTL_SECONDS} seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, good: bool| assert_eq!(dns_name("f", name).is_none(), good, "{name}");
        check("demo.example", true);
        check("demo.example.", true);
        check("_acme.demo.example", true);
        check("", false);
        check(".", false);
        check("a..b", false);
        check("-a.b", false);
        check("a b", false);
        check(&"a".repeat(64), false);
        check(&["abcdefg"; 40].join("."), false);
    }

    #[test]
    fn membership() {
        assert!(within("shop.demo.example", "demo.example"));
        assert!(within("demo.example.", "Demo.Example"));
        assert!(!within("shopdemo.example", "demo.example"));
        assert!(!within("example", "demo.example"));
    }
}
