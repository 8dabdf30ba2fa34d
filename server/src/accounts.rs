//! Users, sessions and API tokens, in memory: nobody waits for the backend to be told apart, and who is signed out is so at once.
//!
//! What people decide (users, tokens) comes as commands; sessions begin and end as people log in and out. All of it is written
//! behind, and what another process wrote beside this one is adopted ([`Accounts::adopt`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::access::ClusterLimit;
use app::api::Role;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::store::{AccountRows, SessionRecord, TokenRecord, UserRecord};

/// A user has at most this many sessions: the one longest unused ends when there is one more.
const MOST_SESSIONS: usize = 50;

/// So many sessions that ended are remembered. They are until the backend has heard of it, which may still have them.
const MOST_ENDED: usize = 10_000;

/// When something was used is written at most this often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What somebody may do, before the configuration's `ReadOnly` is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Role.
    pub role: Role,
    /// The clusters that they may change.
    pub limit: ClusterLimit,
}

impl Grant {
    /// Everything.
    pub fn everything() -> Self {
        Self { role: Role::Admin, limit: ClusterLimit::none() }
    }

    /// To look.
    pub fn looking() -> Self {
        Self { role: Role::Viewer, limit: ClusterLimit::none() }
    }

    /// Only what both allow.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { role: self.role.min(other.role), limit: self.limit.and(&other.limit) }
    }
}

impl UserRecord {
    /// What the user may do.
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, limit: ClusterLimit::to(&self.clusters) }
    }
}

impl TokenRecord {
    /// What the token's holder may do, as far as its maker may.
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, limit: ClusterLimit::to(&self.clusters) }
    }

    /// It has not ended.
    pub fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.ends.is_none_or(|end| now < end)
    }
}

/// Something that was used, for the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Used {
    /// A session.
    Session {
        /// Digest.
        id: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// A token.
    Token {
        /// Its identity.
        id: String,
        /// When.
        at: DateTime<Utc>,
        /// From where.
        from: String,
    },
}

/// By what a caller was let in: a stream that rests on it ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// A session, by its digest.
    Session(String),
    /// A token, by its identity.
    Token(String),
}

/// Who there is.
#[derive(Debug)]
pub struct Accounts {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::channel(0).0 }
    }
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<String, UserRecord>,
    sessions: HashMap<String, SessionRecord>,
    tokens: BTreeMap<String, TokenRecord>,
    used_sessions: BTreeSet<String>,
    used_tokens: BTreeSet<String>,
    ended: Ended,
}

/// Sessions that ended here: none of them begins again, whatever the backend still has on record.
#[derive(Debug, Default)]
struct Ended {
    ids: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Ended {
    fn note(&mut self, id: &str) {
        if self.ids.insert(id.to_owned()) {
            self.order.push_back(id.to_owned());
        }
        while self.order.len() > MOST_ENDED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.ids.remove(&oldest);
        }
    }

    fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

impl State {
    /// Ends the sessions that this is true of.
    fn end_sessions(&mut self, ends: impl Fn(&SessionRecord) -> bool) {
        let over: Vec<String> = self.sessions.values().filter(|session| ends(session)).map(|s| s.id.clone()).collect();
        for id in &over {
            self.sessions.remove(id);
            self.ended.note(id);
        }
    }
}

impl Accounts {
    /// Takes over what the backend has on record, in place of what was known. When something was used stays what it is here if
    /// that is later: it is written behind.
    pub fn adopt(&self, rows: AccountRows) {
        self.change(|state| {
            let before = std::mem::take(state);
            state.users = rows.users.into_iter().map(|user| (user.name.clone(), user)).collect();
            state.ended = before.ended;
            let open = rows.sessions.into_iter().filter(|session| !state.ended.has(&session.id));
            state.sessions = open.map(|session| (session.id.clone(), session)).collect();
            state.tokens = rows.tokens.into_iter().map(|token| (token.id.clone(), token)).collect();
            for (id, known) in before.sessions {
                if let Some(session) = state.sessions.get_mut(&id) {
                    session.seen = session.seen.max(known.seen);
                }
            }
            for (id, known) in before.tokens {
                if let Some(token) = state.tokens.get_mut(&id).filter(|token| known.used > token.used) {
                    (token.used, token.used_from) = (known.used, known.used_from);
                }
            }
            (state.used_sessions, state.used_tokens) = (before.used_sessions, before.used_tokens);
        });
    }

