//! The checks that an annotation of a Cluster writes down, each with the address families it is made in.

use lifeboat_health::{Check, Family};
use serde_json::Value;

/// Beside the fields of a check: the families of a host name.
const FAMILY: &str = "family";

/// # Errors
/// The field at fault and what is allowed.
pub(super) fn parse(text: &str) -> Result<Vec<(Family, Check)>, String> {
    let value: Value = crate::yaml::read(text).map_err(|error| error.to_string())?;
    let Value::Array(list) = value else {
        return one(value);
    };
    if list.is_empty() {
        return Err("an empty list: at least one check is needed".to_owned());
    }
    let checks: Vec<Vec<(Family, Check)>> = list.into_iter().map(one).collect::<Result<_, _>>()?;
    Ok(checks.concat())
}

fn one(mut value: Value) -> Result<Vec<(Family, Check)>, String> {
    let asked = value.as_object_mut().and_then(|fields| fields.remove(FAMILY));
    let check = serde_json::from_value::<Check>(value).map_err(|error| error.to_string())?;
    harmless(&check)?;
    let families = families(asked.as_ref(), &check)?;
    Ok(families.iter().map(|family| (*family, check.clone())).collect())
}

/// An address has its own family; a host name is resolved to addresses of each that is asked for, IPv4 where none is.
fn families(asked: Option<&Value>, check: &Check) -> Result<&'static [Family], String> {
    const FOUR: &[Family] = &[Family::V4];
    const SIX: &[Family] = &[Family::V6];
    let own = check.family().map(|family| match family {
        Family::V4 => FOUR,
        Family::V6 => SIX,
    });
    let Some(asked) = asked else {
        return Ok(own.unwrap_or(FOUR));
    };
    let wanted = match asked.as_str() {
        Some("ipv4") => FOUR,
        Some("ipv6") => SIX,
        Some("both") => &[Family::V4, Family::V6],
        Some(_) | None => return Err(format!("{FAMILY} {asked}: allowed are ipv4, ipv6 and both")),
    };
    match own {
        Some(own) if own != wanted => Err(format!(
            "{FAMILY} {asked}: the check has an address, so {} alone is allowed; another family's address is a check of its own",
            if own == FOUR { "ipv4" } else { "ipv6" }
        )),
        Some(_) | None => Ok(wanted),
    }
}

/// Whoever may annotate a Cluster is not whoever may run programs on the observers' machines or read files there.
fn harmless(check: &Check) -> Result<(), String> {
    let Some((field, given)) = check.local_files().first().copied() else {
        return Ok(());
    };
    let allowed = match field {
        "tls.roots.file" => "tls.roots {pem: CERTIFICATES}",
        "tokenFile" => "readyz without tokenFile",
        _ => "every kind of check but program and heartbeat",
    };
    Err(format!(
        "{field} {given:?}: program and files of the observer are for the observer's own configuration; allowed is {allowed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_probed_in_the_families_that_are_asked_for() {
        let check = |text: &str, expected: Result<&[Family], &str>| match (parse(text), expected) {
            (Ok(found), Ok(families)) => {
                let found: Vec<Family> = found.into_iter().map(|(family, _)| family).collect();
                assert_eq!(found, families, "{text}");
            }
            (Err(told), Err(part)) => assert!(told.contains(part), "{text}: {told}"),
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        };
        let (four, six) = (Family::V4, Family::V6);
        let named = |family: &str| format!("{{kind: http, url: 'http://eu.example/'{family}}}");
        check(&named(""), Ok(&[four]));
        check(&named(", family: ipv4"), Ok(&[four]));
        check(&named(", family: ipv6"), Ok(&[six]));
        check(&named(", family: both"), Ok(&[four, six]));
        for wrong in ["ipv5", "''", "6", "[ipv4, ipv6]", "IPv6"] {
            check(
                &named(&format!(", family: {wrong}")),
                Err("allowed are ipv4, ipv6 and both"),
            );
        }
        check(&named(", families: both"), Err("unknown field `families`"));
        let addressed = |family: &str| format!("{{kind: tcp, address: '[2001:db8::1]:443'{family}}}");
        check(&addressed(""), Ok(&[six]));
        check(&addressed(", family: ipv6"), Ok(&[six]));
        check(&addressed(", family: both"), Err("so ipv6 alone is allowed"));
        check(&addressed(", family: ipv4"), Err("so ipv6 alone is allowed"));
        let list = format!("[{}, {}]", addressed(""), named(", family: ipv4"));
        check(&list, Ok(&[six, four]));
    }
}
