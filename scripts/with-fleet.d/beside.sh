# shellcheck shell=bash
# Further orchestrators that watch the same fleet, each set in another way, for what a browser is to see of that. They only
# watch: recovering and fencing are the first one's.

BESIDE_PIDS=()
BESIDE_PREFIX=/db/orchestrator
BESIDE_USER=viewer
BESIDE_PASSWORD=viewer_password

# beside_keys KIND -> the keys in which its configuration differs, each with a comma behind it.
beside_keys() {
    local seeds
    seeds="[\"127.0.0.1:${ORDERS[3]}\", \"127.0.0.1:${USERS[1]}\"]"
    printf '"DiscoverySeeds": %s, "FenceReturningSource": false,\n' "$seeds"
    case "$1" in
    prefix) printf '"URLPrefix": "%s",\n' "$BESIDE_PREFIX" ;;
    viewer)
        printf '"ReadOnly": true, "AuthenticationMethod": "basic", "HTTPAuthUser": "%s", "HTTPAuthPassword": "%s",\n' \
            "$BESIDE_USER" "$BESIDE_PASSWORD"
        ;;
    logins) printf '"AuthenticationMethod": "local",\n' ;;
    *) die "no orchestrator of kind '$1'; there are: prefix viewer logins" ;;
    esac
}

# start_beside KIND PORT
start_beside() {
    local kind="$1" port="$2" base="$FLEET_DIR/$1" keys began
    keys="$(beside_keys "$kind")"
    sed -e "s|\"ListenAddress\": .*|\"ListenAddress\": \"127.0.0.1:$port\",|" \
        -e "s|\"SQLite3DataFile\": .*|\"SQLite3DataFile\": \"$base.sqlite3\",|" \
        -e 's|"Recover\([A-Za-z]*\)ClusterFilters": \[[^]]*\]|"Recover\1ClusterFilters": []|' \
        -e "1s|{|{ ${keys//$'\n'/ }|" "$FLEET_DIR/orchestrator.conf.json" >"$base.conf.json"
    "$PROJECT_DIR/target/$PROFILE/orchestrator" -config "$base.conf.json" http </dev/null >"$ORCHESTRATOR_LOG.$kind" 2>&1 &
    BESIDE_PIDS+=($!)
    began="$(now_us)"
    until port_is_in_use "$port"; do
        if ! kill -0 "${BESIDE_PIDS[-1]}" 2>/dev/null || (($(now_us) - began > 30000000)); then
            tail -n 20 "$ORCHESTRATOR_LOG.$kind" >&2
            die "the orchestrator of kind $kind does not listen; its log is $ORCHESTRATOR_LOG.$kind"
        fi
        nap 0.1
    done
}

stop_beside() {
    local pid
    for pid in "${BESIDE_PIDS[@]}"; do
        kill -s TERM "$pid" 2>/dev/null || true
    done
    for pid in "${BESIDE_PIDS[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    BESIDE_PIDS=()
}
