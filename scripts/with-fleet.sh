#!/usr/bin/env bash
# A fleet like the demo's on free ports, an orchestrator that knows it, and a command that uses both:
# scripts/with-fleet.sh [--beside prefix|viewer|logins]... COMMAND [ARGUMENT...]. The command gets ORCHESTRATOR_URL, FLEET_SERVERS
# (the --dir for scripts/sandbox), FLEET_ORDERS and FLEET_USERS (ports, the source first), FLEET_LOG. With --beside prefix,
# a second orchestrator below a URLPrefix at PREFIX_URL; with --beside viewer, one that lets nobody change anything at
# VIEWER_URL, with VIEWER_USER and VIEWER_PASSWORD; with --beside logins, one with logins and no user yet at LOGINS_URL, whose
# log LOGINS_LOG has the set-up code. All of it is gone when the command ends.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"
source "$PROJECT_DIR/scripts/sandbox.d/ports.sh"
source "$PROJECT_DIR/scripts/demo.d/fleet.sh"

FLEET_DIR="$(mktemp -d "${TMPDIR:-/tmp}/orchestrator-fleet.XXXXXX")"
source "$PROJECT_DIR/scripts/demo.d/orchestrator.sh"
source "$PROJECT_DIR/scripts/with-fleet.d/beside.sh"
# Outlives the fleet, to be read after a failure.
ORCHESTRATOR_LOG="$PROJECT_DIR/target/with-fleet-$FLAVOR.log"

trap 'rm -rf "$FLEET_DIR"' EXIT
BESIDE=()
while [[ "${1:-}" == --beside ]]; do
    [[ "${2:-}" =~ ^(prefix|viewer|logins)$ ]] || die "--beside wants prefix, viewer or logins, not '${2:-}'"
    BESIDE+=("$2")
    shift 2
done
(($#)) || die "usage: scripts/with-fleet.sh [--beside prefix|viewer|logins]... COMMAND [ARGUMENT...]"
need_rust
"$PROJECT_DIR/scripts/setup-servers.sh" "$FLAVOR"
export PROFILE=debug
[[ "${DEMO_RELEASE:-0}" == 0 ]] || PROFILE=release
"$PROJECT_DIR/scripts/build.sh" "--$PROFILE"

mapfile -t ports < <("$PROJECT_DIR/scripts/sandbox" ports --count 13)
ORDERS=("${ports[@]:0:6}")
USERS=("${ports[@]:6:3}")
WEB_PORT="${ports[9]}"
PREFIX_PORT="${ports[10]}"
VIEWER_PORT="${ports[11]}"
LOGINS_PORT="${ports[12]}"

clean_up() {
    trap '' INT TERM HUP
    stop_beside
    stop_orchestrator
    sandbox destroy
    rm -rf "$FLEET_DIR"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
start_fleet
start_loads
start_orchestrator
for kind in "${BESIDE[@]}"; do
    case "$kind" in
    prefix)
        start_beside prefix "$PREFIX_PORT"
        export PREFIX_URL="http://127.0.0.1:$PREFIX_PORT$BESIDE_PREFIX/"
        ;;
    viewer)
        start_beside viewer "$VIEWER_PORT"
        export VIEWER_URL="http://127.0.0.1:$VIEWER_PORT" VIEWER_USER="$BESIDE_USER" VIEWER_PASSWORD="$BESIDE_PASSWORD"
        ;;
    logins)
        start_beside logins "$LOGINS_PORT"
        export LOGINS_URL="http://127.0.0.1:$LOGINS_PORT" LOGINS_LOG="$ORCHESTRATOR_LOG.logins"
        ;;
    esac
done
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
