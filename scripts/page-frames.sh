#!/usr/bin/env bash
# Frame times of the page (docs/PERFORMANCE.md): one cluster of 500 servers, and 200 clusters of 5. Made-up servers that speak
# MySQL's protocol (bench), the real orchestrator, Chromium. FRAMES_PROFILE=debug measures with the unoptimised service.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"
source "$PROJECT_DIR/scripts/sandbox.d/ports.sh"

PROFILE="${FRAMES_PROFILE:-release}"
FOLDER="$(mktemp -d "${TMPDIR:-/tmp}/orchestrator-frames.XXXXXX")"
PIDS=()

clean_up() {
    trap '' INT TERM HUP
    local pid
    for pid in "${PIDS[@]}"; do
        kill -s TERM "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$FOLDER"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# start_fleet NAME SERVERS SIZE WEB_PORT : made-up servers, and an orchestrator that finds them all by the first of each cluster.
start_fleet() {
    local name="$1" servers="$2" size="$3" web="$4" port='' number seeds=()
    "target/$PROFILE/bench" fleet-servers --servers "$servers" --cluster "$size" >"$FOLDER/$name.port" &
    PIDS+=($!)
    until [[ -s "$FOLDER/$name.port" ]]; do nap 0.1; done
    port="$(cat "$FOLDER/$name.port")"
    for ((number = 0; number < servers; number += size)); do
        seeds+=("\"127.$((64 + number / 65536)).$((number / 256 % 256)).$((number % 256)):$port\"")
    done
    cat >"$FOLDER/$name.json" <<JSON
{
  "ListenAddress": "127.0.0.1:$web",
  "BackendDB": "sqlite", "SQLite3DataFile": "$FOLDER/$name.sqlite3",
  "MySQLTopologyUser": "orchestrator", "MySQLTopologyPassword": "any",
  "HostnameResolveMethod": "none", "MySQLHostnameResolveMethod": "", "DiscoverByShowSlaveHosts": true,
  "DiscoverySeeds": [$(IFS=,; printf '%s' "${seeds[*]}")]
}
JSON
    "target/$PROFILE/orchestrator" -config "$FOLDER/$name.json" http >"$FOLDER/$name.log" 2>&1 &
    PIDS+=($!)
    until port_is_in_use "$web"; do
        kill -0 "${PIDS[-1]}" 2>/dev/null || { tail -n 20 "$FOLDER/$name.log" >&2 && die "the orchestrator ended"; }
        nap 0.1
    done
    FIRST_SERVER="127.64.0.0:$port"
}

cd "$PROJECT_DIR"
need_rust
"$PROJECT_DIR/scripts/setup-browser.sh"
"$PROJECT_DIR/scripts/build.sh" "--$PROFILE"
step "Building the made-up fleet ($PROFILE)"
if [[ "$PROFILE" == release ]]; then cargo build --locked --release --package bench; else cargo build --locked --package bench; fi
ulimit -n "$(ulimit -Hn)"
mapfile -t ports < <("$PROJECT_DIR/scripts/sandbox" ports --count 2)
step "Starting 500 servers in one cluster, and 1000 in 200"
start_fleet wide 500 500 "${ports[0]}"
tree="http://127.0.0.1:${ports[0]}/web/cluster/$FIRST_SERVER"
start_fleet many 1000 5 "${ports[1]}"
cd end2end
node measure/frames.mjs "$tree" "http://127.0.0.1:${ports[1]}/web/clusters" 500 200
