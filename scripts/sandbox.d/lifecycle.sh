# shellcheck shell=bash
# Making, starting, stopping, killing and removing servers.

existing_ports() {
    local folder
    for folder in "$DIR"/[0-9]*/; do
        [[ -f "$folder/flavor" ]] && basename "$folder"
    done
    return 0
}

flavor_of() {
    [[ -f "$DIR/$1/flavor" ]] || die "there is no server $1 in $DIR; it has: $(existing_ports | xargs)"
    cat "$DIR/$1/flavor"
}

# each_port FUNCTION [ARG...] : side by side; fails when one fails.
each_port() {
    local port pid pids=() status=0
    for port in "${PORTS[@]}"; do
        "$@" "$port" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || status=1
    done
    return "$status"
}

# server_pid PORT -> its process id; fails when it does not run. The command line is checked, since a
# number may have passed to a stranger.
server_pid() {
    local pid
    pid="$(cat "$DIR/$1/pid" 2>/dev/null)" || return 1
    [[ -n "$pid" ]] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" |
        grep -qxF -- "--defaults-file=$DIR/$1/my.cnf" && printf '%s\n' "$pid"
}

start_servers() {
    local template='' port
    for port in "${PORTS[@]}"; do
        if [[ ! -f "$DIR/$port/flavor" ]]; then
            template="$(template_folder "$FLAVOR")"
            break
        fi
    done
    local index=0 failed=0 pid pids=()
    ((!APART)) || make_bridge
    # What is being started is let start, so that whoever stops this can stop all of it.
    trap 'wait; exit 130' INT TERM
    for port in "${PORTS[@]}"; do
        start_server "$template" "$((${SERVER_ID:-$port} + (${SERVER_ID:+1}0 ? index : 0)))" "$port" &
        pids+=($!)
        index=$((index + 1))
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    [[ -z "$OWNER" ]] || watch_owner
    return "$failed"
}

start_server() {
    local template="$1" server_id="$2" port="$3" began
    began="$(now_us)"
    if ! server_pid "$port" >/dev/null; then
        is_apart "$port" || ! port_is_in_use "$port" || die "port $port is in use by another program: stop that one, or choose another port"
        [[ -f "$DIR/$port/flavor" ]] || create_server "$template" "$server_id" "$port"
        launch_server "$port"
    fi
    wait_until_ready "$port"
    printf 'ready %s in %s s\n' "$port" "$(seconds_since "$began")"
}

create_server() {
    local folder="$DIR/$3"
    mkdir -p "$folder"
    rm -rf "$folder/data"
    ((!APART)) || join_network "$3"
    cp -a --reflink=auto --sparse=always "$1" "$folder/data"
    write_option_file "$FLAVOR" "$3" "$2" "$folder"
    printf '%s\n' "$FLAVOR" >"$folder/flavor"
}

# In a session of its own, so that a Ctrl-C in the terminal is not for it.
launch_server() {
    local folder="$DIR/$1" flavor program where=()
    flavor="$(flavor_of "$1")"
    ! is_apart "$1" || where=(ip netns exec "orc$1")
    program="$(server_program "$flavor")"
    # A killed MySQL leaves its socket's lock with its process id; once another process has that id, it refuses to start.
    rm -f "$folder/data/mysqld.sock" "$folder/data/mysqld.sock.lock"
    : >>"$folder/server.log"
    stat -c %s "$folder/server.log" >"$folder/log-offset"
    setsid "${where[@]}" "$program" --defaults-file="$folder/my.cnf" </dev/null >>"$folder/server.log" 2>&1 &
    printf '%s\n' "$!" >"$folder/pid"
}

log_since_start() {
    tail -c "+$(($(cat "$DIR/$1/log-offset") + 1))" "$DIR/$1/server.log"
}

wait_until_ready() {
    local port="$1" began waited
    began="$(now_us)"
    until log_since_start "$port" | grep -q 'mysqld: ready for connections\|mariadbd: ready for connections'; do
        waited=$(($(now_us) - began))
        # A moment passes before the process carries its own name.
        if ((waited > 1000000)) && ! server_pid "$port" >/dev/null; then
            log_since_start "$port" | tail -n 20 >&2
            die "server $port ended before it was ready; its log is $DIR/$port/server.log"
        fi
        ((waited < 120000000)) || die "server $port is not ready after 120 s; its log is $DIR/$port/server.log"
        nap 0.05
    done
}

signal_server() {
    local pid
    flavor_of "$2" >/dev/null
    pid="$(server_pid "$2")" || die "server $2 does not run"
    kill -s "$1" "$pid"
}

stop_server() {
    local pid began
    flavor_of "$1" >/dev/null
    pid="$(server_pid "$1")" || return 0
    kill -s TERM "$pid"
    kill -s CONT "$pid"
    began="$(now_us)"
    while server_pid "$1" >/dev/null; do
        if (($(now_us) - began > 30000000)); then
            note "server $1 does not shut down within 30 s: killed"
            kill_server "$1"
        fi
        nap 0.05
    done
}

kill_server() {
    local pid began
    flavor_of "$1" >/dev/null
    pid="$(server_pid "$1")" || return 0
    kill -s KILL "$pid"
    while server_pid "$1" >/dev/null; do nap 0.01; done
    # A process loses its name before the kernel has closed its sockets: whoever starts it again at once would find its port in use.
    began="$(now_us)"
    while ! is_apart "$1" && port_is_in_use "$1" && (($(now_us) - began < 5000000)); do nap 0.01; done
}

print_status() {
    local pid state=running memory
    if pid="$(server_pid "$1")"; then
        [[ "$(sed 's/^.*) //' "/proc/$pid/stat")" != T* ]] || state=paused
        memory="$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status")"
    else
        state=stopped
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$(flavor_of "$1")" "$state" "${pid:--}" "${memory:--}"
}

destroy_sandbox() {
    local port
    stop_loads
    mapfile -t PORTS < <(existing_ports)
    ((${#PORTS[@]} == 0)) || each_port kill_server
    for port in "${PORTS[@]}"; do
        leave_network "$port"
        rm -rf "${DIR:?}/$port"
    done
    remove_bridge
    rm -f "$DIR/owner"
    rmdir "$DIR" 2>/dev/null || true
}

# A test that is killed cannot clean up; this outlives it for a moment and does.
watch_owner() {
    [[ "$(cat "$DIR/owner" 2>/dev/null)" != "$OWNER" ]] || return 0
    printf '%s\n' "$OWNER" >"$DIR/owner"
    setsid "$BASH" -c 'while kill -0 "$1" 2>/dev/null && [ "$(cat "$2/owner" 2>/dev/null)" = "$1" ]; do sleep 2; done
        [ "$(cat "$2/owner" 2>/dev/null)" != "$1" ] || exec "$3" destroy --dir "$2"' \
        owner-watch "$OWNER" "$DIR" "$here/sandbox" </dev/null >/dev/null 2>&1 &
}
