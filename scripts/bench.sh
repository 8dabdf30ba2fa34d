#!/usr/bin/env bash
# Measured figures (docs/PERFORMANCE.md): scripts/bench.sh COMMAND [OPTION]..., `help` lists them. Builds the optimised
# program first; without a command, everything that the document has figures of.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

cd "$PROJECT_DIR"
need_rust
cargo build --locked --release --package bench
program="${CARGO_TARGET_DIR:-target}/release/bench"
# Two connections a server.
ulimit -n "$(ulimit -Hn)"

if (($#)); then
    exec "$program" "$@"
fi
scripts/setup-servers.sh all
"$program" engine
"$program" api
"$program" store
for servers in 100 1000 5000; do "$program" fleet --servers "$servers"; done
for flavor in mariadb mysql; do
    "$program" failover --flavor "$flavor"
    "$program" failover --flavor "$flavor" --hung --runs 3
    "$program" takeover --flavor "$flavor"
done
