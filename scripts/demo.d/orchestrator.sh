# shellcheck shell=bash
# The orchestrator that watches the fleet: its configuration, its process, and questions to it over HTTP.

ORCHESTRATOR_PID=''
ORCHESTRATOR_LOG="$FLEET_DIR/orchestrator.log"

# Host names stay as given, since every server is 127.0.0.1; replicas are found by what they report to their
# source. The short block period lets one demo see more than one failover.
write_configuration() {
    cat >"$FLEET_DIR/orchestrator.conf.json" <<EOT
{
  "ListenAddress": "127.0.0.1:$WEB_PORT",
  "BackendDB": "sqlite",
  "SQLite3DataFile": "$FLEET_DIR/orchestrator.sqlite3",
  "MySQLTopologyUser": "orchestrator",
  "MySQLTopologyPassword": "orch_topology_password",
  "HostnameResolveMethod": "none",
  "MySQLHostnameResolveMethod": "@@report_host",
  "DiscoverByShowSlaveHosts": true,
  "DetectClusterAliasQuery": "SELECT cluster_name FROM meta.cluster WHERE anchor = 1",
  "DetectSemiSyncEnforcedQuery": "SELECT semi_sync FROM meta.cluster WHERE anchor = 1",
  "UseSuperReadOnly": true,
  "AuditToBackendDB": true,
  "RecoveryPeriodBlockSeconds": 30,
  "RecoverMasterClusterFilters": ["*"],
  "RecoverIntermediateMasterClusterFilters": ["*"]
}
EOT
}

# http_get PATH -> body. By bash alone: the machine may have no curl.
http_get() {
    local connection status
    exec {connection}<>"/dev/tcp/127.0.0.1/$WEB_PORT" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$1" "$WEB_PORT" >&"$connection"
    timeout 10 sed '1,/^\r*$/d' <&"$connection"
    status=$?
    exec {connection}>&-
    return "$status"
} 2>/dev/null

orchestrator_runs() { [[ -n "$ORCHESTRATOR_PID" ]] && kill -0 "$ORCHESTRATOR_PID" 2>/dev/null; }

start_orchestrator() {
    local began
    step "Starting the orchestrator"
    write_configuration
    "$PROJECT_DIR/target/$PROFILE/orchestrator" -config "$FLEET_DIR/orchestrator.conf.json" http \
        </dev/null >"$ORCHESTRATOR_LOG" 2>&1 &
    ORCHESTRATOR_PID=$!
    began="$(now_us)"
    until port_is_in_use "$WEB_PORT"; do
        orchestrator_runs || orchestrator_ended
        (($(now_us) - began < 30000000)) || die "the orchestrator does not listen after 30 s; its log is $ORCHESTRATOR_LOG"
        nap 0.1
    done
}

orchestrator_ended() {
    tail -n 20 "$ORCHESTRATOR_LOG" >&2
    ORCHESTRATOR_PID=''
    die "the orchestrator ended; its log is $ORCHESTRATOR_LOG"
}

# discover_from PORT CLUSTER : one server is named, the rest is found by crawling.
discover_from() {
    local began
    http_get "/api/discover/127.0.0.1/$1" >/dev/null || note "the orchestrator did not take the request to discover 127.0.0.1:$1"
    began="$(now_us)"
    until http_get /api/clusters-info | grep -q "\"ClusterAlias\" *: *\"$2\""; do
        orchestrator_runs || orchestrator_ended
        if (($(now_us) - began > 20000000)); then
            note "cluster $2 is not known after 20 s; look at the log"
            return 0
        fi
        nap 0.2
    done
    note "cluster $2: known $(seconds_since "$began") s after its replica 127.0.0.1:$1 was named"
}

watch_orchestrator() {
    wait "$ORCHESTRATOR_PID" || true
    orchestrator_ended
}

stop_orchestrator() {
    local began
    orchestrator_runs || return 0
    kill -s TERM "$ORCHESTRATOR_PID"
    began="$(now_us)"
    while orchestrator_runs; do
        (($(now_us) - began < 10000000)) || kill -s KILL "$ORCHESTRATOR_PID"
        nap 0.05
    done
    ORCHESTRATOR_PID=''
}
