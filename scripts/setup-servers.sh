#!/usr/bin/env bash
# The servers to try things on: scripts/setup-servers.sh mariadb|mysql|zookeeper|proxies|all
# Where a proxy is: scripts/setup-servers.sh which nginx|apache2
# Costs nothing when they are there. Starts no service and touches no data of the machine's own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib-servers.sh"

# The core packages hold the programs without the service, so that no server of the system's starts.
setup_mariadb() {
    if ! { command -v mariadbd && command -v mariadb && command -v mariadb-install-db; } >/dev/null; then
        apt_install mariadb-server-core mariadb-client-core
    fi
    note "MariaDB $(server_version mariadb)"
}

setup_mysql() {
    if ! { server_program mysql && client_program mysql; } >/dev/null; then
        with_lock mysql-home unpack_mysql
    fi
    note "MySQL $(server_version mysql)"
}

# Programs without the service: that is the package zookeeperd.
setup_zookeeper() {
    if ! { package_is_installed zookeeper && command -v java; } >/dev/null; then
        apt_install zookeeper default-jre-headless
    fi
    [[ -x /usr/share/zookeeper/bin/zkServer.sh ]] || die "the package zookeeper has no /usr/share/zookeeper/bin/zkServer.sh"
    note "ZooKeeper $(dpkg-query -W -f '${Version}' zookeeper)"
}

# The machine's own mirror, whatever it is; MySQL is only in its unstable suite.
debian_mirror() {
    apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u | head -n 1
}

# A private apt, with its own lists and its own empty list of installed packages, fetches MySQL and all
# that it stands on; unpacked beside the system, and run through the loader that comes with it.
# Needs neither root nor a chroot, and nothing of the system is replaced.
unpack_mysql() {
    server_program mysql >/dev/null && return 0 # another process made it while this one waited
    local mirror work="$MYSQL_HOME.new"
    command -v apt-get >/dev/null || die "no MySQL 8.0 or newer on PATH and no apt-get to fetch it: install mysqld and mysql by hand"
    mirror="$(debian_mirror)"
    if [[ -z "$mirror" ]]; then
        quietly apt-update as_root apt-get update || true
        mirror="$(debian_mirror)"
    fi
    [[ -n "$mirror" ]] || die "apt knows no Debian mirror: install mysqld and mysql (8.0 or newer) by hand, or mend /etc/apt"
    step "Fetching MySQL from the unstable suite of the machine's Debian mirror (65 MB, once)"
    rm -rf "$work"
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/root" "$work/bin"
    : >"$work/apt/status"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s sid main\n' "$mirror" >"$work/apt/sources.list"
    local -a apt=(apt-get -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State=$work/apt" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt"
        -o Acquire::Languages=none -o APT::Install-Recommends=false -o APT::Sandbox::User=)
    quietly mysql-lists "${apt[@]}" update
    quietly mysql-packages "${apt[@]}" -y --download-only install mysql-server-core mysql-client-core
    quietly mysql-unpack unpack_packages "$work"
    write_wrappers "$work"
    rm -rf "$work/apt" "$MYSQL_HOME"
    mv "$work" "$MYSQL_HOME"
    "$MYSQL_HOME/bin/mysqld" --version >/dev/null || die "the unpacked MySQL does not run: remove $MYSQL_HOME and try again"
}

unpack_packages() {
    local package
    for package in "$1"/apt/archives/*.deb; do
        dpkg-deb -x "$package" "$1/root"
    done
    rm -rf "$1"/root/usr/share/{doc,man,locale,lintian,i18n}
}

# The system's C library is too old for these programs, so each is started by its own loader.
write_wrappers() {
    local name path
    for name in sbin/mysqld bin/mysql; do
        path="$1/bin/${name#*/}"
        cat >"$path" <<'WRAPPER'
#!/bin/sh
home="$(dirname "$(dirname "$(readlink -f "$0")")")/root"
libraries="$home/usr/lib/$(uname -m)-linux-gnu:$home/usr/lib/mysql/private"
loader="$(ls "$home"/usr/lib/*-linux-gnu/ld-linux-*.so.* | head -n 1)"
WRAPPER
        printf 'exec "$loader" --library-path "$libraries" "$home/usr/%s" "$@"\n' "$name" >>"$path"
        chmod +x "$path"
    done
}

# Proxies to stand in front. Neither is started: Apache's package of programs has no service, and nginx is unpacked beside the
# system, because its own package would start one.
setup_proxies() {
    proxy_program apache2 >/dev/null || apt_install apache2-bin
    proxy_program nginx >/dev/null || with_lock nginx-home unpack_nginx
    # What the tests make certificates with, and ask with them.
    local tool
    for tool in openssl curl; do
        command -v "$tool" >/dev/null || apt_install "$tool"
    done
    note "$(proxy_version nginx), $(proxy_version apache2)"
}

# proxy_program NAME -> path; fails when it is not there.
proxy_program() {
    local path
    for path in "/usr/sbin/$1" "$CACHE_DIR/proxies/usr/sbin/$1"; do
        [[ -x "$path" ]] && printf '%s\n' "$path" && return 0
    done
    return 1
}

proxy_version() {
    local version
    version="$("$(proxy_program "$1")" -v 2>&1)"
    [[ "$version" =~ (nginx|Apache)/([0-9.]+) ]] || die "cannot read the version in: $version"
    printf '%s\n' "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
}

unpack_nginx() {
    local work="$CACHE_DIR/proxies.new"
    command -v apt-get >/dev/null || die "no nginx in /usr/sbin and no apt-get to fetch it: install it by hand"
    step "Fetching nginx from the machine's own package source"
    rm -rf "$work"
    mkdir -p "$work"
    if ! (cd "$work" && quietly nginx-download apt-get download nginx); then
        quietly apt-update as_root apt-get update || true
        (cd "$work" && quietly nginx-download apt-get download nginx)
    fi
    dpkg-deb -x "$work"/nginx_*.deb "$work"
    rm -rf "$work"/nginx_*.deb "$CACHE_DIR/proxies"
    mv "$work" "$CACHE_DIR/proxies"
    "$CACHE_DIR/proxies/usr/sbin/nginx" -v 2>/dev/null || die "the unpacked nginx does not run: install the package nginx by hand"
}

case "${1:-}" in
mariadb) setup_mariadb ;;
mysql) setup_mysql ;;
zookeeper) setup_zookeeper ;;
proxies) setup_proxies ;;
which) proxy_program "${2:?which of nginx and apache2}" ;;
all)
    setup_mariadb
    setup_mysql
    setup_zookeeper
    setup_proxies
    ;;
*) die "usage: scripts/setup-servers.sh mariadb|mysql|zookeeper|proxies|all, or which nginx|apache2" ;;
esac
