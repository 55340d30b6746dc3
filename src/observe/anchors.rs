//! Anchors as they stand in a configuration file: one at fault costs no other.

use lifeboat_health::{Check, Family};
use serde_json::Value;

/// The anchors that can be probed, each with its place, and what is wrong with the others, each with its field.
pub(crate) fn of_raw(field: &str, raw: &[Value]) -> (Vec<(usize, Check)>, Vec<String>) {
    let (mut anchors, mut problems) = (Vec::new(), Vec::new());
    for (index, value) in raw.iter().enumerate() {
        match read(value) {
            Ok(check) => anchors.push((index, check)),
            Err((place, problem)) => problems.push(format!("{field}[{index}]{place}: {problem}")),
        }
    }
    (anchors, problems)
}

/// What is wrong, with its place in the anchor.
fn read(value: &Value) -> Result<Check, (String, String)> {
    let check: Check =
        serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
            "." => (String::new(), error.inner().to_string()),
            place => (format!(".{place}"), error.inner().to_string()),
        })?;
    match check.parse(check.family().unwrap_or(Family::V4)) {
        Ok(_) => Ok(check),
        Err(error) => Err((String::new(), error.to_string())),
    }
}

/// What an observer begins with; the problems of the others are told in the log.
///
/// # Errors
/// Anchors are given, and all of them are at fault: an observer without its self-check would take a break of its own links for the
/// death of all clusters.
pub(crate) fn in_force(field: &str, raw: &[Value]) -> anyhow::Result<Vec<Check>> {
    let (anchors, problems) = of_raw(field, raw);
    anyhow::ensure!(
        raw.is_empty() || !anchors.is_empty(),
        "{field}: none can be probed, and without them it would not notice a break of its own links: {}",
        problems.join("; ")
    );
    for error in problems {
        tracing::error!(error, "an anchor is not taken; the others vouch");
    }
    Ok(anchors.into_iter().map(|(_, anchor)| anchor).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bad_anchor_costs_no_other_and_none_is_not_few() {
        let bad = [
            json!({ "kind": "foo" }),
            json!({ "kind": "tcp", "address": "192.0.2.1:0" }),
            json!({ "kind": "tcp" }),
            json!("tcp"),
        ];
        let mut raw = bad.to_vec();
        raw.insert(1, json!({ "kind": "tcp", "address": "192.0.2.1:1" }));
        let (anchors, problems) = of_raw("anchors", &raw);
        let [(1, Check::Tcp { .. })] = &anchors[..] else {
            panic!("{anchors:?}");
        };
        let parts = [
            &["anchors[0].kind: ", "foo", "tcp"][..],
            &["anchors[2]: ", "port 0"],
            &["anchors[3]: ", "address"],
            &["anchors[4]: "],
        ];
        assert_eq!(problems.len(), parts.len(), "{problems:?}");
        for (told, parts) in problems.iter().zip(parts) {
            assert!(parts.iter().all(|part| told.contains(part)), "{told}: {parts:?}");
        }
        assert_eq!(in_force("anchors", &raw).unwrap().len(), 1);
        assert_eq!(in_force("anchors", &[]).unwrap(), Vec::new(), "none are given");
        let refused = in_force("observers.anchors", &bad).unwrap_err().to_string();
        assert!(
            refused.contains("observers.anchors: none can be probed")
                && refused.contains("[0].kind")
                && refused.contains("[3]"),
            "{refused}"
        );
    }
}
