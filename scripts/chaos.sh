#!/usr/bin/env bash
# Faults on real servers (docs/CHAOS.md): scripts/chaos.sh [--list] [SCENARIO | mariadb | mysql]... runs those whose names
# contain one of the words, all of them without one, and prints a table. Fails when a scenario fails.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

cd "$PROJECT_DIR"
need_rust
# Tests are named module::scenario::flavor_N___mariadb__; a word may also be a flavour.
flavors=() words=() list=0
for word in "$@"; do
    case "$word" in
    --list) list=1 ;;
    mariadb | mysql) flavors+=("$word") ;;
    -*) die "unknown option $word; usage: scripts/chaos.sh [--list] [SCENARIO | mariadb | mysql]..." ;;
    *) words+=("${word//-/_}") ;;
    esac
done
tests="$(cargo test --locked --package orchestrator --test chaos_servers -- --list 2>/dev/null | sed -n 's/: test$//p')"
[[ -n "$tests" ]] || die "the scenarios do not compile; see: cargo test --package orchestrator --test chaos_servers --no-run"
chosen() {
    local name word flavor
    while read -r name; do
        for word in "${words[@]:-}"; do
            [[ "$name" == *"$word"* ]] || continue
            for flavor in "${flavors[@]:-}"; do
                [[ "$name" != *"$flavor"* ]] || { printf '%s\n' "$name" && continue 3; }
            done
        done
    done <<<"$tests"
}
mapfile -t names < <(chosen)
((${#names[@]})) || die "no scenario is named like: $*; scripts/chaos.sh --list names them"
if ((list)); then
    printf '%s\n' "${names[@]}" | sed 's/^[a-z]*:://; s/::flavor_[0-9]*___/ /; s/__$//'
    exit
fi
scripts/setup-servers.sh all

CHAOS_ROWS="$(mktemp -d)"
export CHAOS_ROWS
trap 'rm -rf "$CHAOS_ROWS"' EXIT
step "${#names[@]} scenarios, two at a time; the load of this machine is $(cut -d ' ' -f 1-3 /proc/loadavg)"
status=0
cargo test --locked --package orchestrator --test chaos_servers -- --include-ignored --test-threads="${CHAOS_AT_ONCE:-2}" --exact "${names[@]}" ||
    status=$?
step "Writable: from the fault to the first write that another server acknowledged"
{
    printf 'scenario|servers|outcome|writable|writes lost|writable servers|errant|converged|\n'
    sort "$CHAOS_ROWS"/*
} | awk -F '|' '
    { rows[NR] = $0; for (i = 1; i <= NF; i++) if (length($i) > width[i]) width[i] = length($i) }
    END { for (r = 1; r <= NR; r++) { n = split(rows[r], cell, "|"); line = ""
        for (i = 1; i <= n; i++) line = line sprintf("%-" width[i] "s  ", cell[i]); sub(/ +$/, "", line); print line } }'
exit "$status"
