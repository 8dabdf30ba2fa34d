//! No secret leaves the service: it is started with known ones at the highest log level, asked everything, also in ways that fail, and
//! all that it said is searched.
#![allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use orchestrator::api::v1::table::Table;
use serde_json::json;

use crate::service::Running;
use crate::support::Desk;

/// Each secret has a place of its own, which its name tells.
const SECRETS: &[&str] = &[
    "sekrit-topology-password",
    "sekrit-http-password",
    "sekrit-consul-token",
    "sekrit-oauth-secret",
    "sekrit-webhook-secret",
    "sekrit-webhook-path",
    "sekrit-webhook-user-password",
    "sekrit-environment",
    "sekrit-guessed-password",
    "sekrit-bearer-token",
    "sekrit-cookie",
    "sekrit-public-token",
    "sekrit-changed-password",
];

fn configuration(closed: u16) -> serde_json::Value {
    json!({
        "Debug": true,
        "MySQLTopologyPassword": "sekrit-topology-password",
        "AuthenticationMethod": "basic",
        "HTTPAuthUser": "dba",
        "HTTPAuthPassword": "sekrit-http-password",
        "ConsulAddress": format!("127.0.0.1:{closed}"),
        "ConsulAclToken": "sekrit-consul-token",
        "OAuthClientSecret": "sekrit-oauth-secret",
        "GraphiteAddr": format!("127.0.0.1:{closed}"),
        "GraphitePath": "orchestrator",
        "InstancePollSeconds": 1,
        "Webhooks": [{
            "URL": format!("http://hook:sekrit-webhook-user-password@127.0.0.1:{closed}/sekrit-webhook-path"),
            "Secret": "sekrit-webhook-secret",
        }],
        "OnFailureDetectionProcesses": ["echo $ORC_TEST_TOKEN"],
    })
}

/// As `dba:PASSWORD` in base 64.
const RIGHT: &str = "Basic ZGJhOnNla3JpdC1odHRwLXBhc3N3b3Jk";
const WRONG: &str = "Basic ZGJhOnNla3JpdC1ndWVzc2VkLXBhc3N3b3Jk";

#[test]
fn secrets_are_in_no_log_answer_or_page() {
    let desk = Desk::empty();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let environment = [("ORC_TEST_TOKEN", "sekrit-environment")];
    let mut service = Running::start(&desk, configuration(closed), &["-debug", "-stack"], &environment);
    let mut said = String::new();
    let mut asked = 0;
    let mut ask = |service: &Running, method: &str, path: &str, headers: &[(&str, &str)]| {
        asked += 1;
        let _infallible = writeln!(said, "{method} {path}\n{}", service.ask(method, path, headers));
    };
    let server = format!("127.0.0.1/{closed}");
    let right = [("authorization", RIGHT)];
    // Everything that reads, the makings of failures included; of what changes, what ends by itself.
    for route in Table::new().routes() {
        for path in route.paths.iter().filter(|path| !route.changes || path.starts_with("discover/")) {
            let path = path.replace(":host/:port", &server).replace(":clusterHint", "none");
            ask(&service, "GET", &format!("/api/{path}"), &right);
        }
    }
    for path in [
        "session",
        "status",
        "audit",
        "audit?format=csv",
        "audit?format=json",
        "servers",
        "clusters",
        "findings",
        "recoveries",
        "openapi.json",
        "nothing",
        "servers/x",
        "recoveries/x",
    ] {
        ask(&service, "GET", &format!("/api/v2/{path}"), &right);
        ask(&service, "DELETE", &format!("/api/v2/{path}"), &right);
    }
    for path in
        ["/", "/web/clusters", "/web/status", "/metrics", "/debug/metrics", "/debug/vars", "/debug/pprof/cmdline", "/x"]
    {
        ask(&service, "GET", path, &right);
    }
    let forged = [("authorization", "Bearer sekrit-bearer-token"), ("cookie", "access-token=a:sekrit-cookie")];
    for path in ["/api/clusters", "/api/v2/status", "/web/access-token?publicToken=sekrit-public-token", "/api/headers"]
    {
        ask(&service, "GET", path, &[("authorization", WRONG)]);
        ask(&service, "GET", path, &forged);
        ask(&service, "GET", path, &[right[0], forged[1]]);
    }
    ask(&service, "GET", "/api/reload-configuration?config=/nonexistent.json", &right);
    // A configuration that is refused, with a secret next to what is wrong.
    let mut broken = configuration(closed);
    broken["HTTPAuthPassword"] = json!(["sekrit-changed-password"]);
    std::fs::write(desk.config(), broken.to_string()).expect("written");
    ask(&service, "GET", "/api/reload-configuration", &right);
    service.signal("HUP");
    // Probes, webhooks and Consul have failed by then.
    std::thread::sleep(Duration::from_secs(3));
    service.signal("TERM");
    assert_eq!(service.ended(), 0);
    assert!(asked > 100, "{asked} requests");
    let log = service.log();
    assert!(log.contains("reload-configuration") && log.contains("outcome:refused"), "{log}");
    let encoded = [RIGHT, WRONG].map(|basic| basic.trim_start_matches("Basic ").to_owned());
    for (what, text) in [("an answer", &said), ("the log", &log)] {
        for secret in SECRETS.iter().copied().chain(encoded.iter().map(String::as_str)) {
            // The first line is the request itself.
            let lines: Vec<&str> =
                text.lines().filter(|line| line.contains(secret) && !line.starts_with("GET /")).collect();
            assert!(lines.is_empty(), "{secret} is in {what}: {lines:#?}");
        }
    }
}
