#!/usr/bin/env bash
# The browser tests: scripts/end2end.sh [PLAYWRIGHT ARGUMENT...]. With DEMO_FLAVOR all of them against servers of that
# family; without, all of them against MariaDB and, side by side, those against MySQL in which the servers have a say.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What the servers themselves do differently, one family from the other.
SERVER_SPECS=(relocate live z-failover zz-loss)
# What else watches the fleet (scripts/with-fleet.sh).
BESIDE=(--beside prefix --beside viewer --beside logins)
RUNS=()

# run_flavor FLAVOR [PLAYWRIGHT ARGUMENT...] : in a process group of its own, so that all of it can be ended.
run_flavor() {
    local flavor="$1"
    shift
    export END2END_OUTPUT="test-results/$flavor"
    set -m
    DEMO_FLAVOR="$flavor" "$PROJECT_DIR/scripts/with-fleet.sh" "${BESIDE[@]}" "$PROJECT_DIR/scripts/playwright.sh" "$@" \
        </dev/null > >(sed -u "s/^/$flavor | /") 2>&1 &
    RUNS+=($!)
    set +m
}

stop_runs() {
    local pid
    for pid in "${RUNS[@]}"; do
        kill -s TERM -- "-$pid" 2>/dev/null || true
    done
    wait
    exit 130
}

# Built here, so that those side by side find it done.
"$PROJECT_DIR/scripts/setup-servers.sh" "${DEMO_FLAVOR:-all}"
if [[ "${DEMO_RELEASE:-0}" == 0 ]]; then profile=debug; else profile=release; fi
"$PROJECT_DIR/scripts/build.sh" "--$profile"

trap stop_runs INT TERM HUP
if [[ -n "${DEMO_FLAVOR:-}" ]]; then
    run_flavor "$DEMO_FLAVOR" "$@"
else
    run_flavor mariadb "$@"
    # With arguments the caller has chosen what runs.
    if (($#)); then
        run_flavor mysql "$@"
    else
        BESIDE=()
        run_flavor mysql "${SERVER_SPECS[@]}"
    fi
fi
status=0
for pid in "${RUNS[@]}"; do
    wait "$pid" || status=1
done
exit "$status"
