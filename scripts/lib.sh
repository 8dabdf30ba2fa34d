# shellcheck shell=bash
# What all scripts share: messages, the cache folder, and packages from the machine's own apt.
# Sourced, never run.

# A failure inside $(...) is a failure too.
shopt -s inherit_errexit

PROJECT_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# Outlives a clean clone, so that tools and server templates are made once per machine.
CACHE_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/orchestrator-dev"
export PROJECT_DIR CACHE_DIR

# A pipe nobody writes to: reading it with a time limit is a sleep without a process.
exec {NAP_FD}<> <(:)

step() { printf '\n==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# nap SECONDS
nap() { read -rt "$1" -u "$NAP_FD" _ || true; }

# Microseconds since the epoch. No locale may put a comma into it.
now_us() { printf '%s' "${EPOCHREALTIME//[.,]/}"; }

# seconds_since MICROSECONDS -> "1.23"
seconds_since() {
    local passed=$(($(now_us) - $1))
    printf '%d.%02d' $((passed / 1000000)) $((passed % 1000000 / 10000))
}

# quietly LABEL COMMAND... : output goes to a log; one line every 15 s shows that it lives, and a
# failure shows the end of the log.
quietly() {
    local label="$1" log pid began waited=0 traps
    shift
    mkdir -p "$CACHE_DIR/logs"
    log="$CACHE_DIR/logs/${label//[^a-zA-Z0-9._-]/-}.log"
    began="$(now_us)"
    # A process group of its own, so that a Ctrl-C here can end all of it.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    traps="$(trap -p INT TERM)"
    # shellcheck disable=SC2064 # the process of now is meant
    trap "kill -s TERM -- -$pid 2>/dev/null; exit 130" INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        nap 0.2
        waited=$((waited + 1))
        if ((waited % 75 == 0)); then
            note "$label: $(seconds_since "$began") s, at: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"
        fi
    done
    trap - INT TERM
    eval "$traps"
    if ! wait "$pid"; then
        grep -m 5 -A 6 '^error' "$log" >&2 || tail -n 30 "$log" >&2
        printf 'error: %s failed; the whole log is %s\n' "$label" "$log" >&2
        return 1
    fi
    note "$label: done in $(seconds_since "$began") s"
}

# as_root COMMAND... : as it is for root, else by sudo.
as_root() {
    if [[ "$(id -u)" == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root and there is no sudo. Run as root: $*"
    fi
}

package_is_installed() {
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# apt_install PACKAGE... : only what is missing; the package lists are fetched once, and again
# before a second try, because old lists name files that are gone.
apt_install() {
    local package missing=()
    command -v apt-get >/dev/null || die "no apt-get here: install what gives $* by hand, then run this again"
    for package in "$@"; do
        package_is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    as_root true # asks for a password here, where it can be typed
    step "Installing ${missing[*]} from the machine's own package source"
    with_lock apt apt_install_now "${missing[@]}" || die "could not install ${missing[*]}: see the lines above, then try: apt-get update && apt-get install ${missing[*]}"
}

apt_install_now() {
    local -a install=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600
        install -y --no-install-recommends "$@")
    if [[ -z "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ]]; then
        quietly apt-update as_root apt-get update || true
    fi
    quietly "apt-install-$1" "${install[@]}" && return 0
    note "trying once more with fresh package lists"
    quietly apt-update as_root apt-get update || true
    quietly "apt-install-$1" "${install[@]}"
}

# with_lock NAME COMMAND... : one at a time on this machine. COMMAND is not called behind `||`, which
# would switch errexit off inside it.
with_lock() {
    local name="$1" fd status
    shift
    mkdir -p "$CACHE_DIR/locks"
    exec {fd}>"$CACHE_DIR/locks/$name"
    flock "$fd"
    "$@"
    status=$?
    exec {fd}>&-
    return "$status"
}
