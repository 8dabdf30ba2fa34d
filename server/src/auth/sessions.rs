//! Sessions of the page: tower-sessions looks after the cookie and its number, kept is what they are in [`Accounts`] and, behind
//! that, in the backend. Neither holds the number itself: whoever reads the backend cannot step into a session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::Semaphore;
use tower_sessions::session::{Id, Record};
use tower_sessions::{Session, SessionStore, session_store};

use super::bearer::digest;
use crate::accounts::Accounts;
use crate::config::{Config, LiveConfig};
use crate::journal::{Entry, Journal};
use crate::services::Services;
use crate::store::{SessionRecord, Store};

/// Name of the cookie.
pub const SESSION_COOKIE: &str = "orchestrator-session";

/// A session that this process does not know may be one of another node's: so many are looked up at the same time, so that
/// made-up cookies do not keep the backend busy.
const LOOKED_UP: usize = 2;

/// A backend that has not answered by then is away, and the session is unknown.
const PATIENCE: Duration = Duration::from_secs(1);

const USER: &str = "user";
const CSRF: &str = "csrf";
const ADDRESS: &str = "address";
const AGENT: &str = "agent";

/// Keeps sessions.
#[derive(Debug, Clone)]
pub struct SessionKeeper {
    config: Arc<LiveConfig>,
    accounts: Arc<Accounts>,
    journal: Journal,
    store: Store,
    line: Arc<Semaphore>,
}

/// What a new session is told of its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// Who logged in.
    pub user: &'a str,
    /// Address.
    pub address: &'a str,
    /// What the browser calls itself.
    pub agent: &'a str,
}

impl SessionKeeper {
    /// Keeps the sessions of a service.
    pub fn new(services: &Services) -> Self {
        Self {
            config: Arc::clone(&services.config),
            accounts: Arc::clone(services.consensus.accounts()),
            journal: services.journal.clone(),
            store: services.store.clone(),
            line: Arc::new(Semaphore::new(LOOKED_UP)),
        }
    }

    /// The session of a request, if it has one that has not ended; notes that it was used.
    pub async fn of(&self, session: &Session) -> Option<SessionRecord> {
        // Reading anything makes the library look the session up, here.
        let user: Option<String> = session.get(USER).await.ok()?;
        user?;
        self.known(&key(&session.id()?), Utc::now())
    }

    fn known(&self, key: &str, now: DateTime<Utc>) -> Option<SessionRecord> {
        self.accounts.use_session(key, idle_limit(&self.config.current()), now)
    }

    /// A session that another node began, as it is in the backend.
    async fn look_up(&self, key: &str) {
        let Ok(_place) = self.line.try_acquire() else { return };
        if let Ok(Ok(Some(session))) = tokio::time::timeout(PATIENCE, self.store.session(key)).await {
            self.accounts.adopt_session(session);
        }
    }
}

/// Begins a session, in place of the one there was: its number is a new one, whatever number the browser came with.
///
/// # Errors
/// What keeps it from being kept.
pub async fn begin(session: &Session, beginning: Beginning<'_>) -> Result<(), tower_sessions::session::Error> {
    session.flush().await?;
    session.insert(CSRF, crate::node::random_hex()).await?;
    session.insert(ADDRESS, beginning.address).await?;
    session.insert(AGENT, beginning.agent.chars().take(200).collect::<String>()).await?;
    session.insert(USER, beginning.user).await?;
    session.save().await
}

/// Ends a session.
pub fn end(accounts: &Accounts, journal: &Journal, id: &str) {
    drop(journal.push(Entry::SessionEnded(id.to_owned())));
    accounts.end_session(id);
}

/// A session that is not used for so long ends.
pub fn idle_limit(config: &Config) -> TimeDelta {
    minutes(config.extensions.session_idle_minutes)
}

fn life(config: &Config) -> TimeDelta {
    minutes(config.extensions.session_life_minutes)
}

fn minutes(count: u64) -> TimeDelta {
    // The configuration is checked at start; a year is the most it may say.
    TimeDelta::try_minutes(i64::try_from(count).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::days(365))
}

/// By which a session is found: a digest of what the cookie holds.
pub fn key(id: &Id) -> String {
    digest(&id.to_string())
}

fn record_of(id: Id, session: &SessionRecord) -> Record {
    let text = |text: &str| Value::String(text.to_owned());
    let data = HashMap::from([
        (USER.to_owned(), text(&session.user)),
        (CSRF.to_owned(), text(&session.csrf_token)),
        (ADDRESS.to_owned(), text(&session.address)),
        (AGENT.to_owned(), text(&session.agent)),
    ]);
    let expiry_date =
        time::OffsetDateTime::from_unix_timestamp(session.ends.timestamp()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    Record { id, data, expiry_date }
}

#[async_trait::async_trait]
impl SessionStore for SessionKeeper {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // 128 bits of chance do not meet; a number that does is not taken over.
        record.id = Id::default();
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let text = |name: &str| record.data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, now) = (key(&record.id), Utc::now());
        if self.accounts.session(&id, idle_limit(&self.config.current()), now).is_some() {
            // Nothing in a session changes after its beginning.
            return Ok(());
        }
        let session = SessionRecord {
            id,
            user: text(USER),
            csrf_token: text(CSRF),
            address: text(ADDRESS),
            agent: text(AGENT),
            created: now,
            seen: now,
            ends: now.checked_add_signed(life(&self.config.current())).unwrap_or(DateTime::<Utc>::MAX_UTC),
        };
        // Queued first: what another process recorded is taken over only while nothing of our own is under way.
        drop(self.journal.push(Entry::SessionBegan(Box::new(session.clone()))));
        for ended in self.accounts.begin_session(session) {
            drop(self.journal.push(Entry::SessionEnded(ended)));
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let (key, now) = (key(id), Utc::now());
        let mut found = self.known(&key, now);
        if found.is_none() {
            self.look_up(&key).await;
            found = self.known(&key, now);
        }
        Ok(found.map(|session| record_of(*id, &session)))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        end(&self.accounts, &self.journal, &key(id));
        Ok(())
    }
}
