#!/usr/bin/env bash
# Runs the drill that the README shows, word for word, and checks its exit code and its report.
# usage: drill.sh README LIFEBOAT_BINARY
set -euo pipefail
line="$(grep -E '^ +lifeboat demo .*--report ' "${1:?the README}")"
[ "$(wc -l <<<"$line")" -eq 1 ] || { echo "the README has not exactly one drill: $line"; exit 1; }
binary="$(realpath "${2:?the lifeboat binary}")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
lifeboat() { timeout 170 "$binary" "$@"; }
echo "+$line"
eval "$line"
python3 - <<'CHECK'
import json

report = json.load(open("report.json"))
timings, types = report["timings_ms"], [event["type"] for event in report["events"]]
assert report["kind"] == "DrillReport" and report["outcome"] == "passed" and report["reasons"] == [], report["reasons"]
assert types.count("fault.injected") == 1 and types.count("fault.cleared") == 1, types
assert all(ms is not None for ms in timings.values()), timings
assert timings["evictions_done"] <= timings["replicas_ready"], timings
assert report["users"]["failed_after_recovery"] == 0, report["users"]
assert report["workloads"]["ready_end"] == report["workloads"]["desired"] > report["workloads"]["ready_lowest"], report["workloads"]
print("report.json: passed,", timings)
CHECK
