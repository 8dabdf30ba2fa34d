#!/usr/bin/env bash
# The service with the page inside, and the client beside it: scripts/build.sh [--debug|--release] [--page-only]
# The page is built again only when what it is made of has changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

profile=debug page_only=0
for argument; do
    case "$argument" in
    --debug) profile=debug ;;
    --release) profile=release ;;
    --page-only) page_only=1 ;;
    *) die "usage: scripts/build.sh [--debug|--release] [--page-only]" ;;
    esac
done

page_inputs() {
    find .cargo app frontend style Cargo.toml Cargo.lock Trunk.toml -type f -not -path 'frontend/dist/*' -print0 |
        sort -z | xargs -0 sha256sum | sha256sum
}

build_page() {
    local inputs
    inputs="$(page_inputs)"
    if [[ -f frontend/dist/index.html && "$(cat target/page-inputs 2>/dev/null)" == "$inputs" ]]; then
        note "page: unchanged"
        return 0
    fi
    "$PROJECT_DIR/scripts/setup-wasm.sh"
    step "Building the page (about a minute from nothing)"
    rm -f target/page-inputs
    # Trunk builds without the network, so the crates are fetched first; those of Rust's own library too, where it
    # is built along, and they are fetched only for a target that is named.
    quietly cargo-fetch with_wasm cargo fetch --locked
    quietly cargo-fetch-page with_wasm cargo fetch --locked --target "$WASM_TARGET"
    # Trunk wants a boolean where NO_COLOR by custom may be anything.
    quietly trunk-build with_wasm env -u NO_COLOR -u RUST_BACKTRACE trunk build
    mkdir -p target
    printf '%s\n' "$inputs" >target/page-inputs
}

build_server() {
    local -a arguments=(build --locked --package orchestrator)
    [[ "$profile" == debug ]] || arguments+=(--release)
    step "Building the server ($profile)"
    cargo "${arguments[@]}"
    note "built: target/$profile/orchestrator, target/$profile/orchestrator-client"
}

cd "$PROJECT_DIR"
need_rust
build_page
((page_only)) || build_server
