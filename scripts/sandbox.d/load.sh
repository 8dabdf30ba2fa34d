# shellcheck shell=bash
# A light write load that knows which of its writes were acknowledged.

# start_load : `load-here` in a session of its own, with its process id under DIR/loads.
start_load() {
    local port arguments=()
    [[ -n "$OUT" ]] || die "load wants --out FILE"
    for port in "${PORTS[@]}"; do
        flavor_of "$port" >/dev/null
        arguments+=(--port "$port")
    done
    mkdir -p "$(dirname "$OUT")" "$DIR/loads"
    : >>"$OUT"
    setsid "$here/sandbox" load-here --dir "$DIR" --out "$OUT" --interval-ms "$INTERVAL_MS" --seconds "$SECONDS_LIMIT" \
        "${arguments[@]}" </dev/null >>"$DIR/loads/log" 2>&1 &
    printf '%s\n' "$OUT" >"$DIR/loads/$!.pid"
    printf 'load %s\n' "$!"
}

# run_load : in the foreground, until the time is over or it is told to stop.
run_load() {
    local index=0 began
    LOAD_CLIENT='' LAST_ID=0
    LOAD_END=$(($(now_us) + SECONDS_LIMIT * 1000000))
    LOAD_NAP="$(printf '%d.%03d' $((INTERVAL_MS / 1000)) $((INTERVAL_MS % 1000)))"
    trap 'end_client; exit 0' TERM INT
    exec {ACKNOWLEDGED}>>"$OUT"
    while (($(now_us) < LOAD_END)); do
        began="$(now_us)"
        write_to "${PORTS[index % ${#PORTS[@]}]}" || true
        end_client
        index=$((index + 1))
        (($(now_us) - began > 100000)) || nap 0.1 # a server that refuses is not asked in a tight loop
    done
}

# As user app, whom read_only stops, through one connection. The client reads statements from one pipe and
# answers each id on the other: the answer comes only after the insert was acknowledged, for an insert
# that fails ends the client.
write_to() {
    local port="$1" flavor client to from id answer
    flavor="$(flavor_of "$port")"
    client="$(client_program "$flavor")"
    cd "$DIR/$port/data" 2>/dev/null || return 1
    coproc CLIENT { exec "$client" --no-defaults --user=app --password=app_password --socket=mysqld.sock \
        --batch --skip-column-names --unbuffered app 2>>"$DIR/loads/log"; }
    LOAD_CLIENT="$CLIENT_PID" from="${CLIENT[0]}" to="${CLIENT[1]}"
    while (($(now_us) < LOAD_END)); do
        id="$(now_us)"
        ((id > LAST_ID)) || id=$((LAST_ID + 1))
        LAST_ID=$id
        { printf 'INSERT INTO writes (id, origin) VALUES (%s, @@server_id); SELECT %s;\n' "$id" "$id" >&"$to"; } 2>/dev/null || return 1
        await_answer "$from" || return 1
        [[ "$answer" == "$id" ]] || return 1
        printf '%s\n' "$id" >&"$ACKNOWLEDGED"
        nap "$LOAD_NAP"
    done
}

# A server that hangs is given three seconds when there is another to go to, else for ever.
await_answer() {
    local began
    began="$(now_us)"
    until read -rt 1 -u "$1" answer; do
        kill -0 "$LOAD_CLIENT" 2>/dev/null || return 1
        ((${#PORTS[@]} == 1 || $(now_us) - began < 3000000)) || return 1
        (($(now_us) < LOAD_END)) || return 1
    done
}

end_client() {
    [[ -z "$LOAD_CLIENT" ]] || kill -s KILL "$LOAD_CLIENT" 2>/dev/null || true
    wait 2>/dev/null || true
    LOAD_CLIENT=''
}

stop_loads() {
    local file pid
    for file in "$DIR"/loads/*.pid; do
        [[ -f "$file" ]] || continue
        pid="$(basename "$file" .pid)"
        if is_load "$pid"; then
            kill -s TERM "$pid" 2>/dev/null || true
            while is_load "$pid"; do nap 0.02; done
        fi
        rm -f "$file"
    done
    rm -rf "$DIR/loads"
}

is_load() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "load-here --dir $DIR "; }
