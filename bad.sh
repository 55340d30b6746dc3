echo "--- bad yaml"; printf 'apiVersion: v1\nkind: ConfigMap\n  metadata: {name: x\n' | k apply -f -
echo "--- weight -1";  cat > tpbad.yaml <<'Y'
apiVersion: lifeboat.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: bad, namespace: team}
spec: {zone: demo.example, name: bad.demo.example, workload: {apiVersion: apps/v1, kind: Deployment, name: web}, steer: [{health: {}}, {weighted: {}}], weights: {us-east1: -1}}
Y
k apply -f tpbad.yaml
sed 's/us-east1: -1/us-east1: 1.5/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/nowhere: 2/; s/name: bad,/name: badcluster,/; s/bad.demo/badcluster.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/zone: demo.example/zone: nope.example/;s/name: bad,/name: badzone,/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/name: bad.demo.example/name: bad.other.example/;s/name: bad,/name: outzone,/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/name: bad.demo.example/name: "bad..demo.example"/;s/name: bad,/name: badname,/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/name: bad.demo.example/name: web.demo.example/;s/name: bad,/name: dupname,/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/kind: Deployment, name: web/kind: Deployment, name: nope/;s/name: bad,/name: noworkload,/;s/bad.demo/nw.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 0/; s/name: bad,/name: zero,/;s/bad.demo/zero.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 0, eu-north-1: 0, europe-north1: 0/; s/name: bad,/name: allzero,/;s/bad.demo/allzero.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/{weighted: {}}/{geo: {}}/;s/name: bad,/name: geo,/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/{weighted: {}}/{failover: {order: [nope]}}/;s/name: bad,/name: fo,/;s/bad.demo/fo.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/steer: .*]/steer: []/;s/name: bad,/name: nosteer,/;s/bad.demo/nosteer.demo/' tpbad.yaml | sed 's/steer: \[\].*/steer: []}/' | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/zone: demo/ttl: 99999, zone: demo/;s/name: bad,/name: ttl,/;s/bad.demo/ttl.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/zone: demo/ttll: 9, zone: demo/;s/name: bad,/name: ttl,/;s/bad.demo/ttl.demo/' tpbad.yaml | k apply -f -
sed 's/us-east1: -1/us-east1: 1/; s/zone: demo/service: {name: nosvc}, zone: demo/;s/name: bad,/name: nosvc,/;s/bad.demo/nosvc.demo/' tpbad.yaml | k apply -f -
sleep 2; k -n team get tp; k -n team get tp -o jsonpath='{range .items[*]}{.metadata.name}{": "}{.status.conditions[*].reason} {.status.conditions[*].message}{"\n"}{end}'
$L get names | grep -v -E 'shop|catalog|reports'
for n in badcluster zero allzero fo nosvc nw; do echo $n $(d $n.demo.example +short) $(d $n.demo.example | grep status); done
