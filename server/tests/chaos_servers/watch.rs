//! Every server is asked for `read_only` all the time: never two that take writes (`safety.md` S2).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::load::socket;
use crate::support::Sandbox;

/// Each server is asked this often, and given as long to answer.
const PERIOD: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Seen {
    /// Servers that took writes when they last answered.
    writable: BTreeMap<u16, bool>,
    /// When two did, from and to.
    double: Vec<(Instant, Instant)>,
}

/// Asks until it is dropped.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Begins.
    pub fn start(sandbox: &Sandbox) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for port in sandbox.ports.iter().copied() {
            let (folder, seen) = (sandbox.folder(port), Arc::clone(&seen));
            tasks.spawn(async move { ask(port, &folder, &seen).await });
        }
        Self { seen, _tasks: tasks }
    }

    /// For how long, since a moment, two servers took writes at once.
    pub fn double_since(&self, from: Instant) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.double.iter().map(|(begin, end)| end.saturating_duration_since((*begin).max(from))).sum()
    }
}

async fn ask(port: u16, folder: &Path, seen: &Mutex<Seen>) {
    let mut conn = None;
    loop {
        let writable = timeout(PERIOD * 4, is_writable(folder, &mut conn)).await.unwrap_or_default();
        if writable.is_none() {
            conn = None;
        }
        note(port, writable, seen);
        sleep(PERIOD).await;
    }
}

/// `None`: it does not answer, so nobody can write to it now.
async fn is_writable(folder: &Path, conn: &mut Option<Conn>) -> Option<bool> {
    if conn.is_none() {
        *conn = Some(Conn::new(socket(folder, "root", None)).await.ok()?);
    }
    let read_only: Option<i64> = conn.as_mut()?.query_first("SELECT @@GLOBAL.read_only + 0").await.ok()?;
    read_only.map(|on| on == 0)
}

fn note(port: u16, writable: Option<bool>, seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.writable.insert(port, writable == Some(true));
    let double = seen.writable.values().filter(|writable| **writable).count() > 1;
    let now = Instant::now();
    match seen.double.last_mut() {
        Some((_, end)) if double && now.saturating_duration_since(*end) < PERIOD * 4 => *end = now,
        _ if double => seen.double.push((now, now)),
        _ => {}
    }
}
