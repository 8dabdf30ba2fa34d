//! The one place where connections to watched servers are made, so that each has its time-outs: the driver has none.
//!
//! Per server there are at most: one connection of the probe, kept between polls; two for commands, so that a hung
//! statement can be killed by the other one; and one that idles as the death alarm ([`super::alarm`]).

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use arc_swap::ArcSwap;
use engine::interpret::Survey;
use futures_util::FutureExt as _;
use mysql_async::{ClientIdentity, Conn, Opts, OptsBuilder, SslOpts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::error::{ACCESS_DENIED, MysqlError, SECURE_TRANSPORT_REQUIRED};
use super::session::{Session, plain_reason};
use super::settings::{ConnectSettings, TlsMode};

/// Connections for commands per server.
const COMMAND_CONNECTIONS: usize = 2;
/// A command's connection that nobody wanted for this long is closed.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Longest packet accepted when the setting does not say. Setting it, and the next, saves a round trip per connection
/// that the driver would spend on asking the server.
const MAX_PACKET: usize = 64 << 20;
/// The driver's idea of `wait_timeout`, in seconds. Only its own pool, which is not used here, looks at it.
const WAIT_TIMEOUT: usize = 28_800;

/// Makes connections and remembers per server what it takes to do so.
#[derive(Debug)]
pub struct Connector {
    settings: ArcSwap<ConnectSettings>,
    servers: Mutex<HashMap<InstanceKey, Arc<Server>>>,
}

#[derive(Debug)]
struct Server {
    commands: Arc<Semaphore>,
    idle: Mutex<Vec<(Session, Instant)>>,
    /// Mixed mode: when the server refused a plain connection and took one with TLS.
    demanded_tls: Mutex<Option<Instant>>,
    survey: Mutex<Option<Arc<Survey>>>,
}

impl Server {
    /// It demanded TLS not longer ago than that.
    fn demands_tls(&self, kept: Duration) -> bool {
        lock(&self.demanded_tls).is_some_and(|since| since.elapsed() < kept)
    }
}

/// A connection lent for one command. Unless it is given back it is closed.
#[derive(Debug)]
pub struct Lease {
    /// The connection.
    pub session: Session,
    server: Arc<Server>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Keeps a connection that still works for the next command.
    pub fn give_back(self) {
        if !self.session.is_broken() {
            lock(&self.server.idle).push((self.session, Instant::now()));
        }
    }
}

impl Connector {
    /// A connector with these settings.
    pub fn new(settings: ConnectSettings) -> Self {
        Self { settings: ArcSwap::from_pointee(settings), servers: Mutex::default() }
    }

    /// Replaces the settings; connections made from now on obey them.
    pub fn update(&self, settings: ConnectSettings) {
        self.settings.store(Arc::new(settings));
        for server in lock(&self.servers).values() {
            lock(&server.idle).clear();
            *lock(&server.demanded_tls) = None;
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<ConnectSettings> {
        self.settings.load_full()
    }

    /// Makes a connection. In mixed mode it is plain unless the server demands TLS, which is remembered.
    ///
    /// # Errors
    /// Why there is none; for an account that is refused, the server's own error.
    pub async fn open(&self, key: &InstanceKey) -> Result<Session, MysqlError> {
        if !key.is_valid() {
            return Err(MysqlError::Settings(format!("{key} is no address of a server")));
        }
        let settings = self.settings();
        let server = self.server(key);
        let tls = settings.tls.mode == TlsMode::Always || server.demands_tls(settings.tls.demand_kept);
        match connect(key, &settings, tls).await {
            Err(error)
                if !tls
                    && settings.tls.mode == TlsMode::Mixed
                    && matches!(error.number(), Some(ACCESS_DENIED | SECURE_TRANSPORT_REQUIRED)) =>
            {
                // An account may be bound to TLS, which looks like any other denial: if TLS does not help, it was not that.
                let session = connect(key, &settings, true).await.map_err(|_| error)?;
                *lock(&server.demanded_tls) = Some(Instant::now());
                Ok(session)
            }
            other => other,
        }
    }

    /// TLS is known to be needed, by setting or because the server said so.
    pub(super) fn needs_tls(&self, key: &InstanceKey) -> bool {
        let tls = &self.settings.load().tls;
        tls.mode == TlsMode::Always || self.server(key).demands_tls(tls.demand_kept)
    }

    /// Lends a connection for a command: a kept one that answers, or a new one.
    ///
    /// # Errors
    /// No connection can be made, or all are in use for longer than the connect time-out.
    pub async fn lend(&self, key: &InstanceKey) -> Result<Lease, MysqlError> {
        let limit = self.settings().connect_timeout;
        let server = self.server(key);
        let permit = match timeout(limit, Arc::clone(&server.commands).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(MysqlError::Timeout { what: format!("a free connection to {key}"), after: limit }),
        };
        self.sweep(key);
        loop {
            let kept = lock(&server.idle).pop();
            let Some((mut session, _)) = kept else { break };
            if session.ping(limit).await.is_ok() {
                return Ok(Lease { session, server, _permit: permit });
            }
        }
        let session = self.open(key).await?;
        Ok(Lease { session, server, _permit: permit })
    }

    /// Closes connections for commands that nobody wanted for a while.
    pub fn sweep(&self, key: &InstanceKey) {
        let settings = self.settings();
        let old = |session: &Session| !settings.lifetime.is_zero() && session.age() > settings.lifetime;
        lock(&self.server(key).idle).retain(|(session, since)| since.elapsed() < IDLE_FOR && !old(session));
    }

    /// Forgets all about a server and closes what is kept open to it.
    pub fn forget(&self, key: &InstanceKey) {
        lock(&self.servers).remove(key);
    }

    /// What the server is known to understand.
    pub fn survey(&self, key: &InstanceKey) -> Option<Arc<Survey>> {
        lock(&self.server(key).survey).clone()
    }

    pub(super) fn remember(&self, key: &InstanceKey, survey: Option<Arc<Survey>>) {
        *lock(&self.server(key).survey) = survey;
    }

    fn server(&self, key: &InstanceKey) -> Arc<Server> {
        let mut servers = lock(&self.servers);
        let server = servers.entry(key.clone()).or_insert_with(|| {
            Arc::new(Server {
                commands: Arc::new(Semaphore::new(COMMAND_CONNECTIONS)),
                idle: Mutex::default(),
                demanded_tls: Mutex::default(),
                survey: Mutex::default(),
            })
        });
        Arc::clone(server)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one insert or remove: a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connect(key: &InstanceKey, settings: &ConnectSettings, tls: bool) -> Result<Session, MysqlError> {
    let options = options(key, settings, tls);
    let failed = |reason: String| MysqlError::Connect { server: key.to_string(), reason };
    // The driver panics on some authentication plugins and malformed keys, which are a server's to send.
    let connecting = AssertUnwindSafe(Conn::new(options)).catch_unwind();
    match timeout(settings.connect_timeout, connecting).await {
        Ok(Ok(Ok(conn))) => Ok(Session::new(conn, key.clone())),
        Ok(Ok(Err(mysql_async::Error::Server(error)))) => {
            Err(MysqlError::Server { code: error.code, state: error.state, message: error.message })
        }
        Ok(Ok(Err(error))) => Err(failed(plain_reason(&error))),
        Ok(Err(_panic)) => Err(failed("the server's way of authentication is not supported".to_owned())),
        Err(_elapsed) => Err(failed(format!("no answer within {} ms", settings.connect_timeout.as_millis()))),
    }
}

fn options(key: &InstanceKey, settings: &ConnectSettings, tls: bool) -> Opts {
    OptsBuilder::default()
        // Host and port apart: joined without brackets, an IPv6 address would swallow the port.
        .ip_or_hostname(key.hostname.clone())
        .tcp_port(key.port)
        .user(Some(settings.user.clone()))
        .pass(Some(settings.password.clone()))
        .prefer_socket(Some(false))
        .tcp_nodelay(true)
        .stmt_cache_size(Some(0))
        .max_allowed_packet(Some(settings.max_allowed_packet.unwrap_or(MAX_PACKET)))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .ssl_opts(tls.then(|| ssl_options(settings)))
        .into()
}

fn ssl_options(settings: &ConnectSettings) -> SslOpts {
    let tls = &settings.tls;
    let mut options = SslOpts::default().with_danger_accept_invalid_certs(!tls.verifies());
    if let Some(ca) = &tls.ca_file {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    if let (Some((cert, key)), true) = (&tls.identity, tls.verifies()) {
        options = options.with_client_identity(Some(ClientIdentity::new(cert.clone().into(), key.clone().into())));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_demand_for_tls_is_forgotten_after_its_time() {
        let connector = Connector::new(ConnectSettings::default());
        let key = InstanceKey::new("db1", 3306);
        assert!(!connector.needs_tls(&key));
        *lock(&connector.server(&key).demanded_tls) = Some(Instant::now());
        tokio::time::advance(Duration::from_secs(499)).await;
        assert!(connector.needs_tls(&key));
        assert!(!connector.needs_tls(&InstanceKey::new("db2", 3306)), "another server");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!connector.needs_tls(&key), "it may have got another account since");
        *lock(&connector.server(&key).demanded_tls) = Some(Instant::now());
        connector.update(ConnectSettings::default());
        assert!(!connector.needs_tls(&key), "new settings, new account");
    }
}
