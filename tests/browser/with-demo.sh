#!/usr/bin/env bash
# Starts a demo on its usual ports, runs the browser check against its console, and stops it again.
# usage: with-demo.sh LIFEBOAT_BINARY [SCREENSHOT_FOLDER]
set -euo pipefail
binary="$(realpath "${1:?the lifeboat binary}")"
cd "$(dirname "$0")"
shots="${2:-$(mktemp -d)}"
log="$(mktemp)"
npm ci --silent --no-fund --no-audit
token=browser-check
"$binary" demo --headless --token "$token" >"$log" 2>&1 &
demo=$!
trap 'kill -TERM "$demo" 2>/dev/null || true; wait "$demo" || true; rm -f "$log"' EXIT
for _ in $(seq 1 300); do
    grep -q "users and prober run" "$log" && break
    kill -0 "$demo" || { cat "$log"; exit 1; }
    sleep 0.1
done
kubeconfig="$(grep -o -m 1 -e '--kubeconfig [^ ]*' "$log" | cut -d ' ' -f 2)"
api="$(sed -n 's/^ *server: //p' "$kubeconfig")"
node run.mjs http://127.0.0.1:8080 "$shots" "$token" "$api"
echo "screenshots in $shots"
