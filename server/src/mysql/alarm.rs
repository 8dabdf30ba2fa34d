//! The death alarm: an idle session per server whose end is noticed at once.
//!
//! When a process dies its kernel resets its connections, and the reset is here within milliseconds, long before the
//! next poll. Why a session of its own, logged in by hand ([`super::login`]):
//! - The driver's connections do not show their socket; a reset is seen only by the next statement.
//! - A query that sleeps on the server would do, but counts as a running thread of each server all the time, stands in
//!   the process list and the slow log, and must be killed before each poll.
//! - A bare TCP connection is an unfinished handshake: the server drops it after `connect_timeout`, counts an aborted
//!   connect, and blocks the host after `max_connect_errors` of them.
//!
//! Cost per server: one idle session there, one socket and one task here, one keep-alive packet in ten seconds.
//! A host that vanishes without a word is not seen by this (the keep-alive takes some 20 seconds): the poll's time-out is
//! sooner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::connect::Connector;
use super::login::login;

/// After a login that failed the next is tried this much later at the earliest.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// A server ended the idle session: it died, was shut down, or somebody killed the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Which server.
    pub key: InstanceKey,
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// What was heard.
    pub reason: String,
}

/// Keeps the idle sessions.
#[derive(Debug)]
pub struct Alarms {
    connector: Arc<Connector>,
    sender: mpsc::UnboundedSender<Alarm>,
    watched: Arc<Mutex<HashMap<InstanceKey, Watch>>>,
}

#[derive(Debug)]
enum Watch {
    Running(AbortHandle),
    /// The login did not succeed at this time.
    Failed(Instant),
}

impl Alarms {
    /// Alarms that are sent into the returned channel.
    pub fn new(connector: Arc<Connector>) -> (Self, mpsc::UnboundedReceiver<Alarm>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { connector, sender, watched: Arc::default() }, receiver)
    }

    /// Sees to it that a server is watched. To be called after each good probe: it does nothing when the session is there.
    pub fn watch(&self, key: &InstanceKey) {
        let mut watched = lock(&self.watched);
        match watched.get(key) {
            Some(Watch::Running(_)) => return,
            Some(Watch::Failed(at)) if at.elapsed() < RETRY_AFTER => return,
            _ => {}
        }
        let task = watch(key.clone(), Arc::clone(&self.connector), self.sender.clone(), Arc::clone(&self.watched));
        watched.insert(key.clone(), Watch::Running(tokio::spawn(task).abort_handle()));
    }

    /// Closes the session to a server that is watched no more.
    pub fn forget(&self, key: &InstanceKey) {
        if let Some(Watch::Running(task)) = lock(&self.watched).remove(key) {
            task.abort();
        }
    }

    /// Number of sessions open or being opened.
    pub fn count(&self) -> usize {
        lock(&self.watched).values().filter(|watch| matches!(watch, Watch::Running(_))).count()
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        for watch in lock(&self.watched).values() {
            if let Watch::Running(task) = watch {
                task.abort();
            }
        }
    }
}

async fn watch(
    key: InstanceKey,
    connector: Arc<Connector>,
    sender: mpsc::UnboundedSender<Alarm>,
    watched: Arc<Mutex<HashMap<InstanceKey, Watch>>>,
) {
    let settings = connector.settings();
    let session = timeout(settings.connect_timeout, login(&key, &settings, connector.needs_tls(&key))).await;
    match session {
        Ok(Ok(idle)) => {
            let reason = idle.ended().await;
            lock(&watched).remove(&key);
            // Nobody listens when the service stops.
            let _ = sender.send(Alarm { key, at: Utc::now(), reason });
        }
        Ok(Err(error)) => {
            tracing::debug!(server = %key, %error, "no death alarm");
            lock(&watched).insert(key, Watch::Failed(Instant::now()));
        }
        Err(_elapsed) => {
            lock(&watched).insert(key, Watch::Failed(Instant::now()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one insert or remove.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
