//! Custom resources.

use super::Bench;

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: zones.lifeboat.dev}
spec:
  group: lifeboat.dev
  scope: Namespaced
  names: {plural: zones, kind: Zone, shortNames: [zn], categories: [lifeboat]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [name]
            properties:
              name: {type: string, description: The zone's name.}
              size: {type: integer, minimum: 0, default: 3}
              replicas: {type: integer}
              mode: {type: string, enum: [weighted, failover]}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

const ZONE: &str = "
apiVersion: lifeboat.dev/v1alpha1
kind: Zone
metadata: {name: a}
spec: {name: demo.example, mode: weighted, replicas: 1}
";

#[tokio::test]
#[ignore = "needs kubectl"]
async fn a_definition_and_its_objects() {
    let bench = Bench::new().await;
    bench
        .check("apply -f -", DEFINITION, &["zones.lifeboat.dev created"])
        .await;
    bench
        .check(
            "wait --for=condition=Established crd/zones.lifeboat.dev --timeout=5s",
            "",
            &["condition met"],
        )
        .await;
    bench
        .check("apply -f -", ZONE, &["zone.lifeboat.dev/a created"])
        .await;
    bench.check("get zn", "", &["SIZE", "a      3"]).await;
    bench.check("get lifeboat -A", "", &["default"]).await;
    bench
        .check(
            "explain zone.spec",
            "",
            &["The zone's name.", "-required-", "enum: weighted, failover"],
        )
        .await;
    let changed = ZONE.replace("weighted", "failover");
    let (same, diff) = bench.run("diff -f -", &changed).await;
    assert!(!same && diff.contains("+  mode: failover"), "{diff}");
    bench.check("apply -f -", &changed, &["configured"]).await;
    bench
        .check(
            "apply --server-side --force-conflicts -f -",
            &changed,
            &["serverside-applied"],
        )
        .await;
    bench.check("scale zn a --replicas=2", "", &["scaled"]).await;
    bench.check("edit zn a", "", &["edited"]).await;
    bench
        .check("get zn a -o jsonpath={.spec.replicas}", "", &["6"])
        .await;
    bench
        .check(
            r#"patch zn a --type=merge -p {"spec":{"size":7}}"#,
            "",
            &["patched"],
        )
        .await;
    let ready = r#"patch zn a --subresource=status --type=merge -p {"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    bench.check(ready, "", &["patched"]).await;
    bench
        .check(
            "wait --for=condition=Ready zn/a --timeout=5s",
            "",
            &["condition met"],
        )
        .await;
    bench.check("describe zn a", "", &["Mode:", "failover"]).await;
    bench
        .refused(
            "apply -f -",
            &ZONE.replace("weighted", "bogus"),
            &["spec.mode: Unsupported value: \"bogus\": supported values: \"weighted\", \"failover\""],
        )
        .await;
    bench
        .refused(
            "apply -f -",
            &ZONE.replace("mode:", "mood:"),
            &["unknown field \"spec.mood\""],
        )
        .await;
    bench.check("delete zn a", "", &["deleted"]).await;
    bench
        .check("delete crd zones.lifeboat.dev", "", &["deleted"])
        .await;
    bench.refused("get zones.lifeboat.dev", "", &["zones"]).await;
}
