# shellcheck shell=bash
# Which ports are free. Read from the kernel's own tables, so that nobody's listener is disturbed.

port_is_in_use() {
    grep -qE "^ *[0-9]+: [0-9A-F]+:$(printf '%04X' "$1") [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# Below the range that the kernel takes for outgoing connections. A reservation is a file that is
# younger than ten minutes: time enough to start the server that will hold the port itself.
reserve_ports() {
    [[ -n "$COUNT" ]] || die "ports wants --count N"
    with_lock ports choose_ports
}

choose_ports() {
    local port found=0 start=$((22000 + RANDOM % 9000))
    mkdir -p "$CACHE_DIR/ports"
    find "$CACHE_DIR/ports" -type f -mmin +10 -delete
    for ((port = start; port < start + 1000 && found < COUNT; port++)); do
        if [[ -e "$CACHE_DIR/ports/$port" ]] || port_is_in_use "$port"; then continue; fi
        : >"$CACHE_DIR/ports/$port"
        printf '%s\n' "$port"
        found=$((found + 1))
    done
    ((found == COUNT)) || die "found only $found free ports of $COUNT"
}
