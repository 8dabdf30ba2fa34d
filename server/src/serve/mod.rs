//! The listener: connections, TLS, limits, and an end in good order.
//!
//! `axum::serve` has no limit of time or number. Here each connection has a task of its own and a place among
//! [`Limits::connections`]; its handshake, each head of a request and its body must come within their time, and a client that
//! does not take its answer loses the connection. A slow client holds a place for that long and nobody's thread.

mod certificate;
mod key;
mod socket;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub use certificate::ClientCertificate;
pub use key::{KeyError, KeyPassword, ask_for_password};
pub use socket::{Listener, most_connections};
pub use tls::{Tls, TlsError, TlsFiles};

/// Heads of requests are short: an address, and what proxies and browsers add.
const MOST_HEADERS: usize = 100;

/// The longest head of a request, in bytes; also how much of a request is buffered.
const LONGEST_HEAD: usize = 64 * 1024;

/// After an error of the system, such as too many open files, new connections are taken again after this long.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// What a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// For the handshake of TLS.
    pub handshake: Duration,
    /// For the head of a request; also how long a connection may be idle between two.
    pub head: Duration,
    /// For requests under way when the service stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

/// Answers connections until `stop`, then lets requests under way end, for [`Limits::drain`] at most.
pub async fn serve(
    mut listener: Listener,
    router: Router,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let connections = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tell_refusal(&error);
                if !is_of_the_client(&error) {
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
                continue;
            }
        };
        let connection = Connection { router: router.clone(), peer, limits, stop: stop.clone() };
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => connection.run(stream, None).await,
                Some(tls) => connection.run_encrypted(stream, &tls).await,
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "some requests did not end in time; their connections are closed");
    }
}

/// The client went away before it was answered.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn tell_refusal(error: &io::Error) {
    if is_of_the_client(error) {
        tracing::debug!(%error, "a connection was gone before it was accepted");
    } else {
        tracing::error!(%error, "no connection can be accepted");
    }
}

/// One connection.
struct Connection {
    router: Router,
    peer: SocketAddr,
    limits: Limits,
    stop: CancellationToken,
}

impl Connection {
    async fn run_encrypted<S>(self, stream: S, tls: &Tls)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = self.peer;
        match tokio::time::timeout(self.limits.handshake, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certificate = certificate.and_then(ClientCertificate::read);
                self.run(stream, certificate).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection"),
            Err(_) => tracing::debug!(%peer, "no TLS connection: the client is too slow"),
        }
    }

    async fn run<S>(self, stream: S, certificate: Option<ClientCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, peer) = (self.router, self.peer);
        let service =
            service_fn(move |request: Request<Incoming>| answer(router.clone(), request, peer, certificate.clone()));
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_headers(MOST_HEADERS)
            .max_header_size(LONGEST_HEAD)
            .max_buf_size(LONGEST_HEAD);
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(self.limits.drain, connection).await {
                    Ok(result) => result,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    certificate: Option<ClientCertificate>,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
    router.oneshot(request).await
}
