//! Generated names.

use lifeboat::propagate::names;
use serde_json::{Value, json};

use super::{compare, text};

#[test]
fn all_names_of_an_object() {
    compare("random/names.json", |input, expect| {
        let (kind, namespace, name) = (
            text(&input["kind"]),
            text(&input["namespace"]),
            text(&input["name"]),
        );
        let ours = json!({
            "bindingName": names::binding_name(kind, name),
            "bindingReferenceKey": names::binding_reference_key(namespace, name),
            "policyName": names::policy_name(namespace, name, text(&input["gvk"])),
            "workName": names::work_name(kind, namespace, name),
        });
        Some((expect.clone(), ours))
    });
}

fn check(function: &str, answer: impl Fn(&Value) -> Value) {
    compare(&format!("go-tables/names.{function}.json"), |input, expect| {
        let expected = if expect["error"] == true {
            Value::Null
        } else {
            expect["result"].clone()
        };
        Some((json!([expected]), json!([answer(input)])))
    });
}

#[test]
fn each_name_by_itself() {
    check("GenerateBindingName", |input| {
        json!(names::binding_name(text(&input["kind"]), text(&input["name"])))
    });
    check("GenerateWorkName", |input| {
        json!(names::work_name(
            text(&input["kind"]),
            text(&input["namespace"]),
            text(&input["name"])
        ))
    });
    check("GenerateBindingReferenceKey", |input| {
        json!(names::binding_reference_key(
            text(&input["namespace"]),
            text(&input["name"])
        ))
    });
    check("GeneratePolicyName", |input| {
        let (namespace, name) = (text(&input["namespace"]), text(&input["resourcename"]));
        json!(names::policy_name(namespace, name, text(&input["gvk"])))
    });
    check("GenerateExecutionSpaceName", |input| {
        json!(names::execution_namespace(text(&input["clusterName"])))
    });
    check("GetClusterName", |input| {
        json!(names::cluster_of(text(&input["executionSpaceName"])))
    });
    check("IsReservedNamespace", |input| {
        json!(names::is_reserved(text(&input["namespace"])))
    });
}
