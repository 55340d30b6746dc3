//! Built-in kinds.

use super::Bench;

const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: shop:1
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
";

#[tokio::test]
#[ignore = "needs kubectl"]
async fn a_workload_from_apply_to_delete() {
    let bench = Bench::new().await;
    bench
        .check(
            "api-resources",
            "",
            &["deployments", "customresourcedefinitions", "leases"],
        )
        .await;
    bench
        .check(
            "apply -f -",
            SHOP,
            &["deployment.apps/shop created", "service/shop created"],
        )
        .await;
    bench
        .check(
            "apply -f -",
            SHOP,
            &["deployment.apps/shop unchanged", "service/shop unchanged"],
        )
        .await;
    let four = SHOP.replace("replicas: 3", "replicas: 4");
    let (same, diff) = bench.run("diff -f -", &four).await;
    assert!(
        !same && diff.contains("-  replicas: 3") && diff.contains("+  replicas: 4"),
        "{diff}"
    );
    bench
        .check("apply -f -", &four, &["deployment.apps/shop configured"])
        .await;
    bench.check("get deployment shop", "", &["READY", "0/4"]).await;
    bench
        .check(
            "get deploy,svc -o wide",
            "",
            &["CONTAINERS", "shop:1", "ClusterIP", "80/TCP", "app=shop"],
        )
        .await;
    bench
        .check("scale deploy shop --replicas=5", "", &["scaled"])
        .await;
    bench.check("edit deploy shop", "", &["edited"]).await;
    bench
        .check(
            "wait --for=jsonpath={.spec.replicas}=6 deploy/shop --timeout=5s",
            "",
            &["condition met"],
        )
        .await;
    bench.check("label deploy shop tier=web", "", &["labeled"]).await;
    bench
        .check("annotate deploy shop note=x", "", &["annotated"])
        .await;
    bench
        .check("set image deploy/shop shop=shop:2", "", &["image updated"])
        .await;
    bench
        .check(
            "get deploy shop -o jsonpath={.spec.template.spec.containers[0].image}",
            "",
            &["shop:2"],
        )
        .await;
    bench
        .check("describe deploy shop", "", &["6 desired", "shop:2"])
        .await;
    bench
        .check("rollout restart deploy/shop", "", &["restarted"])
        .await;
    let status = r#"--subresource=status --type=merge -p {"status":{"observedGeneration":99,"replicas":6,"updatedReplicas":6,"readyReplicas":6,"availableReplicas":6}}"#;
    bench
        .check(&format!("patch deploy shop {status}"), "", &["patched"])
        .await;
    bench
        .check(
            "rollout status deploy/shop --timeout=5s",
            "",
            &["successfully rolled out"],
        )
        .await;
    bench
        .check("autoscale deploy shop --max=5", "", &["autoscaled"])
        .await;
    bench
        .check(
            "get all",
            "",
            &["deployment.apps/shop", "service/shop", "horizontalpodautoscaler"],
        )
        .await;
    bench
        .check(
            "apply --server-side --force-conflicts -f -",
            SHOP,
            &["serverside-applied"],
        )
        .await;
    bench
        .refused(
            "apply --server-side --field-manager=other -f -",
            &four,
            &["conflict with \"kubectl\" using apps/v1: .spec.replicas"],
        )
        .await;
    bench
        .check(
            "delete -f -",
            SHOP,
            &["deployment.apps \"shop\" deleted", "service \"shop\" deleted"],
        )
        .await;
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn mistakes_are_named() {
    let bench = Bench::new().await;
    let deployment = SHOP.split("---").next().unwrap();
    let unknown = deployment.replace("replicas: 3", "replica: 3");
    bench
        .refused(
            "create -f -",
            &unknown,
            &["strict decoding error: unknown field \"spec.replica\""],
        )
        .await;
    bench
        .check(
            "create --validate=warn -f -",
            &unknown,
            &["Warning: unknown field \"spec.replica\"", "created"],
        )
        .await;
    let negative = SHOP.replace("replicas: 3", "replicas: -1");
    bench
        .refused(
            "apply -f -",
            &negative,
            &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        )
        .await;
    let mismatch = SHOP
        .replace(
            "selector: {matchLabels: {app: shop}}",
            "selector: {matchLabels: {app: other}}",
        )
        .replace("name: shop,", "name: x,");
    bench
        .refused(
            "apply -f -",
            &mismatch,
            &["`selector` does not match template `labels`"],
        )
        .await;
    bench
        .refused("get pods nope", "", &["pods \"nope\" not found"])
        .await;
    bench
        .refused("get bogus", "", &["doesn't have a resource type \"bogus\""])
        .await;
    bench
        .refused("delete ns default", "", &["this namespace may not be deleted"])
        .await;
    bench
        .refused(
            "-n nowhere create cm a",
            "",
            &["namespaces \"nowhere\" not found"],
        )
        .await;
}

#[tokio::test]
#[ignore = "needs kubectl"]
async fn imperative_commands_and_questions() {
    let bench = Bench::new().await;
    for (command, expected) in [
        (
            "create deployment web --image=nginx:1.25 --replicas=2",
            "deployment.apps/web created",
        ),
        ("create ns team", "namespace/team created"),
        ("create cm c --from-literal=a=b", "configmap/c created"),
        ("create secret generic s --from-literal=a=b", "secret/s created"),
        ("create job j --image=x", "job.batch/j created"),
        ("create role r --verb=get --resource=pods", "created"),
        ("create ingress i --rule=a.example/=web:80", "created"),
        ("create pdb p --selector=app=web --min-available=1", "created"),
        ("run p --image=x", "pod/p created"),
        ("expose deploy web --port 80", "exposed"),
        ("get pods,jobs,ing,pdb,cm,secret,role", "Pending"),
        ("explain deployment.spec.strategy", "rollingUpdate"),
        ("explain pods.spec.containers.ports --recursive", "containerPort"),
        ("auth can-i create pods", "yes"),
        ("auth whoami", "kubernetes-admin"),
        ("version", "Server Version: v1."),
        ("get --raw /readyz", "ok"),
        ("delete pod p", "deleted"),
        ("delete ns team", "deleted"),
        ("delete deploy --all", "deleted"),
        ("get deploy", "No resources found"),
    ] {
        bench.check(command, "", &[expected]).await;
    }
    bench.refused("logs p", "", &["not found"]).await;
}
