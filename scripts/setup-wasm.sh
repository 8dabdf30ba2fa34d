#!/usr/bin/env bash
# What builds the page: Rust's WASM target, Trunk and wasm-bindgen. The tools go into the cache folder, in the
# one version that the project is built with; nothing of the user's is replaced.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-rust.sh"

TRUNK_VERSION=0.21.14
# The same as wasm-bindgen in Cargo.toml: the tool and the library must agree to the last digit.
WASM_BINDGEN_VERSION="$(sed -n 's/^wasm-bindgen = "=\(.*\)"$/\1/p' "$PROJECT_DIR/Cargo.toml")"

setup_target() {
    if rust_has_wasm || debian_has_wasm; then return 0; fi
    if command -v rustup >/dev/null; then
        step "Adding Rust's target $WASM_TARGET"
        quietly rustup-target rustup target add "$WASM_TARGET" || true
        ! rust_has_wasm || return 0
        note "rustup could not add it; taking Debian's compiler for the page instead"
    fi
    apt_install rustc-web cargo-web rust-web-src lld-22
    debian_has_wasm || die "no compiler for $WASM_TARGET. Remedy: rustup target add $WASM_TARGET"
}

has_version() {
    [[ -x "$TOOLS_DIR/bin/$1" && "$("$TOOLS_DIR/bin/$1" --version 2>/dev/null)" == "$1 $2" ]]
}

# setup_tool CRATE PROGRAM VERSION ABOUT [FLAG...]
setup_tool() {
    local crate="$1" program="$2" version="$3" about="$4"
    shift 4
    ! has_version "$program" "$version" || return 0
    step "Building $crate $version ($about on two cores, once)"
    quietly "$crate" cargo install "$crate" --version "$version" --root "$TOOLS_DIR" "$@"
    has_version "$program" "$version" || die "$crate $version was installed but $TOOLS_DIR/bin/$program does not say so"
}

setup_tools() {
    setup_tool trunk trunk "$TRUNK_VERSION" "about 5 minutes" --locked
    setup_tool wasm-bindgen-cli wasm-bindgen "$WASM_BINDGEN_VERSION" "about 2 minutes"
}

need_rust
setup_target
with_lock tools setup_tools
note "page tools: trunk $TRUNK_VERSION, wasm-bindgen $WASM_BINDGEN_VERSION"
