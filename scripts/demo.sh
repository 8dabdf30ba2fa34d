#!/usr/bin/env bash
# Two clusters of real servers on loopback, a write load, and the orchestrator watching them:
# scripts/demo.sh run|kill|start|stop|status. DEMO_FLAVOR=mysql for MySQL, DEMO_PORT for another web port than 3000,
# DEMO_MYSQL_PORT for other server ports than from 10101, DEMO_RELEASE=1 for the optimised build.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"
source "$PROJECT_DIR/scripts/sandbox.d/ports.sh"
source "$PROJECT_DIR/scripts/demo.d/fleet.sh"

FLEET_DIR="$CACHE_DIR/demo"
source "$PROJECT_DIR/scripts/demo.d/orchestrator.sh"

WEB_PORT="${DEMO_PORT:-3000}"
FIRST="${DEMO_MYSQL_PORT:-10101}"
export PROFILE=debug
[[ "${DEMO_RELEASE:-0}" == 0 ]] || PROFILE=release

ORDERS=("$FIRST" $((FIRST + 1)) $((FIRST + 2)) $((FIRST + 3)) $((FIRST + 4)) $((FIRST + 5)))
USERS=($((FIRST + 100)) $((FIRST + 101)) $((FIRST + 102)))

demo_is_running() {
    local pid
    pid="$(cat "$FLEET_DIR/pid" 2>/dev/null)" || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'demo\.sh run'
}

explain() {
    cat <<TEXT

    The orchestrator is at  http://127.0.0.1:$WEB_PORT

    Cluster orders: source 127.0.0.1:${ORDERS[0]}, semi-synchronous; ${ORDERS[1]} feeds ${ORDERS[2]} and ${ORDERS[3]}; ${ORDERS[4]} and ${ORDERS[5]} beside it
    Cluster users:  source 127.0.0.1:${USERS[0]}; replicas ${USERS[1]} and ${USERS[2]}
    Both are written to all the time.

    To try, from another terminal:
      make demo-kill     kill -9 the source of orders and watch a replica take over
      make demo-start    start what was killed: the old source comes back read-only
      make demo-status   which servers run
    or open cluster orders and drag a replica onto another.

    Log: $ORCHESTRATOR_LOG       Ctrl-C stops everything that was started here.

TEXT
}

clean_up() {
    trap '' INT TERM HUP
    step "Stopping the demo"
    stop_orchestrator
    sandbox destroy
    rm -f "$FLEET_DIR/pid"
    note "stopped; nothing is left running"
}

run_demo() {
    ! demo_is_running || die "a demo is running already (process $(cat "$FLEET_DIR/pid")): stop that one first, or look at it"
    ! port_is_in_use "$WEB_PORT" || die "port $WEB_PORT is in use by another program: stop that one, or DEMO_PORT=3001 make demo"
    need_rust
    "$PROJECT_DIR/scripts/setup-servers.sh" "$FLAVOR"
    "$PROJECT_DIR/scripts/build.sh" "--$PROFILE"

    mkdir -p "$FLEET_DIR"
    printf '%s\n' "$$" >"$FLEET_DIR/pid"
    trap clean_up EXIT
    trap 'exit 0' INT TERM HUP
    rm -f "$FLEET_DIR"/*.sqlite3* "$FLEET_DIR"/*.ids
    start_fleet
    start_loads
    start_orchestrator
    discover_from "${ORDERS[3]}" orders
    discover_from "${USERS[1]}" users
    explain
    watch_orchestrator
}

need_demo() { demo_is_running || die "no demo is running; start one with: make demo"; }

# Asks the orchestrator; when it cannot say, the one that was first.
source_of_orders() {
    local port
    port="$(http_get /api/master/orders | sed -n 's/.*"Key" *: *{[^}]*"Port" *: *\([0-9]*\).*/\1/p' | head -n 1)" || port=''
    [[ " ${ORDERS[*]} " == *" ${port:-none} "* ]] || port="${ORDERS[0]}"
    printf '%s\n' "$port"
}

kill_source() {
    local port
    need_demo
    port="$(source_of_orders)"
    sandbox kill --port "$port"
    note "killed 127.0.0.1:$port, the source of orders. Bring it back with: make demo-start"
}

start_stopped() {
    local -a stopped
    need_demo
    mapfile -t stopped < <(sandbox status | awk '$3 == "stopped" { print "--port"; print $1 }')
    ((${#stopped[@]})) || { note "every server of the demo runs" && return 0; }
    sandbox start "${stopped[@]}"
}

case "${1:-}" in
run) run_demo ;;
kill) kill_source ;;
start) start_stopped ;;
status) need_demo && sandbox status | sort ;;
stop) need_demo && kill -s TERM "$(cat "$FLEET_DIR/pid")" ;;
*) die "usage: scripts/demo.sh run|kill|start|stop|status" ;;
esac
