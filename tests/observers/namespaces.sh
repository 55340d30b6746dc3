#!/usr/bin/env bash
# What needs a network of its own: a real ping, an agent whose address changes, and the observers' test in network namespaces with veth. All of them are made inside one that ends with this script, so that
# nothing of it can outlive it or reach another network; root is not needed where users may make namespaces.
set -euo pipefail
cd "$(dirname "$0")/../.."
enter=(unshare --net --mount)
[ "$(id -u)" -eq 0 ] || enter=(unshare --user --map-root-user --net --mount)
# Debian keeps `ip` where only root looks.
PATH="$PATH:/usr/sbin:/sbin"
# A ping needs a group that may send one, and here that can be said.
ping='ip link set lo up && echo 0 0 >/proc/sys/net/ipv4/ping_group_range'
if said="$("${enter[@]}" sh -c "$ping" 2>&1)"; then
    test=(cargo test --workspace --locked --lib)
    "${test[@]}" --no-run
    "${enter[@]}" sh -c "$ping && exec \"\$@\"" sh "${test[@]}" --offline -- --ignored a_real_ping_is_answered beats_go_on_from_a_new_address
else
    echo "SKIPPED: a network namespace that permits pings cannot be made here: $said"
fi
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
