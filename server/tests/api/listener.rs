//! The listener by raw sockets: limits that slow and greedy clients meet, and an end in good order.

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use orchestrator::serve::{Limits, Listener, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Edge, OPEN};

/// A listener on a port of its own.
struct Served {
    port: u16,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

const QUICK: Limits = Limits {
    connections: 64,
    handshake: Duration::from_millis(300),
    head: Duration::from_millis(300),
    drain: Duration::from_secs(2),
};

async fn served(router: Router, limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(Listener::Tcp(listener), router, None, limits, stop.clone()));
    Served { port, stop, ended }
}

fn small() -> Router {
    let slowly = async || {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "slowly"
    };
    Router::new()
        .route("/", get(async || "fine"))
        .route("/slow", get(slowly))
        .route("/", post(async |body: String| body))
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection")
    }

    /// Sends bytes and reads to the end, for five seconds at most.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("written");
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    // A reset after an answer is as good as an end.
    let _closed = read.expect("the connection is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_with_a_request_loses_the_connection_and_holds_up_nobody() {
    let served = served(small(), Limits { connections: 300, ..QUICK }).await;
    let mut slow = Vec::new();
    for n in 0..250 {
        let mut stream = served.connect().await;
        // Nothing, a part of the first line, a part of the head.
        let begun: &[u8] = [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-a: "][n % 3];
        stream.write_all(begun).await.expect("written");
        slow.push(stream);
    }
    let began = Instant::now();
    assert!(served.say(ASK).await.ends_with("fine"));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for stream in &mut slow {
        let answer = rest(stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drip_of_headers_does_not_keep_a_connection() {
    let served = served(small(), QUICK).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("written");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        if stream.write_all(b"x-a: b\r\n").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(3), "each header bought more time");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_long_or_no_http_are_refused() {
    let served = served(small(), Limits { head: Duration::from_secs(5), ..QUICK }).await;
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let answer = served.say(format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = "y".repeat(100_000);
    let answer = served.say(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = served.say(format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let answer = served.say(garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(served.say(ASK).await.ends_with("fine"), "and it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lengths_of_one_body_are_refused() {
    let served = served(small(), QUICK).await;
    let smuggled = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 40\r\n\r\nbody";
    let answer = served.say(smuggled).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let served = served(small(), Limits { connections: 2, head: Duration::from_millis(600), ..QUICK }).await;
    let (_first, _second) = (served.connect().await, served.connect().await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    assert!(served.say(ASK).await.ends_with("fine"));
    assert!(began.elapsed() > Duration::from_millis(200), "it had to wait: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_end_and_then_the_listener_does() {
    let served = served(small(), Limits { head: Duration::from_secs(30), ..QUICK }).await;
    let mut idle = served.connect().await;
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.stop.cancel();
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slowly"), "{answer}");
    assert_eq!(rest(&mut idle).await, "", "nobody is kept waiting");
    tokio::time::timeout(Duration::from_secs(5), served.ended).await.expect("in time").expect("no panic");
    assert!(TcpStream::connect(("127.0.0.1", served.port)).await.is_err(), "the port is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_cut_off_and_a_stream_ends_with_the_service() {
    let edge = Edge::new(OPEN).await;
    let served = served(edge.router(), Limits { drain: Duration::from_secs(3), ..QUICK }).await;
    let mut events = served.connect().await;
    events.write_all(b"GET /api/v2/events HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    let mut head = [0; 256];
    let count = events.read(&mut head).await.expect("an answer");
    assert!(head[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..count]));
    // The idle time of connections does not end a stream.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut drip = served.connect().await;
    let body =
        b"POST /api/v2/plans HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    drip.write_all(body).await.expect("written");
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(25), async {
        let mut answer = Vec::new();
        let _closed = drip.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = answer.await.expect("given up in time");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer} after {:?}", began.elapsed());
    edge.services.tasks.stop();
    served.stop.cancel();
    let tail = rest(&mut events).await;
    assert!(tail.ends_with("0\r\n\r\n"), "the stream has an end: {tail}");
    tokio::time::timeout(Duration::from_secs(5), served.ended).await.expect("in time").expect("no panic");
}

#[tokio::test]
async fn every_kind_of_answer_keeps_browsers_from_mistakes() {
    let edge = Edge::new(OPEN).await;
    let basic = Edge::new(crate::support::BASIC).await;
    for path in [
        "/",
        "/web/clusters",
        "/nothing",
        "/api/clusters",
        "/api/nothing",
        "/api/status",
        "/api/v2/status",
        "/api/v2/nothing",
        "/api/v2/openapi.json",
        "/metrics",
        "/debug/metrics",
        "/web/access-token",
        "/api/v2/audit?format=csv",
    ] {
        for (name, edge) in [("open", &edge), ("basic", &basic)] {
            let answer = edge.get(path).await;
            let header =
                |key: &str| answer.headers.get(key).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let policy = header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{name} {path}: {policy}"
            );
            assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{name} {path}: {policy}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{name} {path}");
            assert_eq!(header("referrer-policy"), "same-origin", "{name} {path}");
            assert_eq!(header("strict-transport-security"), "", "{name} {path}: plain HTTP");
            assert_eq!(answer.status == StatusCode::UNAUTHORIZED, name == "basic", "{name} {path}");
        }
    }
    let proxied = [("x-forwarded-proto", "https")];
    let peer = "127.0.0.1:9".parse().expect("an address");
    let answer = edge.send_from(Some(peer), axum::http::Method::GET, "/web/clusters", &proxied, "").await;
    assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
}
