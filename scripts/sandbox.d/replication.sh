# shellcheck shell=bash
# Statements to the servers, replication between them, semi-synchronous replication.

# run_client PORT [CLIENT OPTION...] : as root through the socket, which is named from the data folder.
run_client() {
    local port="$1" flavor client
    shift
    flavor="$(flavor_of "$port")"
    client="$(client_program "$flavor")"
    cd "$DIR/$port/data" || return
    exec "$client" --no-defaults --user=root --socket=mysqld.sock "$@"
}

# query PORT STATEMENT : rows tab-separated, without headings.
query() { (run_client "$1" --batch --raw --skip-column-names --execute "$2"); }

# receiver_runs PORT COMMAND : what SHOW ... STATUS says of the receiving thread.
receiver_runs() {
    (run_client "$1" --vertical --execute "$2") | grep -qE '(Slave|Replica)_IO_Running: (Yes|Connecting)'
}

# A statement that ends in \G is shown as the clients do: one column a line, with its name.
run_sql() {
    local -a options=(--batch --raw)
    [[ -n "$STATEMENT" ]] || die "sql wants a statement, or - to read it from stdin"
    if [[ "$STATEMENT" == *'\G' ]]; then
        (run_client "$1" --vertical --execute "${STATEMENT%'\G'}")
        return
    fi
    ((HEADINGS)) || options+=(--skip-column-names)
    [[ "$STATEMENT" == - ]] || options+=(--execute "$STATEMENT")
    (run_client "$1" "${options[@]}")
}

replicate() {
    [[ -n "$SOURCE" ]] || die "replicate wants --source PORT"
    flavor_of "$SOURCE" >/dev/null
    each_port replicate_one
}

replicate_one() {
    local port="$1" flavor
    flavor="$(flavor_of "$port")"
    "point_$flavor" "$port"
    # A replica is read-only after a restart too, as on any well-kept machine.
    remember_option "$port" read_only=ON
    [[ "$flavor" != mysql ]] || remember_option "$port" super_read_only=ON
}

point_mariadb() {
    query "$1" "STOP SLAVE; CHANGE MASTER TO MASTER_HOST='$(address_of "$SOURCE")', MASTER_PORT=$SOURCE, MASTER_USER='repl',
        MASTER_PASSWORD='repl_password', MASTER_USE_GTID=slave_pos, MASTER_HEARTBEAT_PERIOD=2, MASTER_CONNECT_RETRY=1;
        SET GLOBAL read_only=ON;"
    ((NO_START)) || query "$1" 'START SLAVE'
}

point_mysql() {
    query "$1" "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='$(address_of "$SOURCE")', SOURCE_PORT=$SOURCE, SOURCE_USER='repl',
        SOURCE_PASSWORD='repl_password', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_HEARTBEAT_PERIOD=2,
        SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400; SET GLOBAL super_read_only=ON;"
    ((NO_START)) || query "$1" 'START REPLICA'
}

# source_of PORT -> the port of its source; nothing when it has none.
source_of() {
    local flavor
    flavor="$(flavor_of "$1")"
    case "$flavor" in
    mariadb) query "$1" 'SHOW SLAVE STATUS' | cut -f 4 ;;
    mysql) query "$1" 'SHOW REPLICA STATUS' | cut -f 4 ;;
    esac
}

semisync() {
    local port flavor
    [[ -n "$SOURCE" ]] || die "semisync wants --source PORT"
    flavor="$(flavor_of "$SOURCE")"
    if ((${#REPLICAS[@]} == 0)); then
        for port in $(existing_ports); do
            if server_pid "$port" >/dev/null && [[ "$(source_of "$port")" == "$SOURCE" ]]; then REPLICAS+=("$port"); fi
        done
        ((${#REPLICAS[@]})) || die "no server in $DIR replicates from $SOURCE"
    fi
    semisync_source "$flavor" "$SOURCE"
    for port in "${REPLICAS[@]}"; do
        semisync_replica "$flavor" "$port"
    done
    wait_for_semisync "$flavor"
}

# MySQL has two plugins, and every server gets both, since any may become the source; in MariaDB they are built in.
install_semisync() {
    local plugin
    [[ "$1" == mysql ]] || return 0
    for plugin in source replica; do
        [[ -z "$(query "$2" "SELECT 1 FROM information_schema.plugins WHERE plugin_name='rpl_semi_sync_$plugin'")" ]] || continue
        # Installing writes a table of the system, which super-read-only forbids.
        query "$2" "SET @was = @@GLOBAL.super_read_only; SET GLOBAL super_read_only=OFF;
            INSTALL PLUGIN rpl_semi_sync_$plugin SONAME 'semisync_$plugin.so'; SET GLOBAL super_read_only=@was;"
    done
}

# set_and_remember PORT NAME=VALUE... ; loose, since a plugin's variable is unknown until it is loaded.
set_and_remember() {
    local port="$1" setting
    shift
    for setting in "$@"; do
        query "$port" "SET GLOBAL ${setting%%=*}=${setting#*=}"
        remember_option "$port" "loose_$setting"
    done
}

semisync_source() {
    install_semisync "$1" "$2"
    case "$1" in
    mariadb) set_and_remember "$2" "rpl_semi_sync_master_timeout=$TIMEOUT_MS" \
        rpl_semi_sync_master_wait_point=AFTER_SYNC rpl_semi_sync_master_enabled=ON ;;
    mysql) set_and_remember "$2" "rpl_semi_sync_source_timeout=$TIMEOUT_MS" rpl_semi_sync_source_wait_for_replica_count=1 \
        rpl_semi_sync_source_wait_point=AFTER_SYNC rpl_semi_sync_source_enabled=ON ;;
    esac
}

# The receiver asks for it when it connects, so it is restarted; one that does not run is left so.
semisync_replica() {
    install_semisync "$1" "$2"
    case "$1" in
    mariadb)
        set_and_remember "$2" rpl_semi_sync_slave_enabled=ON
        ! receiver_runs "$2" 'SHOW SLAVE STATUS' ||
            query "$2" 'STOP SLAVE IO_THREAD; START SLAVE IO_THREAD'
        ;;
    mysql)
        set_and_remember "$2" rpl_semi_sync_replica_enabled=ON
        ! receiver_runs "$2" 'SHOW REPLICA STATUS' ||
            query "$2" 'STOP REPLICA IO_THREAD; START REPLICA IO_THREAD'
        ;;
    esac
}

wait_for_semisync() {
    local name=Rpl_semi_sync_master_clients began clients=0
    [[ "$1" != mysql ]] || name=Rpl_semi_sync_source_clients
    began="$(now_us)"
    while (($(now_us) - began < 15000000)); do
        clients="$(query "$SOURCE" "SHOW GLOBAL STATUS LIKE '$name'" | cut -f 2)"
        if ((clients >= ${#REPLICAS[@]})); then
            printf 'semi-sync on %s with %s replicas\n' "$SOURCE" "$clients"
            return 0
        fi
        nap 0.1
    done
    die "semi-sync on $SOURCE: only ${clients:-0} of ${#REPLICAS[@]} replicas asked for it within 15 s"
}
