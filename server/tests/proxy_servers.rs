//! Real nginx and Apache in front of the real program: who logs in there is who acts here, and nobody else is.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use support::authority::Authority;
use support::daemon::Daemon;

/// Who may log in at the proxy, and how; `eve` is no power user.
const ANN: (&str, &str) = ("authorization", "Basic YW5uOnNlc2FtZQ==");
const EVE: (&str, &str) = ("authorization", "Basic ZXZlOnNlc2FtZQ==");

/// A proxy with a folder of its own; stopped when this is dropped.
struct Proxy {
    child: Child,
    port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// The program as `scripts/setup-servers.sh proxies` put it there.
fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let output = Command::new(root.join("scripts/setup-servers.sh")).args(["which", name]).output().expect("a script");
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success() && !path.is_empty(), "no {name}: run scripts/setup-servers.sh proxies");
    PathBuf::from(path)
}

/// Users of the proxy, each with password `sesame`.
fn write_users(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("users");
    // Apache, started by root, goes on as somebody else.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("allowed");
    let hash = Command::new("openssl").args(["passwd", "-apr1", "sesame"]).output().expect("openssl runs");
    let hash = String::from_utf8_lossy(&hash.stdout).trim().to_owned();
    std::fs::write(&file, format!("ann:{hash}\neve:{hash}\n")).expect("written");
    file
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}

fn nginx(folder: &Path, to: u16) -> Proxy {
    let (port, users, here) = (free_port(), write_users(folder), folder.display().to_string());
    // What docs/SECURITY.md shows, below the prefix of the service.
    let location = documented("nginx")
        .replace("/etc/nginx/orchestrator.htpasswd", &users.display().to_string())
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{to}"));
    let config = format!(
        "daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/nginx.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f; \
         uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
         server {{ listen 127.0.0.1:{port};\n{location}\n}} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).expect("written");
    let child = Command::new(program("nginx"))
        .args(["-p", &here, "-c", &file.display().to_string(), "-e", &format!("{here}/nginx.log")])
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx runs");
    ready(Proxy { child, port }, &folder.join("nginx.log"))
}

