# shellcheck shell=bash
# One initialised data folder per flavour, made once and copied for each server: a copy takes a
# fraction of the time that initialising takes. It has the accounts, and no transaction in its history.

# What every server has. The topology user may do what the manager must be able to do, and no more.
template_sql() {
    cat <<'EOT'
CREATE USER 'orchestrator'@'%' IDENTIFIED BY 'orch_topology_password';
CREATE USER 'repl'@'%' IDENTIFIED BY 'repl_password';
CREATE USER 'app'@'%' IDENTIFIED BY 'app_password';
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root_password';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%';
GRANT PROCESS, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'orchestrator'@'%';
GRANT SELECT ON meta.* TO 'orchestrator'@'%';
CREATE DATABASE app;
CREATE TABLE app.writes (id BIGINT NOT NULL PRIMARY KEY, origin INT UNSIGNED NOT NULL, at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB;
GRANT ALL ON app.* TO 'app'@'%';
EOT
    case "$1" in
    mariadb) cat <<'EOT'; ;;
GRANT SUPER, BINLOG MONITOR, BINLOG ADMIN, REPLICA MONITOR, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, CONNECTION ADMIN, READ_ONLY ADMIN ON *.* TO 'orchestrator'@'%';
GRANT SELECT ON mysql.gtid_slave_pos TO 'orchestrator'@'%';
EOT
    mysql) cat <<'EOT'; ;;
GRANT REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, PERSIST_RO_VARIABLES_ADMIN, BINLOG_ADMIN, CONNECTION_ADMIN, SERVICE_CONNECTION_ADMIN, GROUP_REPLICATION_ADMIN ON *.* TO 'orchestrator'@'%';
GRANT SELECT ON mysql.slave_master_info TO 'orchestrator'@'%';
GRANT SELECT ON performance_schema.* TO 'orchestrator'@'%';
EOT
    esac
}

# template_folder FLAVOR -> path; made when absent. A change of the version, the accounts or the options
# is another template.
template_folder() {
    local flavor="$1" version recipe folder
    ensure_server_programs "$flavor"
    version="$(server_version "$flavor")"
    recipe="$({ template_sql "$flavor"; common_options; flavor_options "$flavor"; } | sha256sum)"
    folder="$CACHE_DIR/templates/$flavor-$version-${recipe:0:12}"
    [[ -d "$folder" ]] || with_lock "template-$flavor" make_template "$flavor" "$folder" >&2
    printf '%s\n' "$folder"
}

ensure_server_programs() {
    if ! { server_program "$1" && client_program "$1"; } >/dev/null; then
        "$here/setup-servers.sh" "$1" >&2
    fi
}

make_template() {
    local flavor="$1" folder="$2" work="$2.new"
    [[ ! -d "$folder" ]] || return 0 # made by another process while this one waited
    step "Initialising a $flavor data folder (once)"
    rm -rf "$work"
    mkdir -p "$work/data"
    {
        printf '[mysqld]\n'
        printf '%s\n' "datadir=$work/data" 'bind-address=127.0.0.1' 'skip-log-bin'
        server_home_options "$flavor"
        common_options
        flavor_options "$flavor"
    } >"$work/my.cnf"
    template_sql "$flavor" >"$work/accounts.sql"
    quietly "template-$flavor" "initialise_$flavor" "$work"
    # Its identity is the one thing that no two servers may share.
    rm -f "$work/data/auto.cnf"
    mv "$work/data" "$folder"
    rm -rf "$work"
}

initialise_mariadb() {
    mariadb-install-db --defaults-file="$1/my.cnf" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve
    { printf 'FLUSH PRIVILEGES;\n' && cat "$1/accounts.sql"; } | "$(server_program mariadb)" --defaults-file="$1/my.cnf" --bootstrap
}

initialise_mysql() {
    "$(server_program mysql)" --defaults-file="$1/my.cnf" --initialize-insecure --init-file="$1/accounts.sql"
}
