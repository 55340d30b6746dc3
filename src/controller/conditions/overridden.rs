//! The condition `DetectionOverrideRefused` of a Cluster: its annotation with an override of the fleet's profile cannot be. Pure.

use lifeboat_health::Profile;
use serde_json::Value;

use crate::{observe::targets, store::conditions};

const KIND: &str = "DetectionOverrideRefused";

/// The condition as it should stand; a cluster whose annotation was never wrong has none.
pub(super) fn condition(cluster: &Value, fleet: &Profile, stamp: &str) -> Option<Value> {
    let (status, reason, message) = match targets::detection(cluster, fleet) {
        Err(problem) => (
            "True",
            "NotAllowed",
            format!("what was in force stays: {problem}"),
        ),
        Ok(own) => {
            conditions::find(cluster, KIND)?;
            let message = if own.is_some() {
                "the annotation is in force"
            } else {
                "the fleet's profile is in force"
            };
            ("False", "Allowed", message.to_owned())
        }
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

    #[test]
    fn it_begins_with_a_mistake_and_ends_with_it() {
        let with = |annotations: Value, held: Value| {
            let cluster = json!({
                "metadata": {"name": "a", "annotations": annotations}, "status": {"conditions": held},
            });
            condition(&cluster, &Profile::fast(), "t")
        };
        let good = json!({"lifeboat.dev/detection": "{deadMisses: 9}"});
        assert_eq!(with(json!({}), json!([])), None);
        assert_eq!(with(good.clone(), json!([])), None);
        let wrong = json!({"lifeboat.dev/detection": "{minFresh: 1}"});
        let begun = with(wrong, json!([])).unwrap();
        assert_eq!(
            (&begun["status"], &begun["reason"]),
            (&json!("True"), &json!("NotAllowed"))
        );
        let message = begun["message"].as_str().unwrap();
        assert!(
            message.starts_with(
                "what was in force stays: metadata.annotations[lifeboat.dev/detection]: profile field minFresh is the fleet's alone"
            ),
            "{message}"
        );
        let told = |annotations| with(annotations, json!([begun.clone()])).unwrap();
        let (mended, gone) = (told(good), told(json!({})));
        assert_eq!(
            (&mended["status"], &gone["status"]),
            (&json!("False"), &json!("False"))
        );
        assert_ne!(mended["message"], gone["message"]);
    }
}
