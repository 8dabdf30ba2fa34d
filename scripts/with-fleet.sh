#!/usr/bin/env bash
# A fleet like the demo's on free ports, an orchestrator that knows it, and a command that uses both:
# scripts/with-fleet.sh COMMAND [ARGUMENT...]. The command gets ORCHESTRATOR_URL, FLEET_SERVERS (the --dir for
# scripts/sandbox), FLEET_ORDERS and FLEET_USERS (ports, the source first), FLEET_LOG. All of it is gone when it ends.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"
source "$PROJECT_DIR/scripts/sandbox.d/ports.sh"
source "$PROJECT_DIR/scripts/demo.d/fleet.sh"

FLEET_DIR="$(mktemp -d "${TMPDIR:-/tmp}/orchestrator-fleet.XXXXXX")"
source "$PROJECT_DIR/scripts/demo.d/orchestrator.sh"
# Outlives the fleet, to be read after a failure.
ORCHESTRATOR_LOG="$PROJECT_DIR/target/with-fleet.log"

trap 'rm -rf "$FLEET_DIR"' EXIT
(($#)) || die "usage: scripts/with-fleet.sh COMMAND [ARGUMENT...]"
need_rust
"$PROJECT_DIR/scripts/setup-servers.sh" "$FLAVOR"
export PROFILE=debug
[[ "${DEMO_RELEASE:-0}" == 0 ]] || PROFILE=release
"$PROJECT_DIR/scripts/build.sh" "--$PROFILE"

mapfile -t ports < <("$PROJECT_DIR/scripts/sandbox" ports --count 10)
ORDERS=("${ports[@]:0:6}")
USERS=("${ports[@]:6:3}")
WEB_PORT="${ports[9]}"

clean_up() {
    trap '' INT TERM HUP
    stop_orchestrator
    sandbox destroy
    rm -rf "$FLEET_DIR"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
start_fleet
start_loads
start_orchestrator
discover_from "${ORDERS[3]}" orders
discover_from "${USERS[1]}" users

export ORCHESTRATOR_URL="http://127.0.0.1:$WEB_PORT" FLEET_SERVERS="$FLEET_DIR/servers" FLEET_LOG="$ORCHESTRATOR_LOG"
export FLEET_ORDERS="${ORDERS[*]}" FLEET_USERS="${USERS[*]}"
step "Running $1 against $ORCHESTRATOR_URL"
status=0
"$@" || status=$?
if ((status)); then
    note "$1 ended with $status; the last lines of the orchestrator's log:"
    tail -n 30 "$FLEET_LOG" >&2
fi
exit "$status"
