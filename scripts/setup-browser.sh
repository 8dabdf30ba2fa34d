#!/usr/bin/env bash
# What drives the page in tests: Debian's Chromium (no tool may download its own), Node, and the packages of end2end/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

setup_chromium() {
    command -v chromium >/dev/null || apt_install chromium fonts-dejavu-core
    note "$(chromium --version 2>/dev/null | head -n 1)"
}

setup_node() {
    local version
    command -v node >/dev/null || apt_install nodejs
    command -v npm >/dev/null || apt_install npm
    version="$(node --version)"
    version="${version#v}"
    ((${version%%.*} >= 18)) || die "Node $version is too old, 18 or newer is needed: remove it, or put a newer one first on PATH"
    note "Node $version"
}

# The stamp is what was asked for; the folder alone may be from another day.
setup_packages() {
    local end2end="$PROJECT_DIR/end2end" wanted
    [[ -f "$end2end/package.json" ]] || return 0
    cd "$end2end"
    wanted="$(cat package.json package-lock.json 2>/dev/null | sha256sum)"
    [[ "$(cat node_modules/.wanted 2>/dev/null)" != "$wanted" ]] || return 0
    step "Installing the packages of end2end/"
    export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
    if [[ -f package-lock.json ]]; then
        quietly npm-ci npm ci --no-audit --no-fund
    else
        quietly npm-install npm install --no-audit --no-fund --no-package-lock
    fi
    printf '%s\n' "$wanted" >node_modules/.wanted
}

setup_chromium
setup_node
setup_packages
