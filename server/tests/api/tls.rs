//! TLS of the listener: versions, certificates read again, and mutual TLS that no address slips past.

use std::path::Path;
use std::sync::Arc;

use axum::http::Method;
use orchestrator::serve::{KeyPassword, Limits, Listener, Tls, TlsFiles, serve};
use reqwest::tls::Version;
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, Issued};
use crate::support::Edge;

/// A service with TLS on a port of its own, until it is dropped.
struct Secure {
    edge: Edge,
    tls: Arc<Tls>,
    port: u16,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Where the service is reached, by a name that its certificate has.
const HOST: &str = "localhost";

async fn secure(server: &Issued, clients: Option<&Authority>, mut keys: Value) -> Secure {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = server.write(folder.path(), "server");
    let client_authorities = clients.map(|authority| authority.write(&folder.path().join("clients.pem")));
    keys["UseSSL"] = true.into();
    keys["SSLCertFile"] = certificate.display().to_string().into();
    keys["SSLPrivateKeyFile"] = key.display().to_string().into();
    if let Some(file) = &client_authorities {
        keys["UseMutualTLS"] = true.into();
        keys["SSLCAFile"] = file.display().to_string().into();
    }
    let edge = Edge::new(&keys.to_string()).await;
    let tls = Arc::new(Tls::load(TlsFiles { certificate, key, client_authorities }, None).expect("usable files"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let (listener, limits) = (Listener::Tcp(listener), Limits::default());
    tokio::spawn(serve(listener, edge.router(), Some(Arc::clone(&tls)), limits, stop.clone()));
    Secure { edge, tls, port, folder, stop }
}

fn trusting(authority: &Authority) -> ClientBuilder {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let root = Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
    Client::builder().tls_certs_only([root]).redirect(reqwest::redirect::Policy::none())
}

impl Secure {
    async fn try_get(&self, client: ClientBuilder, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        client.build()?.get(format!("https://{HOST}:{}{path}", self.port)).send().await
    }

    async fn status(&self, authority: &Authority, shown: Option<&Issued>, path: &str) -> u16 {
        let mut client = trusting(authority);
        if let Some(shown) = shown {
            client = client.identity(Identity::from_pem(&shown.both()).expect("an identity"));
        }
        self.try_get(client, path).await.expect("an answer").status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_browsers_are_told_to_stay() {
    let authority = Authority::new("ours");
    let secure = secure(&authority.server(&[HOST]), None, json!({})).await;
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = trusting(&authority).tls_version_min(version).tls_version_max(version);
        let answer = secure.try_get(client, "/api/clusters").await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{version:?}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    }
    let stranger = Authority::new("theirs");
    assert!(secure.try_get(trusting(&stranger), "/api/clusters").await.is_err(), "the client checks us");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_counts_without_a_restart_and_a_broken_one_does_not() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let secure = secure(&old.server(&[HOST]), None, json!({})).await;
    assert!(!secure.tls.refresh().expect("nothing new"));
    assert_eq!(secure.status(&old, None, "/api/status").await, 200);
    let next = new.server(&[HOST]);
    std::fs::write(secure.folder.path().join("server.crt"), &next.certificate).expect("written");
    let half = secure.tls.refresh().expect_err("certificate and key do not go together");
    assert!(half.to_string().contains("server.crt"), "{half}");
    assert_eq!(secure.status(&old, None, "/api/status").await, 200);
    next.write(secure.folder.path(), "server");
    assert!(secure.tls.refresh().expect("usable files"));
    assert_eq!(secure.status(&new, None, "/api/status").await, 200);
    assert!(secure.try_get(trusting(&old), "/api/status").await.is_err(), "the old one is not shown any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_listed_unit_gets_in_and_nothing_else_does() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let keys = json!({"SSLValidOUs": ["dba", "ops"], "URLPrefix": "/orc"});
    let secure = secure(&authority.server(&[HOST]), Some(&authority), keys).await;
    let (ann, eve) = (authority.client("ann", "dba"), authority.client("eve", "sales"));
    let tries = [
        "/",
        "/web/clusters",
        "/index.html",
        "/style.css",
        "/api/clusters",
        "/orc/api/clusters",
        "/api/v2/servers",
        "/metrics",
        "/debug/metrics",
        "/api/v2/openapi.json",
        "/nothing",
        "/api/health",
        "/api/lb-check",
        "/api/_ping",
        "/api/leader-check",
        "/web/access-token",
        // What the original lets through: the status path anywhere in the address.
        "/api/clusters?x=/api/status",
        "/api/clusters?/api/status",
        "/api/forget/db3.example/3306?a=/api/status",
        "/api/status/../clusters",
        "/api/status/clusters",
        "/api/status%2f..%2fclusters",
        "/api/clusters/api/status",
        "/web/api/status",
        "//api/status",
        "/api//status",
        "/api/clusters#/api/status",
    ];
    let before = secure.edge.world();
    for path in tries {
        assert_eq!(secure.status(&authority, None, path).await, 401, "{path} without a certificate");
        assert_eq!(secure.status(&authority, Some(&eve), path).await, 401, "{path} of another unit");
        assert_ne!(
            secure.status(&authority, Some(&ann), path.replace("forget", "search").as_str()).await,
            401,
            "{path}"
        );
    }
    assert_eq!(secure.edge.world(), before);
    for path in ["/api/status", "/orc/api/status", "/api/status?x=y"] {
        assert_eq!(secure.status(&authority, None, path).await, 200, "{path} is for load balancers");
    }
    let forged =
        trusting(&authority).identity(Identity::from_pem(&stranger.client("ann", "dba").both()).expect("an identity"));
    assert!(secure.try_get(forged, "/api/clusters").await.is_err(), "of an authority that is not ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_of_the_certificate_is_the_actor() {
    let authority = Authority::new("ours");
    let keys = json!({"SSLValidOUs": ["dba"], "StatusOUVerify": true});
    let secure = secure(&authority.server(&[HOST]), Some(&authority), keys).await;
    let ann = authority.client("ann", "dba");
    assert_eq!(secure.status(&authority, None, "/api/status").await, 401);
    assert_eq!(secure.status(&authority, Some(&ann), "/api/status").await, 200);
    assert_eq!(secure.status(&authority, Some(&ann), "/api/begin-downtime/db3.example/3306/x/disk/60s").await, 200);
    while secure.edge.services.journal.state().pending > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let rows = secure.edge.services.audit.page(None, 0).await.expect("readable");
    let row = rows.iter().find(|row| row.kind == "begin-downtime").expect("a row");
    assert_eq!((row.actor.as_str(), row.method.as_str()), ("ann", "certificate"));
    assert!(row.address.starts_with("127.0.0.1:"), "{row:?}");
    assert!(!rows.iter().any(|row| row.kind == "failed-login"), "{rows:?}");
    assert_eq!(secure.status(&authority, Some(&authority.client("eve", "sales")), "/api/clusters").await, 401);
    while secure.edge.services.journal.state().pending > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let rows = secure.edge.services.audit.page(None, 0).await.expect("readable");
    assert_eq!((rows[0].kind.as_str(), rows[0].actor.as_str()), ("failed-login", "eve"), "{rows:?}");
}

#[tokio::test]
async fn without_tls_no_request_has_a_certificate() {
    // The service does not start so; a router that is asked anyway lets nobody in.
    let edge = Edge::new(r#"{"UseMutualTLS": true, "SSLValidOUs": ["dba"]}"#).await;
    for path in ["/api/clusters", "/web/clusters", "/api/v2/status"] {
        assert_eq!(edge.send(Method::GET, path, &[], "").await.status.as_u16(), 401, "{path}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let issued = Authority::new("ours").server(&[HOST]);
    let (certificate, key) = issued.write(folder.path(), "server");
    let load = |certificate: &Path, key: &Path| {
        let files = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned(), client_authorities: None };
        Tls::load(files, Some(KeyPassword::new("x".to_owned()))).map(drop)
    };
    assert!(load(&certificate, &key).is_ok());
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    for (certificate, key, expected) in [
        (folder.path().join("none.crt"), key.clone(), "SSLCertFile"),
        (empty.clone(), key.clone(), "SSLCertFile"),
        (certificate.clone(), empty.clone(), "SSLPrivateKeyFile"),
        (certificate.clone(), certificate.clone(), "SSLPrivateKeyFile"),
    ] {
        let error = load(&certificate, &key).expect_err("unusable").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
