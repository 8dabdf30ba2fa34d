#!/usr/bin/env bash
# Everything that is checked: scripts/test.sh [PHASE...]; without a phase, all of them. Sets up what it needs.
# A phase that fails does not hide the result of the next ones.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

ALL_PHASES=(servers browser page scripts format lint lint-page build test test-page end2end)
# Parts of phase test, by themselves.
PART_PHASES=(unit real-servers)

phase_servers() { scripts/setup-servers.sh all; }
phase_browser() { scripts/setup-browser.sh; }
phase_page() { scripts/build.sh --page-only; }

phase_scripts() {
    if ! command -v shellcheck >/dev/null; then
        apt_install shellcheck
    fi
    shellcheck scripts/*.sh scripts/sandbox scripts/*.d/*.sh .ci/run
}

phase_format() { cargo fmt --all --check; }
phase_lint() {
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --package bench -- -D warnings
}

phase_lint_page() {
    scripts/setup-wasm.sh
    local -a target=(--target "$WASM_TARGET")
    rust_has_wasm || target=() # Debian's compiler for WASM brings no clippy: judged as if built for this machine
    cargo clippy --locked --package app --package frontend "${target[@]}" -- -D warnings
}

# What the next phases run, so that they need not wait for each other's compiler.
phase_build() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --no-run
    else
        cargo test --locked --no-run
    fi
    scripts/build.sh --debug
}

# run_tests ARGUMENT... : by nextest where it is, which runs tests side by side and stops one that hangs.
run_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        # Twice as many as cores: tests with real servers wait for them more than they compute.
        cargo nextest run --locked --no-fail-fast --test-threads "$((2 * $(nproc)))" "$@"
    else
        cargo test --locked --no-fail-fast "$@"
    fi
}

phase_test() { run_tests; }

# Tests against real servers are the test programs named *_servers.
phase_unit() {
    if cargo nextest --version >/dev/null 2>&1; then
        run_tests -E 'not binary(/_servers$/)'
    else
        cargo test --locked --no-fail-fast --lib --bins
    fi
}

phase_real_servers() {
    if cargo nextest --version >/dev/null 2>&1; then
        run_tests --package orchestrator -E 'binary(/_servers$/)' --no-tests pass
    else
        cargo test --locked --no-fail-fast --package orchestrator --test '*_servers'
    fi
}

# The pages' own logic is tested on this machine; what needs a browser is in end2end/.
phase_test_page() { run_tests --package app --features ui --lib ui::; }

phase_end2end() {
    [[ -f end2end/package.json ]] || { note "no end2end/ yet" && return 0; }
    scripts/end2end.sh
}

# Each phase is a process of its own, so that its first error ends it.
if [[ "${1:-}" == --phase ]]; then
    cd "$PROJECT_DIR"
    need_rust
    "phase_${2//-/_}"
    exit
fi

phases=("$@")
((${#phases[@]})) || phases=("${ALL_PHASES[@]}")
has_phase() { [[ " ${phases[*]} " == *" $1 "* ]]; }
for phase in "${phases[@]}"; do
    [[ " ${ALL_PHASES[*]} ${PART_PHASES[*]} " == *" $phase "* ]] ||
        die "no phase '$phase'; there are: ${ALL_PHASES[*]} ${PART_PHASES[*]}"
done
results=() failed=()

# ended PHASE STATUS BEGAN : notes what became of it.
ended() {
    local outcome=passed
    (($2 == 0)) || { outcome=FAILED && failed+=("$1"); }
    results+=("$(printf '%-12s %-7s %8s s' "$1" "$outcome" "$(seconds_since "$3")")")
}

# Both wait for servers and browsers more than they compute: the one runs beside the other.
beside="" beside_began=""
start_beside() {
    step "Phase: end2end, beside the next ones"
    beside_began="$(now_us)"
    # A process group of its own, so that all of it can be ended.
    set -m
    "$0" --phase end2end </dev/null &
    beside=$!
    set +m
}
stop_beside() {
    trap '' INT TERM HUP
    [[ -z "$beside" ]] || { kill -s TERM -- "-$beside" 2>/dev/null && wait "$beside"; }
    exit 130
}
trap stop_beside INT TERM HUP

all_began="$(now_us)"
for phase in "${phases[@]}"; do
    status=0
    if [[ "$phase" == end2end && -n "$beside" ]]; then
        wait "$beside" || status=$?
        beside=""
        ended "$phase" "$status" "$beside_began"
        continue
    fi
    if [[ "$phase" == test ]] && has_phase end2end; then start_beside; fi
    step "Phase: $phase"
    began="$(now_us)"
    "$0" --phase "$phase" </dev/null || status=$?
    ended "$phase" "$status" "$began"
done
step "All phases, $(seconds_since "$all_began") s"
printf '    %s\n' "${results[@]}" >&2
((${#failed[@]} == 0)) || die "failed: ${failed[*]}; run one again with: scripts/test.sh ${failed[0]}"
