//! Clients that want to write, wherever it is possible: one a server, each trying all the time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Pause after a write that was acknowledged or refused. It is also how exactly a moment can be told.
const PAUSE: Duration = Duration::from_millis(1);

/// A server that does not answer a new connection for so long is tried anew.
const CONNECT: Duration = Duration::from_millis(250);

/// A write that the server acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// When the client knew.
    pub at: Instant,
    /// By whom.
    pub port: u16,
    /// Which row.
    pub id: i64,
}

/// Writers at work.
pub struct Writers {
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Writers {
    /// One writer for each server.
    pub fn start(ports: &[u16]) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let next = Arc::new(AtomicI64::new(i64::try_from(since_epoch.as_micros()).unwrap_or_default()));
        let acknowledged = Arc::new(Mutex::new(vec![]));
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for port in ports.iter().copied() {
            tasks.spawn(write(port, Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&stop)));
        }
        Self { acknowledged, stop, tasks }
    }

    /// Everything acknowledged so far, in order.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops them and gives everything acknowledged.
    pub async fn stop(mut self) -> Vec<Acknowledged> {
        self.stop.store(true, Ordering::Relaxed);
        // One that waits for a server that hangs is not waited for.
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _hanging = timeout(Duration::from_secs(1), all).await;
        self.tasks.abort_all();
        self.acknowledged()
    }
}

async fn write(port: u16, next: Arc<AtomicI64>, acknowledged: Arc<Mutex<Vec<Acknowledged>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(Ok(mut conn)) = timeout(CONNECT, Conn::new(options(port))).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let id = next.fetch_add(1, Ordering::Relaxed);
            let insert = format!("INSERT INTO app.writes (id, origin) VALUES ({id}, @@server_id)");
            match conn.query_drop(insert).await {
                Ok(()) => {
                    let write = Acknowledged { at: Instant::now(), port, id };
                    acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(write);
                }
                // Read-only, as a rule.
                Err(mysql_async::Error::Server(_)) => {}
                Err(_lost) => break,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn options(port: u16) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("app"))
        .pass(Some("app_password"))
        .prefer_socket(Some(false))
        .tcp_nodelay(true)
        .stmt_cache_size(Some(0))
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into()
}

/// How many of the acknowledged writes are not among these rows.
pub fn lost(acknowledged: &[Acknowledged], rows: &str) -> usize {
    let held: BTreeSet<i64> = rows.lines().filter_map(|line| line.trim().parse().ok()).collect();
    acknowledged.iter().filter(|write| !held.contains(&write.id)).count()
}
