//! Names that are answered with clusters which no check looks at, beside others which one does. Pure.
//!
//! A cluster is withdrawn only in favour of one that is positively healthy, which takes a check to know. So when all that are checked die, those
//! of such a name stay in its answers, and who was to take over unchecked does not.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_dns::NameInput;
use lifeboat_health::{Family, Target};

use super::plan::and_more;

/// A family, and the clusters of a name that no check of it looks at, and those that one does.
type Mixed<'a> = (Family, Vec<&'a str>, Vec<&'a str>);

/// One warning for all names with the same clusters.
pub(super) fn unchecked(names: &[NameInput], targets: &[Target]) -> Vec<String> {
    let targets: BTreeSet<(&str, Family)> = targets
        .iter()
        .map(|target| (target.cluster.as_str(), target.family))
        .collect();
    let mut found: BTreeMap<Mixed<'_>, Vec<&str>> = BTreeMap::new();
    for name in names {
        for family in [Family::V4, Family::V6] {
            let endpoints = name.endpoints.iter().filter(|endpoint| {
                let mut addresses = endpoint.addresses.iter();
                addresses.any(|address| Family::of(*address) == family)
            });
            let (checked, not): (Vec<&str>, Vec<&str>) = endpoints
                .map(|endpoint| endpoint.cluster.as_str())
                .partition(|cluster| targets.contains(&(*cluster, family)));
            if !checked.is_empty() && !not.is_empty() {
                found.entry((family, not, checked)).or_default().push(&name.name);
            }
        }
    }
    let told = found.iter().map(|((family, not, checked), names)| {
        let (not, checked) = (not.join(", "), checked.join(", "));
        format!(
            "names: {}{}: no {family} check looks at {not}: once no cluster with such a check is known to be healthy, {checked} \
             will be answered all the same, for only one that is known to be healthy takes over; give {not} a check",
            names.first().unwrap_or(&""),
            and_more(names.len())
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use lifeboat_health::Path;
    use serde_json::json;

    use super::*;

    fn name(name: &str, clusters: &[(&str, &str)]) -> NameInput {
        let endpoint = |(cluster, address): &(&str, &str)| json!({"cluster": cluster, "addresses": [address], "weight": 1});
        let endpoints: Vec<_> = clusters.iter().map(endpoint).collect();
        serde_json::from_value(json!({
            "name": name, "zone": "example.org", "epoch": 1, "seq": 1, "ttl": 5, "steer": [], "endpoints": endpoints,
        }))
        .unwrap()
    }

    fn target(cluster: &str, family: Family) -> Target {
        Target {
            cluster: cluster.to_owned(),
            path: Path::Traffic,
            family,
            check: serde_json::from_value(json!({"kind": "tcp", "address": "192.0.2.1:80"})).unwrap(),
            detection: None,
        }
    }

    #[test]
    fn who_cannot_take_over_is_told_once_with_its_names() {
        let (eu, us, spare) = (("eu", "192.0.2.1"), ("us", "192.0.2.2"), ("spare", "192.0.2.3"));
        let both = [target("eu", Family::V4), target("us", Family::V4)];
        let names = [
            name("a.example.org", &[eu, us, spare]),
            name("b.example.org", &[eu, us, spare]),
            name("c.example.org", &[eu, us]),
            name("d.example.org", &[spare]),
        ];
        let told = unchecked(&names, &both);
        let [told] = &told[..] else { panic!("{told:?}") };
        assert!(
            told.starts_with("names: a.example.org and 1 more: no ipv4 check looks at spare: ")
                && told.contains("eu, us will be answered"),
            "{told}"
        );
        assert_eq!(unchecked(&names, &[]), Vec::<String>::new());
        // A family is judged for itself.
        let six = [name("a.example.org", &[eu, ("us", "2001:db8::1")])];
        assert_eq!(unchecked(&six, &both), Vec::<String>::new());
        let mixed = [name(
            "a.example.org",
            &[("eu", "2001:db8::1"), ("us", "2001:db8::2")],
        )];
        let one = [target("eu", Family::V6), target("us", Family::V4)];
        assert!(unchecked(&mixed, &one)[0].contains("no ipv6 check looks at us"));
    }
}