    /// Told of each change of who there is, for streams.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// There is no user yet.
    pub fn has_no_users(&self) -> bool {
        self.lock().users.is_empty()
    }

    /// A user.
    pub fn user(&self, name: &str) -> Option<UserRecord> {
        self.lock().users.get(name).cloned()
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<UserRecord> {
        self.lock().users.values().cloned().collect()
    }

    /// Makes a user as they are now.
    pub fn put_user(&self, user: UserRecord) {
        self.change(|state| state.users.insert(user.name.clone(), user));
    }

    /// Sets a password's hash; with `end_sessions` all sessions of the user but one end.
    pub fn set_password(&self, name: &str, hash: &str, at: DateTime<Utc>, end_sessions: bool, but: &str) {
        self.change(|state| {
            if let Some(user) = state.users.get_mut(name) {
                hash.clone_into(&mut user.password_hash);
                if end_sessions {
                    user.password_set = at;
                    state.end_sessions(|session| session.user == name && session.id != but);
                }
            }
        });
    }

    /// Removes a user with their sessions and tokens: somebody else who gets the name later must not find them.
    pub fn delete_user(&self, name: &str) {
        self.change(|state| {
            state.users.remove(name);
            state.end_sessions(|session| session.user == name);
            state.tokens.retain(|_, token| !(token.owner == name && token.owner_method == "local"));
        });
    }

    /// An administrator besides the one of this name is there.
    pub fn has_other_admin(&self, name: &str) -> bool {
        self.lock().users.values().any(|user| user.role == Role::Admin && user.name != name)
    }

    /// Begins a session. Gives those that ended for it.
    pub fn begin_session(&self, session: SessionRecord) -> Vec<String> {
        let mut ended = Vec::new();
        self.change(|state| {
            let mut own: Vec<(DateTime<Utc>, String)> =
                state.sessions.values().filter(|s| s.user == session.user).map(|s| (s.seen, s.id.clone())).collect();
            own.sort();
            let too_many = (own.len() + 1).saturating_sub(MOST_SESSIONS);
            ended = own.into_iter().take(too_many).map(|(_, id)| id).collect();
            state.end_sessions(|session| ended.contains(&session.id));
            state.sessions.insert(session.id.clone(), session);
        });
        ended
    }

    /// Takes over one session as the backend has it, which another process began. One that ended here, or before its user's
    /// password was set, is not taken: the backend has not heard of its end yet.
    pub fn adopt_session(&self, session: SessionRecord) {
        self.change(|state| {
            let user = state.users.get(&session.user);
            if user.is_some_and(|user| session.created >= user.password_set) && !state.ended.has(&session.id) {
                state.sessions.insert(session.id.clone(), session);
            }
        });
    }

    /// A session that has not ended, by its digest.
    pub fn session(&self, id: &str, idle: TimeDelta, now: DateTime<Utc>) -> Option<SessionRecord> {
        let state = self.lock();
        let session = state.sessions.get(id).filter(|session| is_open(session, idle, now))?;
        state.users.contains_key(&session.user).then(|| session.clone())
    }

    /// The same, and notes that it was used.
    pub fn use_session(&self, id: &str, idle: TimeDelta, now: DateTime<Utc>) -> Option<SessionRecord> {
        let found = self.session(id, idle, now)?;
        if now - found.seen >= NOTED_EVERY {
            let mut state = self.lock();
            if let Some(session) = state.sessions.get_mut(id) {
                session.seen = now;
                state.used_sessions.insert(id.to_owned());
            }
        }
        Some(found)
    }

    /// Sessions that have not ended.
    pub fn sessions(&self, idle: TimeDelta, now: DateTime<Utc>) -> Vec<SessionRecord> {
        self.lock().sessions.values().filter(|session| is_open(session, idle, now)).cloned().collect()
    }

    /// The addresses that sessions of a user were begun from.
    pub fn addresses_of(&self, user: &str) -> Vec<String> {
        self.lock().sessions.values().filter(|session| session.user == user).map(|s| s.address.clone()).collect()
    }

    /// Ends a session; `true` when there was one.
    pub fn end_session(&self, id: &str) -> bool {
        let known = self.lock().sessions.contains_key(id);
        if known {
            self.change(|state| state.end_sessions(|session| session.id == id));
        }
        known
    }

    /// Drops what has ended: memory, not rights, which are judged by the clock.
    pub fn tidy(&self, idle: TimeDelta, now: DateTime<Utc>) -> Vec<String> {
        let state = self.lock();
        let over: Vec<String> =
            state.sessions.values().filter(|session| !is_open(session, idle, now)).map(|s| s.id.clone()).collect();
        drop(state);
        if !over.is_empty() {
            self.change(|state| over.iter().for_each(|id| drop(state.sessions.remove(id))));
        }
        over
    }

    /// A token by its identity.
    pub fn token(&self, id: &str) -> Option<TokenRecord> {
        self.lock().tokens.get(id).cloned()
    }

    /// All tokens.
    pub fn tokens(&self) -> Vec<TokenRecord> {
        self.lock().tokens.values().cloned().collect()
    }

    /// Makes a token.
    pub fn put_token(&self, token: TokenRecord) {
        self.change(|state| state.tokens.insert(token.id.clone(), token));
    }

    /// Revokes a token.
    pub fn delete_token(&self, id: &str) {
        self.change(|state| state.tokens.remove(id));
    }

    /// Notes that a token was used.
    pub fn use_token(&self, id: &str, from: &str, now: DateTime<Utc>) {
        let mut state = self.lock();
        let Some(token) = state.tokens.get_mut(id) else { return };
        let is_news = token.used.is_none_or(|used| now - used >= NOTED_EVERY) || token.used_from != from;
        if is_news {
            token.used = Some(now);
            from.clone_into(&mut token.used_from);
            state.used_tokens.insert(id.to_owned());
        }
    }

    /// What was used since this was asked last, for the backend.
    pub fn take_used(&self) -> Vec<Used> {
        let mut state = self.lock();
        let (sessions, tokens) = (std::mem::take(&mut state.used_sessions), std::mem::take(&mut state.used_tokens));
        let session =
            |id: &String| state.sessions.get(id).map(|session| Used::Session { id: id.clone(), at: session.seen });
        let token = |id: &String| {
            let token = state.tokens.get(id)?;
            Some(Used::Token { id: id.clone(), at: token.used?, from: token.used_from.clone() })
        };
        sessions.iter().filter_map(session).chain(tokens.iter().filter_map(token)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.lock());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

fn is_open(session: &SessionRecord, idle: TimeDelta, now: DateTime<Utc>) -> bool {
    now < session.ends && now - session.seen < idle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn user(name: &str, role: Role) -> UserRecord {
        UserRecord {
            name: name.to_owned(),
            password_hash: "h".to_owned(),
            role,
            clusters: Vec::new(),
            created: at(0),
            password_set: at(0),
        }
    }

    fn session(id: &str, user: &str, seen: i64) -> SessionRecord {
        SessionRecord {
            id: id.to_owned(),
            user: user.to_owned(),
            csrf_token: "c".to_owned(),
            address: String::new(),
            agent: String::new(),
            created: at(seen),
            seen: at(seen),
            ends: at(1_000),
        }
    }

    fn accounts() -> Accounts {
        let accounts = Accounts::default();
        accounts.put_user(user("ann", Role::Admin));
        accounts.put_user(user("bob", Role::Viewer));
        accounts.begin_session(session("a", "ann", 0));
        accounts.begin_session(session("b", "bob", 0));
        accounts
    }

    const IDLE: TimeDelta = TimeDelta::minutes(60);

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_the_latest_at_its_end() {
        let accounts = accounts();
        assert!(accounts.session("a", IDLE, at(59)).is_some());
        assert!(accounts.session("a", IDLE, at(60)).is_none(), "idle");
        for minute in (50..1_000).step_by(50) {
            assert!(accounts.use_session("a", IDLE, at(minute)).is_some(), "{minute}");
        }
        assert!(accounts.use_session("a", IDLE, at(1_000)).is_none(), "it has its end, used or not");
        assert_eq!(accounts.tidy(IDLE, at(1_000)).len(), 2);
    }

    #[test]
    fn sessions_end_with_their_user_and_their_password() {
        let accounts = accounts();
        accounts.begin_session(session("a2", "ann", 1));
        accounts.set_password("ann", "rehashed", at(2), false, "");
        assert_eq!(accounts.sessions(IDLE, at(2)).len(), 3, "the same password, hashed anew");
        accounts.set_password("ann", "other", at(2), true, "a2");
        assert!(accounts.session("a", IDLE, at(2)).is_none() && accounts.session("a2", IDLE, at(2)).is_some());
        accounts.delete_user("bob");
        assert!(accounts.session("b", IDLE, at(2)).is_none());
    }

    #[test]
    fn of_too_many_sessions_the_longest_unused_ends() {
        let accounts = accounts();
        let ended: Vec<String> =
            (1..=50).flat_map(|n| accounts.begin_session(session(&format!("s{n}"), "ann", n))).collect();
        assert_eq!(ended, ["a"]);
        assert!(accounts.session("b", IDLE, at(1)).is_some(), "of somebody else");
    }

    #[test]
    fn what_another_process_revoked_is_gone_and_last_use_is_kept() {
        let accounts = accounts();
        let mut seen = accounts.watch();
        assert!(accounts.use_session("a", IDLE, at(30)).is_some());
        let rows = AccountRows { users: accounts.users(), sessions: vec![session("a", "ann", 0)], tokens: Vec::new() };
        seen.mark_unchanged();
        accounts.adopt(rows);
        assert!(seen.has_changed().is_ok_and(|changed| changed), "streams are told");
        assert!(accounts.session("b", IDLE, at(30)).is_none());
        assert!(accounts.session("a", IDLE, at(80)).is_some(), "seen at 30");
        assert_eq!(accounts.take_used(), [Used::Session { id: "a".to_owned(), at: at(30) }]);
        assert!(accounts.take_used().is_empty());
    }

    #[test]
    fn what_ended_here_does_not_begin_again_by_what_the_backend_still_has() {
        let accounts = accounts();
        let rows = || AccountRows {
            users: accounts.users(),
            sessions: vec![session("a", "ann", 0), session("b", "bob", 0), session("b2", "bob", 0)],
            tokens: Vec::new(),
        };
        accounts.end_session("a");
        accounts.set_password("bob", "other", at(1), true, "b");
        accounts.begin_session(session("b2", "bob", 2));
        accounts.delete_user("bob");
        accounts.put_user(UserRecord { password_set: at(3), ..user("bob", Role::Admin) });
        for id in ["a", "b", "b2"] {
            accounts.adopt_session(session(id, if id == "a" { "ann" } else { "bob" }, 4));
            assert!(accounts.session(id, IDLE, at(5)).is_none(), "{id}");
        }
        accounts.adopt(rows());
        assert!(accounts.sessions(IDLE, at(5)).is_empty(), "nor when all is taken over");
        // Of another node: one from before the password was set, and one from after.
        accounts.adopt_session(session("old", "bob", 2));
        accounts.adopt_session(session("new", "bob", 3));
        accounts.adopt_session(session("of nobody", "eve", 3));
        assert!(accounts.session("old", IDLE, at(5)).is_none() && accounts.session("new", IDLE, at(5)).is_some());
        assert_eq!(accounts.sessions(IDLE, at(5)).len(), 1);
        for n in 0..MOST_ENDED + 5 {
            accounts.lock().ended.note(&n.to_string());
        }
        let state = accounts.lock();
        assert_eq!((state.ended.ids.len(), state.ended.order.len()), (MOST_ENDED, MOST_ENDED), "memory is bounded");
    }

    #[test]
    fn two_grants_allow_what_both_do() {
        let limited = Grant { role: Role::Operator, limit: ClusterLimit::to(&["orders".to_owned()]) };
        assert_eq!(Grant::everything().and(&limited), limited);
        assert_eq!(limited.and(&Grant::looking()).role, Role::Viewer);
    }
}
