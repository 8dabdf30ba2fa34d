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
//! A process that hangs, or a host that vanishes, resets nothing. A session to a server that others replicate from is therefore
//! pinged a few times a second (`COM_PING`, which waits for no lock and no disk). An answer that stays out is no proof of anything; it is
//! a reason to look at the server and its neighbours now and not at the next poll.
//!
//! Cost per server: one idle session there, one socket and one task here, one keep-alive packet in ten seconds; for one that has
//! replicas four packets of five bytes a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::connect::Connector;
use super::login::{Idle, login};

/// After a login that failed the next is tried this much later at the earliest.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// A server that is pinged is so this often.
const PING_EVERY: Duration = Duration::from_millis(250);
/// An answer that takes longer is news.
const PONG_WITHIN: Duration = Duration::from_millis(200);

/// What an idle session tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// The session ended: the server died, was shut down, or somebody killed the session. With what was heard.
    Ended(String),
    /// It has not answered what it was asked at this time.
    Silent(DateTime<Utc>),
    /// It has answered after all.
    Answers,
}

/// News of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Which server.
    pub key: InstanceKey,
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// What was noticed.
    pub sign: Sign,
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
    /// The task, and whether it shall ping.
    Running(AbortHandle, Arc<AtomicBool>),
    /// The login did not succeed at this time.
    Failed(Instant),
}

impl Alarms {
    /// Alarms that are sent into the returned channel.
    pub fn new(connector: Arc<Connector>) -> (Self, mpsc::UnboundedReceiver<Alarm>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { connector, sender, watched: Arc::default() }, receiver)
    }

    /// Sees to it that a server is watched, and pinged if others replicate from it. To be called after each good probe: it does
    /// nothing else when the session is there.
    pub fn watch(&self, key: &InstanceKey, ping: bool) {
        let mut watched = lock(&self.watched);
        match watched.get(key) {
            Some(Watch::Running(_, pings)) => return pings.store(ping, Ordering::Relaxed),
            Some(Watch::Failed(at)) if at.elapsed() < RETRY_AFTER => return,
            _ => {}
        }
        let pings = Arc::new(AtomicBool::new(ping));
        let watcher = Watcher {
            key: key.clone(),
            sender: self.sender.clone(),
            watched: Arc::clone(&self.watched),
            pings: Arc::clone(&pings),
        };
        let task = tokio::spawn(watcher.watch(Arc::clone(&self.connector)));
        watched.insert(key.clone(), Watch::Running(task.abort_handle(), pings));
    }

    /// Closes the session to a server that is watched no more.
    pub fn forget(&self, key: &InstanceKey) {
        if let Some(Watch::Running(task, _)) = lock(&self.watched).remove(key) {
            task.abort();
        }
    }

    /// Number of sessions open or being opened.
    pub fn count(&self) -> usize {
        lock(&self.watched).values().filter(|watch| matches!(watch, Watch::Running(..))).count()
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        for watch in lock(&self.watched).values() {
            if let Watch::Running(task, _) = watch {
                task.abort();
            }
        }
    }
}

/// The task of one server.
struct Watcher {
    key: InstanceKey,
    sender: mpsc::UnboundedSender<Alarm>,
    watched: Arc<Mutex<HashMap<InstanceKey, Watch>>>,
    pings: Arc<AtomicBool>,
}

impl Watcher {
    async fn watch(self, connector: Arc<Connector>) {
        let settings = connector.settings();
        let login = login(&self.key, &settings, connector.needs_tls(&self.key));
        match timeout(settings.connect_timeout, login).await {
            Ok(Ok(idle)) => {
                let reason = self.listen(idle).await;
                lock(&self.watched).remove(&self.key);
                self.tell(Sign::Ended(reason));
            }
            Ok(Err(error)) => {
                tracing::debug!(server = %self.key, %error, "no death alarm");
                lock(&self.watched).insert(self.key.clone(), Watch::Failed(Instant::now()));
            }
            Err(_elapsed) => {
                lock(&self.watched).insert(self.key.clone(), Watch::Failed(Instant::now()));
            }
        }
    }

    /// Listens until the session ends; returns how.
    async fn listen(&self, mut idle: Idle) -> String {
        loop {
            match timeout(PING_EVERY, idle.heard()).await {
                Err(_quiet) if !self.pings.load(Ordering::Relaxed) => continue,
                Err(_quiet) => {}
                Ok(Ok(())) => continue,
                Ok(Err(reason)) => return reason,
            }
            let asked = Utc::now();
            // A small packet finds room in the socket's buffer, whatever the other side does.
            if let Err(error) = idle.ping().await {
                return error.to_string();
            }
            let answer = match timeout(PONG_WITHIN, idle.heard()).await {
                Ok(answer) => answer,
                Err(_late) => {
                    self.tell(Sign::Silent(asked));
                    let answer = idle.heard().await;
                    self.tell(Sign::Answers);
                    answer
                }
            };
            if let Err(reason) = answer {
                return reason;
            }
        }
    }

    fn tell(&self, sign: Sign) {
        // Nobody listens when the service stops.
        let _ = self.sender.send(Alarm { key: self.key.clone(), at: Utc::now(), sign });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one insert or remove.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
