#!/usr/bin/env bash
# The observers' test in network namespaces with veth. All of them are made inside one that ends with this script, so that
# nothing of it can outlive it or reach another network; root is not needed where users may make namespaces.
set -euo pipefail
cd "$(dirname "$0")/../.."
enter=(unshare --net --mount)
[ "$(id -u)" -eq 0 ] || enter=(unshare --user --map-root-user --net --mount)
# Debian keeps `ip` where only root looks.
PATH="$PATH:/usr/sbin:/sbin"
# `ip netns` keeps its names in /run.
own='mount -t tmpfs tmpfs /run && ip link set lo up'
try="$own && ip netns add there && ip link add name here type veth peer name there netns there && ip netns exec there true"
if ! said="$("${enter[@]}" sh -c "$try" 2>&1)"; then
    echo "SKIPPED: network namespaces with veth are not permitted here: $said"
    exit 0
fi
test=(cargo test --workspace --locked --test observers)
"${test[@]}" --no-run
"${enter[@]}" sh -c "$own && exec \"\$@\"" sh "${test[@]}" --offline -- --ignored
