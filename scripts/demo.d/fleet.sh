# shellcheck shell=bash
# The servers of the demo. ORDERS is a source, an intermediate source with two replicas, and two more replicas;
# USERS is a source with two replicas. Both are arrays of ports that the sourcing script sets, as FLEET_DIR is.

FLAVOR="${DEMO_FLAVOR:-mariadb}"

sandbox() {
    local command="$1"
    shift
    "$PROJECT_DIR/scripts/sandbox" "$command" --dir "$FLEET_DIR/servers" "$@"
}

# ports PORT... -> --port PORT ...
ports() { printf -- '--port\n%s\n' "$@"; }

start_fleet() {
    local -a all
    mapfile -t all < <(ports "${ORDERS[@]}" "${USERS[@]}")
    [[ ! -d "$FLEET_DIR/servers" ]] || sandbox destroy # left behind by one that was killed
    step "Starting nine $FLAVOR servers on 127.0.0.1"
    sandbox start --flavor "$FLAVOR" --owner "$$" "${all[@]}" | sed 's/^/    /' >&2
    describe_cluster "${ORDERS[0]}" orders 1
    describe_cluster "${USERS[0]}" users 0
    # To end an applier that waits for the rest of a transaction (docs/RECOVERY.md, "A dead source").
    if [[ "$FLAVOR" == mysql ]]; then
        sandbox sql --port "${ORDERS[0]}" "GRANT SYSTEM_USER ON *.* TO 'orchestrator'@'%'"
        sandbox sql --port "${USERS[0]}" "GRANT SYSTEM_USER ON *.* TO 'orchestrator'@'%'"
    fi
    sandbox replicate --source "${ORDERS[0]}" --port "${ORDERS[1]}" --port "${ORDERS[4]}" --port "${ORDERS[5]}"
    sandbox replicate --source "${ORDERS[1]}" --port "${ORDERS[2]}" --port "${ORDERS[3]}"
    sandbox replicate --source "${USERS[0]}" --port "${USERS[1]}" --port "${USERS[2]}"
    sandbox semisync --source "${ORDERS[0]}" | sed 's/^/    /' >&2
}

# What the orchestrator asks a server about its cluster (DetectClusterAliasQuery, DetectSemiSyncEnforcedQuery).
describe_cluster() {
    sandbox sql --port "$1" "CREATE DATABASE meta;
        CREATE TABLE meta.cluster (anchor TINYINT NOT NULL PRIMARY KEY, cluster_name VARCHAR(64) NOT NULL, semi_sync TINYINT NOT NULL);
        INSERT INTO meta.cluster VALUES (1, '$2', $3);"
}

# Each load goes to whichever server of its cluster takes writes.
start_loads() {
    local -a orders users
    mapfile -t orders < <(ports "${ORDERS[@]}")
    mapfile -t users < <(ports "${USERS[@]}")
    sandbox load --out "$FLEET_DIR/orders.ids" --interval-ms 50 --seconds 86400 "${orders[@]}" >/dev/null
    sandbox load --out "$FLEET_DIR/users.ids" --interval-ms 200 --seconds 86400 "${users[@]}" >/dev/null
}
