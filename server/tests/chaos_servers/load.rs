//! Clients that want to write, wherever it is possible: one a server, each trying all the time, through the server's socket, so
//! that no cut network is in their way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::support::Sandbox;

/// Pause after a write that was acknowledged or refused.
const PAUSE: Duration = Duration::from_millis(3);

/// A write that a server acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Write {
    /// When the client knew.
    pub at: Instant,
    /// By whom.
    pub port: u16,
    /// Which row.
    pub id: i64,
}

/// Writers at work until this is dropped.
pub struct Load {
    writes: Arc<Mutex<Vec<Write>>>,
    writers: BTreeMap<u16, AbortHandle>,
    _tasks: JoinSet<()>,
}

impl Load {
    /// One writer for each server.
    pub fn start(sandbox: &Sandbox) -> Self {
        let next = Arc::new(AtomicI64::new(1));
        let writes = Arc::new(Mutex::new(vec![]));
        let mut tasks = JoinSet::new();
        let mut writers = BTreeMap::new();
        for port in sandbox.ports.iter().copied() {
            let folder = sandbox.folder(port);
            let (next, writes) = (Arc::clone(&next), Arc::clone(&writes));
            let writer = tasks.spawn(async move { write(port, &folder, &next, &writes).await });
            writers.insert(port, writer);
        }
        Self { writes, writers, _tasks: tasks }
    }

    /// Nobody tries to write to a server any more. What it was asked before it may still do.
    pub fn leave(&self, port: u16) {
        if let Some(writer) = self.writers.get(&port) {
            writer.abort();
        }
    }

    /// Everything acknowledged so far, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn write(port: u16, folder: &Path, next: &AtomicI64, writes: &Mutex<Vec<Write>>) {
    loop {
        let opened = timeout(Duration::from_secs(1), Conn::new(socket(folder, "app", Some("app_password")))).await;
        let Ok(Ok(mut conn)) = opened else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        loop {
            let id = next.fetch_add(1, Ordering::Relaxed);
            match conn.query_drop(format!("INSERT INTO app.writes (id, origin) VALUES ({id}, {port})")).await {
                Ok(()) => {
                    let write = Write { at: Instant::now(), port, id };
                    writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
                }
                // Read-only, as a rule.
                Err(mysql_async::Error::Server(_)) => {}
                Err(_lost) => break,
            }
            sleep(PAUSE).await;
        }
    }
}

/// Through the server's own socket.
pub fn socket(folder: &Path, user: &str, password: Option<&str>) -> Opts {
    OptsBuilder::default()
        .socket(Some(folder.join("data/mysqld.sock").display().to_string()))
        .prefer_socket(Some(true))
        .user(Some(user))
        .pass(password)
        .stmt_cache_size(Some(0))
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into()
}
