//! The condition `PartialOutage` of a Cluster: some observer regions reach it and others do not. Pure.

use lifeboat_health::{FleetView, Path};
use serde_json::Value;

use crate::store::{conditions, name};

const KIND: &str = "PartialOutage";

/// The condition as it should stand; a cluster that never had a partial outage has none.
pub(super) fn condition(cluster: &Value, verdicts: &FleetView, stamp: &str) -> Option<Value> {
    let outages = [Path::Traffic, Path::Control]
        .into_iter()
        .filter_map(|path| Some((path, verdicts.partial_outage(name(cluster), path)?)));
    let told: Vec<String> = outages
        .map(|(path, outage)| format!("{path} path: {outage}"))
        .collect();
    let (status, reason, message) = if told.is_empty() {
        conditions::find(cluster, KIND)?;
        let message = "all observer regions see the same".to_owned();
        ("False", "SameFromAllRegions", message)
    } else {
        ("True", "NotReachedFromSomeRegions", told.join("; "))
    };
    Some(conditions::condition(
        cluster,
        KIND,
        (status, reason, &message),
        stamp,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::tests::outage::not_reached_from as verdicts;

    #[test]
    fn it_names_the_regions_and_comes_only_with_an_outage() {
        let mut cluster = json!({"metadata": {"name": "a"}});
        assert_eq!(condition(&cluster, &verdicts(&[]), "t0"), None);
        let told = condition(&cluster, &verdicts(&["us-east", "us-west"]), "t1").unwrap();
        assert_eq!(
            (&told["status"], &told["lastTransitionTime"]),
            (&json!("True"), &json!("t1"))
        );
        assert_eq!(
            told["message"],
            "traffic path: not reached from us-east, us-west; reached from eu-west"
        );
        cluster["status"] = json!({"conditions": [told]});
        let more = condition(&cluster, &verdicts(&["us-east"]), "t2").unwrap();
        assert_eq!(more["lastTransitionTime"], "t1");
        let over = condition(&cluster, &verdicts(&[]), "t3").unwrap();
        assert_eq!(
            (&over["status"], &over["reason"], &over["lastTransitionTime"]),
            (&json!("False"), &json!("SameFromAllRegions"), &json!("t3"))
        );
        cluster["status"] = json!({"conditions": [over]});
        assert_eq!(
            conditions::with(&cluster, condition(&cluster, &verdicts(&[]), "t4")),
            None
        );
    }
}
