#!/usr/bin/env bash
# Everything that is checked: scripts/test.sh [PHASE...]; without a phase, all of them. Sets up what it needs.
# A phase that fails does not hide the result of the next ones.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

ALL_PHASES=(servers browser page scripts format lint lint-page test test-page end2end)
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
results=() failed=()
all_began="$(now_us)"
for phase in "${phases[@]}"; do
    [[ " ${ALL_PHASES[*]} ${PART_PHASES[*]} " == *" $phase "* ]] ||
        die "no phase '$phase'; there are: ${ALL_PHASES[*]} ${PART_PHASES[*]}"
    step "Phase: $phase"
    began="$(now_us)"
    if "$0" --phase "$phase" </dev/null; then outcome=passed; else outcome=FAILED && failed+=("$phase"); fi
    results+=("$(printf '%-12s %-7s %8s s' "$phase" "$outcome" "$(seconds_since "$began")")")
done
step "All phases, $(seconds_since "$all_began") s"
printf '    %s\n' "${results[@]}" >&2
((${#failed[@]} == 0)) || die "failed: ${failed[*]}; run one again with: scripts/test.sh ${failed[0]}"
