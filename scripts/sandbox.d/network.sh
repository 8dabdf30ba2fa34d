# shellcheck shell=bash
# Servers in networks of their own, so that one can be cut off as a pulled cable does: packets vanish, nobody is told.
#
# A sandbox has one bridge on this machine, with the first address of a network of its own; each server has a network
# namespace, joined to the bridge. Names are made from ports, which no two sandboxes share.

# network_of PORT... -> "10.x.y", by the sandbox's first server.
network_of() {
    local first
    first="$(cat "$DIR/network" 2>/dev/null)" || first="${PORTS[0]}"
    printf '10.%d.%d' $((160 + (first - 22000) / 200)) $(((first - 22000) % 200))
}

# address_of PORT -> its address; servers that are not apart share this machine's.
address_of() { cat "$DIR/$1/address" 2>/dev/null || printf '127.0.0.1\n'; }

bridge_name() { printf 'orcb%s' "$(cat "$DIR/network")"; }

is_apart() { [[ -f "$DIR/$1/address" ]]; }

# can_cut : tries it.
can_cut() {
    local name="orctry$$" said
    command -v ip >/dev/null || die "there is no ip program (package iproute2), so servers cannot have networks of their own"
    [[ "$(id -u)" == 0 ]] || die "networks of their own for servers need root"
    if ! said="$(ip netns add "$name" 2>&1 && ip netns exec "$name" true 2>&1 && ip link add "$name" type bridge 2>&1)"; then
        ip netns del "$name" 2>/dev/null || true
        die "this machine gives no right to make network namespaces: ${said:-no reason given}"
    fi
    ip link del "$name"
    ip netns del "$name"
}

# join_network PORT : idempotent; addresses count from 10 up in the order of the ports.
join_network() {
    local port="$1" address index=0 other
    is_apart "$port" && return 0
    for other in "${PORTS[@]}"; do
        [[ "$other" != "$port" ]] || break
        index=$((index + 1))
    done
    address="$(network_of).$((10 + index))"
    ip netns add "orc$port"
    ip link add "orcv$port" type veth peer name eth0 netns "orc$port"
    ip link set "orcv$port" master "$(bridge_name)" up
    ip -n "orc$port" link set lo up
    ip -n "orc$port" link set eth0 up
    ip -n "orc$port" address add "$address/24" dev eth0
    printf '%s\n' "$address" >"$DIR/$port/address"
}

make_bridge() {
    [[ ! -f "$DIR/network" ]] || return 0
    printf '%s\n' "${PORTS[0]}" >"$DIR/network"
    ip link add "$(bridge_name)" type bridge
    ip address add "$(network_of).1/24" dev "$(bridge_name)"
    ip link set "$(bridge_name)" up
}

# cut_off PORT : from $FROM. A route into nothing on either side would be enough; both are set, so that a packet under way is lost as well.
cut_off() {
    local port="$1" far
    is_apart "$port" || die "server $port was not started with --apart, so it cannot be cut off"
    case "$FROM" in
    all) ip link set "orcv$port" down ;;
    observer) ip -n "orc$port" route add blackhole "$(network_of).1/32" ;;
    *)
        is_port --from "$FROM"
        is_apart "$FROM" || die "there is no server $FROM with a network of its own in $DIR"
        far="$(address_of "$FROM")"
        ip -n "orc$port" route add blackhole "$far/32"
        ip -n "orc$FROM" route add blackhole "$(address_of "$port")/32"
        ;;
    esac
}

mend() {
    local port="$1" other
    is_apart "$port" || die "server $port was not started with --apart"
    ip link set "orcv$port" up
    ip -n "orc$port" route flush type blackhole
    for other in $(existing_ports); do
        ip -n "orc$other" route del blackhole "$(address_of "$port")/32" 2>/dev/null || true
    done
}

# leave_network PORT : removing the namespace removes its end of the link, and that the other end.
leave_network() {
    is_apart "$1" || return 0
    ip netns del "orc$1" 2>/dev/null || true
    ip link del "orcv$1" 2>/dev/null || true
}

remove_bridge() {
    [[ -f "$DIR/network" ]] || return 0
    ip link del "$(bridge_name)" 2>/dev/null || true
    rm -f "$DIR/network"
}
