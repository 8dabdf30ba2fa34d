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

# Completions and manual pages, laid out as below /usr/local/share.
write_share() {
    local share="target/$profile/share" program
    mkdir -p "$share"/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d,man/man8}
    for program in orchestrator orchestrator-client; do
        ask_program "$program" completions bash >"$share/bash-completion/completions/$program"
        ask_program "$program" completions zsh >"$share/zsh/site-functions/_$program"
        ask_program "$program" completions fish >"$share/fish/vendor_completions.d/$program.fish"
        ask_program "$program" man-page >"$share/man/man8/$program.8"
    done
    note "built: $share (completions, manual pages)"
}

# ask_program PROGRAM COMMAND [WORD]; whatever configuration this machine has is left alone.
ask_program() {
    local program="$1"
    shift
    if [[ "$program" == orchestrator ]]; then
        "target/$profile/$program" -config <(echo '{}') -c "$@"
    else
        "target/$profile/$program" -c "$@"
    fi
}

cd "$PROJECT_DIR"
need_rust
build_page
if ! ((page_only)); then
    build_server
    write_share
fi
