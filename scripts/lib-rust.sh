# shellcheck shell=bash
# Rust for this machine and for WASM. Sourced after lib.sh.

WASM_TARGET=wasm32-unknown-unknown
TOOLS_DIR="$CACHE_DIR/tools"

# need_rust : cargo of a version that will do, and the C compiler that some crates want.
need_rust() {
    local wanted have
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    wanted="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$PROJECT_DIR/Cargo.toml")"
    command -v cargo >/dev/null || die "there is no Rust: install Rust $wanted or newer by rustup, then run this again"
    have="$(rustc --version | cut -d ' ' -f 2)"
    [[ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" == "$wanted" ]] ||
        die "Rust $have is too old, $wanted or newer is needed. Remedy: rustup update stable"
    command -v cc >/dev/null || apt_install gcc libc6-dev
}

rust_has_wasm() {
    [[ -d "$(rustc --print target-libdir --target "$WASM_TARGET" 2>/dev/null)" ]]
}

# Debian's own compiler with the source of its library: the way where rustup cannot add a target.
debian_has_wasm() {
    [[ -x /usr/bin/cargo && -n "$(debian_wasm_linker)" ]] && package_is_installed rustc-web && package_is_installed rust-web-src
}

debian_wasm_linker() { find /usr/lib -maxdepth 3 -path '*/llvm-*/bin/wasm-ld' 2>/dev/null | sort -V | tail -n 1; }

# with_wasm COMMAND... : COMMAND with a compiler that can make WASM and with the page's tools.
with_wasm() {
    if rust_has_wasm; then
        PATH="$TOOLS_DIR/bin:$PATH" "$@"
    else
        # A library built along, hence a target folder of its own.
        env PATH="$TOOLS_DIR/bin:/usr/bin:$PATH" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
            CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_TARGET_DIR="$PROJECT_DIR/target/debian-wasm" \
            CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$(debian_wasm_linker)" "$@"
    fi
}
