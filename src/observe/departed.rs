//! Clusters whose objects are gone, while users are still sent to them.

use std::collections::BTreeSet;

use lifeboat_health::Target;

/// What a DNS server decides about: the targets that are asked for, and as it `held` them those of clusters that nothing asks for
/// any more and that names are `answered` with. Somebody deletes a dead cluster's object, and the plan without it comes later or, while no
/// controller runs, not at all: nobody must be sent there meanwhile.
pub fn with_departed(asked: &[Target], held: &[Target], answered: &BTreeSet<String>) -> Vec<Target> {
    let here: BTreeSet<&str> = asked.iter().map(|target| target.cluster.as_str()).collect();
    let departed = held
        .iter()
        .filter(|target| !here.contains(target.cluster.as_str()) && answered.contains(&target.cluster));
    asked.iter().chain(departed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Check, Family, Path};

    use super::*;

    fn target(cluster: &str, address: &str) -> Target {
        Target {
            cluster: cluster.to_owned(),
            path: Path::Traffic,
            family: Family::V4,
            check: Check::Tcp {
                address: address.parse().unwrap(),
            },
            detection: None,
        }
    }

    #[test]
    fn who_is_answered_stays_and_who_is_asked_for_again_is_as_asked() {
        let [eu, us] = [target("eu", "192.0.2.1:80"), target("us", "192.0.2.2:80")];
        let both = [eu.clone(), us.clone()];
        let answered = |clusters: &[&str]| clusters.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            with_departed(&both[1..], &both, &answered(&["eu", "us"])),
            [us.clone(), eu.clone()]
        );
        assert_eq!(with_departed(&both[1..], &both, &answered(&["us"])), [us]);
        let moved = [target("eu", "192.0.2.9:80")];
        assert_eq!(with_departed(&moved, &[eu], &answered(&["eu"])), moved);
    }
}