fn apache(folder: &Path, to: u16) -> Proxy {
    let (port, users) = (free_port(), write_users(folder));
    // The documented one asks a directory service; a file stands for it here.
    let location = documented("Apache")
        .replace("AuthBasicProvider ldap", &format!("AuthBasicProvider file\nAuthUserFile {}", users.display()))
        .lines()
        .filter(|line| !line.contains("AuthLDAPURL"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{to}"));
    let file = write_apache_config(folder, port, &["authn_file"], &location);
    let child = Command::new(program("apache2"))
        .args(["-D", "FOREGROUND", "-f", &file.display().to_string()])
        .stdin(Stdio::null())
        .spawn()
        .expect("Apache runs");
    ready(Proxy { child, port }, &folder.join("apache.log"))
}

/// A configuration of Apache with these modules beside the usual ones.
fn write_apache_config(folder: &Path, port: u16, more: &[&str], location: &str) -> PathBuf {
    let here = folder.display();
    let usual = ["mpm_event", "authn_core", "auth_basic", "authz_core", "authz_user", "headers", "proxy", "proxy_http"];
    let modules: String = usual
        .iter()
        .chain(more)
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let config = format!(
        "ServerRoot {here}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {here}/httpd.pid\n\
         DefaultRuntimeDir {here}\nErrorLog {here}/apache.log\n{modules}{location}\n"
    );
    // Root's own processes hand over to the user that Debian has for it.
    let config = if is_root() { format!("User www-data\nGroup www-data\n{config}") } else { config };
    let file = folder.join("apache.conf");
    std::fs::write(&file, config).expect("written");
    file
}

/// The configuration that the documentation shows for this proxy: what is shown is what is tested.
fn documented(name: &str) -> String {
    let page = include_str!("../../docs/SECURITY.md");
    let begin = page.find(&format!("    # {name}")).expect("shown in docs/SECURITY.md");
    let lines = page[begin..].lines().skip(1).take_while(|line| line.starts_with("    "));
    lines.collect::<Vec<_>>().join("\n")
}

fn ready(mut proxy: Proxy, log: &Path) -> Proxy {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", proxy.port)).is_err() {
        let ended = proxy.child.try_wait().expect("it can be asked");
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(ended.is_none() && began.elapsed() < Duration::from_secs(20), "no proxy: {}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    proxy
}

fn ask(port: u16, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer)
}

fn service(folder: &Path, port: u16) -> Daemon {
    let config = json!({
        "BackendDB": "sqlite",
        "SQLite3DataFile": folder.join("orchestrator.db"),
        "AuthenticationMethod": "proxy",
        "AuthUserHeader": "X-Forwarded-User",
        "PowerAuthUsers": ["ann"],
        "URLPrefix": "/orchestrator",
    });
    Daemon::start(folder, port, config)
}

#[rstest]
#[case::nginx(nginx)]
#[case::apache(apache)]
fn who_logs_in_at_the_proxy_acts_here(#[case] front: fn(&Path, u16) -> Proxy) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let daemon = service(folder.path(), port);
    let proxy = front(folder.path(), port);
    let act = "/orchestrator/api/disable-global-recoveries";
    assert_eq!(ask(proxy.port, act, &[]).0, 401, "nobody gets past the proxy without a password");
    let forged = ("x-forwarded-user", "ann");
    assert_eq!(ask(proxy.port, act, &[forged]).0, 401);
    // Whoever is in may look; what the client says of itself is replaced by what the proxy knows.
    for headers in [&[EVE][..], &[EVE, forged], &[EVE, ("X_Forwarded_User", "ann")]] {
        let (status, answer) = ask(proxy.port, act, headers);
        assert!(status == 500 && answer.contains("Unauthorized"), "{answer}");
        let (status, answer) = ask(proxy.port, "/orchestrator/api/v2/session", headers);
        assert!(status == 200 && answer.contains("\"user\":\"eve\"") && answer.contains("viewer"), "{answer}");
    }
    assert_eq!(ask(proxy.port, act, &[ANN]).0, 200);
    let (status, page) = ask(proxy.port, "/orchestrator/web/clusters", &[ANN]);
    // A build without the page says so in its place.
    assert!(matches!(status, 200 | 404) && page.contains("content-security-policy"), "{page}");
    let (_, audit) = ask(proxy.port, "/orchestrator/api/v2/audit?action=disable-global-recoveries", &[ANN]);
    assert!(audit.contains("\"actor\":\"ann\"") && audit.contains("\"method\":\"proxy\""), "{audit}");
    // A page of the same origin may act through the proxy, one of another origin may not.
    let own = format!("http://127.0.0.1:{}", proxy.port);
    assert_eq!(ask(proxy.port, act, &[ANN, ("origin", &own)]).0, 200);
    assert_ne!(ask(proxy.port, act, &[ANN, ("origin", "http://evil.example")]).0, 200);
    // Past the proxy, from a machine that is none: the header says nothing.
    let (_, direct) = ask(port, "/orchestrator/api/v2/session", &[]);
    assert!(direct.contains("viewer"), "{direct}");
    drop(daemon);
}

/// There is no directory service here to ask; what is documented for one is checked by Apache itself, with its own module.
#[test]
fn apache_takes_the_documented_set_up_with_a_directory_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |location: &str| {
        let file = write_apache_config(folder.path(), free_port(), &["ldap", "authnz_ldap"], location);
        let output = Command::new(program("apache2")).arg("-t").arg("-f").arg(file).output().expect("Apache runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let documented = documented("Apache");
    assert!(documented.contains("AuthLDAPURL \"ldaps://"), "{documented}");
    let (taken, said) = check(&documented);
    assert!(taken, "{said}");
    let (taken, said) = check(&documented.replace("ldaps://", "nonsense://"));
    assert!(!taken, "an address that is none is noticed: {said}");
}

#[rstest]
#[case::nginx(nginx)]
#[case::apache(apache)]
fn events_come_through_at_once(#[case] front: fn(&Path, u16) -> Proxy) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _daemon = service(folder.path(), port);
    let proxy = front(folder.path(), port);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let request = format!("GET /orchestrator/api/v2/events HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n", ANN.1);
    stream.write_all(request.as_bytes()).expect("written");
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.next().expect("an answer").expect("text").contains("200"));
    let sent = Instant::now();
    assert_eq!(ask(proxy.port, "/orchestrator/api/disable-global-recoveries", &[ANN]).0, 200);
    let told = lines.map_while(Result::ok).find(|line| line.contains("recoveries switched off"));
    assert!(told.is_some() && sent.elapsed() < Duration::from_secs(3), "{told:?} after {:?}", sent.elapsed());
}

/// From another address than that of a trusted proxy the header counts for nothing.
#[test]
fn a_header_forged_past_the_proxy_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = json!({
        "BackendDB": "sqlite",
        "SQLite3DataFile": folder.path().join("orchestrator.db"),
        "AuthenticationMethod": "proxy",
        "TrustedProxies": ["192.0.2.1"],
    });
    let _daemon = Daemon::start(folder.path(), port, config);
    let (status, answer) = ask(port, "/api/disable-global-recoveries", &[("x-forwarded-user", "ann")]);
    assert!(status == 500 && answer.contains("Unauthorized"), "{answer}");
}

/// The program itself with certificates: curl as a client of a right unit, of a wrong one, and without one.
#[test]
fn clients_with_certificates_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("ours");
    let path = |name: &str| folder.path().join(name).display().to_string();
    authority.write(&folder.path().join("ca.pem"));
    authority.server(&["127.0.0.1"]).write(folder.path(), "server");
    authority.client("ann", "dba").write(folder.path(), "ann");
    authority.client("eve", "sales").write(folder.path(), "eve");
    let port = free_port();
    let config = json!({
        "BackendDB": "sqlite", "SQLite3DataFile": path("orchestrator.db"), "ListenAddress": format!("127.0.0.1:{port}"),
        "UseSSL": true, "SSLCertFile": path("server.crt"), "SSLPrivateKeyFile": path("server.key"),
        "UseMutualTLS": true, "SSLCAFile": path("ca.pem"), "SSLValidOUs": ["dba"],
    });
    std::fs::write(path("orchestrator.conf.json"), config.to_string()).expect("written");
    let log = std::fs::File::create(path("log")).expect("a log");
    let child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["-config", &path("orchestrator.conf.json"), "-verbose", "http"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program runs");
    let _service = ready(Proxy { child, port }, Path::new(&path("log")));
    let curl = |who: Option<&str>, address: &str| {
        let mut command = Command::new("curl");
        command.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &path("ca.pem")]);
        if let Some(who) = who {
            command.args(["--cert", &path(&format!("{who}.crt")), "--key", &path(&format!("{who}.key"))]);
        }
        let output = command.arg(format!("https://127.0.0.1:{port}{address}")).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for (who, address, status) in [
        (Some("ann"), "/api/clusters", "200"),
        (Some("eve"), "/api/clusters", "401"),
        (None, "/api/clusters", "401"),
        (None, "/api/clusters?x=/api/status", "401"),
        (None, "/api/status", "200"),
    ] {
        assert_eq!(curl(who, address), status, "{who:?} {address}");
    }
    // The client of the API trusts what SSL_CERT_FILE says.
    let client = |trust: &str| {
        Command::new(env!("CARGO_BIN_EXE_orchestrator-client"))
            .args(["-c", "api", "-path", "status"])
            .env("ORCHESTRATOR_API", format!("https://127.0.0.1:{port}"))
            .env("SSL_CERT_FILE", trust)
            .output()
            .expect("the client runs")
    };
    let trusted = client(&path("ca.pem"));
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stderr));
    assert!(!client(&path("server.crt")).status.success(), "of another authority");
}
