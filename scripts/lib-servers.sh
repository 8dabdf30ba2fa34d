# shellcheck shell=bash
# Where the database servers of each flavour are. Sourced after lib.sh.

MYSQL_HOME="$CACHE_DIR/mysql-sid"

is_real_mysql() {
    local version
    command -v mysqld >/dev/null && command -v mysql >/dev/null || return 1
    version="$(mysqld --version 2>/dev/null)" || return 1
    [[ "$version" != *MariaDB* && "$version" =~ Ver\ ([0-9]+)\. && "${BASH_REMATCH[1]}" -ge 8 ]]
}

# server_program FLAVOR -> path; fails when it is not installed.
server_program() {
    case "$1" in
    mariadb) command -v mariadbd ;;
    mysql) if is_real_mysql; then command -v mysqld; else mysql_home_program mysqld; fi ;;
    *) die "unknown flavor '$1': mariadb or mysql" ;;
    esac
}

# client_program FLAVOR -> path; fails when it is not installed.
client_program() {
    case "$1" in
    mariadb) command -v mariadb ;;
    mysql) if is_real_mysql; then command -v mysql; else mysql_home_program mysql; fi ;;
    *) die "unknown flavor '$1': mariadb or mysql" ;;
    esac
}

mysql_home_program() {
    [[ -x "$MYSQL_HOME/bin/$1" ]] && printf '%s\n' "$MYSQL_HOME/bin/$1"
}

# Options that tell the unpacked MySQL where its own files are; nothing for an installed one.
server_home_options() {
    if [[ "$1" == mysql ]] && ! is_real_mysql; then
        printf '%s\n' "basedir=$MYSQL_HOME/root/usr" \
            "lc-messages-dir=$MYSQL_HOME/root/usr/share/mysql" \
            "character-sets-dir=$MYSQL_HOME/root/usr/share/mysql/charsets" \
            "plugin-dir=$MYSQL_HOME/root/usr/lib/mysql/plugin"
    fi
}

# server_version FLAVOR -> "10.11.19"
server_version() {
    local version
    version="$("$(server_program "$1")" --version)"
    [[ "$version" =~ Ver\ ([0-9]+\.[0-9]+\.[0-9]+) ]] || die "cannot read the version in: $version"
    printf '%s\n' "${BASH_REMATCH[1]}"
}
