#!/usr/bin/env bash
# tests/fuzz.sh CRATE SECONDS [SEED]: each fuzz target of a crate for so long, from its corpus and the seed (0: another one
# each time, printed when an input breaks a property). What libFuzzer finds on the way is kept in target/fuzz-corpus, with
# its log; an input that breaks a property is kept in CRATE/fuzz/artifacts, and its path printed.
set -euo pipefail
cd "$(dirname "$0")/.."
crate="${1:?CRATE}" seconds="${2:?SECONDS}" seed="${3:-0}"
cargo fuzz --version >/dev/null || {
    echo "cargo-fuzz is missing: cargo install --locked cargo-fuzz" >&2
    exit 1
}
cargo fetch --quiet --locked --manifest-path "$crate/fuzz/Cargo.toml"
# The sanitizers need a nightly toolchain, and look for what safe code cannot do; coverage works with the pinned one.
options=(--dev --sanitizer none --fuzz-dir "$crate/fuzz" --target-dir target/fuzz)
cargo fuzz build "${options[@]}"
for path in "$crate"/fuzz/targets/*.rs; do
    target="$(basename "$path" .rs)"
    found="target/fuzz-corpus/$target"
    mkdir -p "$found"
    log="target/fuzz-corpus/$target.log" from=$SECONDS
    cargo fuzz run "${options[@]}" "$target" "$found" "$crate/fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=512 -print_final_stats=1 >"$log" 2>&1 || {
        grep -vE '^#|NEW_FUNC|# Uses' "$log" >&2
        echo "$target: the input above breaks a property" >&2
        exit 1
    }
    inputs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    echo "$target: $inputs inputs in $((SECONDS - from)) s, no property broken"
done
