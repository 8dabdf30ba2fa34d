# shellcheck shell=bash
# The option file of one server: small, quick, and as a careful operator would set it up.

common_options() {
    cat <<EOT
user=$(id -un)
skip-name-resolve
secure-file-priv=
max-connections=100
table-open-cache=200
table-definition-cache=400
thread-cache-size=8
key-buffer-size=1M
innodb-buffer-pool-size=32M
innodb-log-buffer-size=1M
innodb-read-io-threads=2
innodb-write-io-threads=2
innodb-use-native-aio=0
EOT
}

flavor_options() {
    case "$1" in
    mariadb) printf '%s\n' 'innodb-log-file-size=16M' ;;
    # The performance schema is on, because heartbeats and the process list are read from it; its buffers are
    # small, because each costs memory whether used or not.
    mysql) printf '%s\n' 'innodb-redo-log-capacity=16M' 'mysqlx=OFF' 'host-cache-size=0' \
        'performance-schema=ON' 'performance-schema-digests-size=0' \
        'performance-schema-events-statements-history-long-size=0' \
        'performance-schema-events-stages-history-long-size=0' \
        'performance-schema-events-waits-history-long-size=0' \
        'performance-schema-events-transactions-history-long-size=0' \
        'performance-schema-session-connect-attrs-size=512' \
        'performance-schema-max-table-instances=500' 'performance-schema-max-table-handles=500' \
        'performance-schema-error-size=0' 'performance-schema-accounts-size=10' 'performance-schema-hosts-size=10' \
        'performance-schema-users-size=10' 'performance-schema-max-thread-instances=150' \
        'performance-schema-max-index-stat=200' 'performance-schema-max-table-lock-stat=200' ;;
    esac
}

# Flushing to the disk is left to the system: a killed process loses nothing by it, only a crashed machine.
replication_options() {
    cat <<EOT
log-bin=binlog
log-slave-updates=ON
relay-log=relay
sync-binlog=0
innodb-flush-log-at-trx-commit=2
EOT
    case "$1" in
    mariadb) printf '%s\n' 'binlog-format=ROW' 'slave-net-timeout=4' ;;
    mysql) printf '%s\n' 'replica-net-timeout=4' 'gtid-mode=ON' 'enforce-gtid-consistency=ON' ;;
    esac
}

# write_option_file FLAVOR PORT SERVER_ID FOLDER. The socket's path is relative to the data folder:
# a full one may be longer than a socket's name may be.
write_option_file() {
    {
        printf '[mysqld]\n'
        printf '%s\n' "port=$2" "server-id=$3" "bind-address=$(address_of "$2")" "report-host=$(address_of "$2")" \
            "report-port=$2" "datadir=$4/data" 'socket=mysqld.sock' 'pid-file=mysqld.pid'
        server_home_options "$1"
        common_options
        flavor_options "$1"
        replication_options "$1"
        ((${#OPTIONS[@]} == 0)) || printf '%s\n' "${OPTIONS[@]}"
    } | option_names "$1" >"$4/my.cnf"
}

# MySQL 8.4 and newer have dropped the old word.
option_names() {
    if [[ "$1" == mysql ]]; then sed 's/^log-slave-updates/log-replica-updates/'; else cat; fi
}

# remember_option PORT KEY=VALUE : also in force after a restart.
remember_option() {
    local file="$DIR/$1/my.cnf"
    grep -qxF "$2" "$file" || printf '%s\n' "$2" >>"$file"
}
