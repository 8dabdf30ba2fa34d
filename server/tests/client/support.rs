//! A client in this process, and services for it to talk to over real sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use orchestrator::cli::Ending;
use orchestrator::client::{self, Surroundings};
use tokio::net::TcpListener;

/// What a service was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
}

/// A service that answers each request by a rule and remembers it.
pub struct Fake {
    /// Its base address.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// A service that answers by this rule: status and body for a path with its query.
    pub async fn new(rule: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (record, rule) = (Arc::clone(&asked), Arc::new(rule));
        let router = Router::new().fallback(move |request: Request| {
            let (record, rule) = (Arc::clone(&record), Arc::clone(&rule));
            async move {
                assert_eq!(request.method(), "GET");
                let target = request.uri().to_string();
                let (status, body) = rule(&target);
                record.lock().unwrap().push(Asked { target, headers: request.headers().clone() });
                Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::from(body)).unwrap()
            }
        });
        Self { url: serve(router).await, asked }
    }

    /// A service that gives this answer to everything.
    pub async fn saying(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::new(move |_| (status, body.clone())).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Paths and queries, in order.
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

/// Serves on a free port of this machine until the test ends; the base address.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    format!("http://{address}")
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The surroundings of a client: these variables, and pauses too short to notice.
pub fn around(variables: &[(&str, &str)]) -> Surroundings {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings {
        variables: variables.iter().map(owned).collect::<HashMap<_, _>>(),
        profile: "/nosuch/profile.sh".into(),
        user: "dba".to_owned(),
        pid: 42,
        pauses: vec![Duration::from_millis(1); 7],
    }
}

/// Runs the client with these words.
pub async fn run(words: &[&str], variables: &[(&str, &str)]) -> Ending {
    client::run(words.iter().map(|word| (*word).to_owned()).collect(), around(variables)).await
}

/// Runs a line without quotes against a service.
pub async fn line(line: &str, url: &str) -> Ending {
    run(&line.split_whitespace().collect::<Vec<_>>(), &[("ORCHESTRATOR_API", url)]).await
}
