//! Users who log in with a password, and the first of them.

use std::sync::{Arc, Mutex, PoisonError};

use app::access::{BadAccess, LONGEST_PASSWORD, check_name, check_password};
use app::api::Role;
use chrono::{DateTime, Utc};
use rand::Rng as _;
use subtle::ConstantTimeEq as _;

use super::hashing::{HashError, Hasher};
use super::throttle::{Throttle, Wait, is_same_origin};
use crate::accounts::Accounts;
use crate::config::AuthMethod;
use crate::consensus::{Actor, Command, Consensus, ConsensusError, PasswordHashText};
use crate::services::Services;
use crate::store::UserRecord;

/// Letters and digits that are not taken for each other.
const CODE_LETTERS: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTUVWXY";

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The user or the password is wrong: which one is not told.
    #[error("wrong user or password")]
    Wrong,
    /// Too many tries went wrong.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// Too many others are logging in.
    #[error("too many logins at once; try again in a second")]
    TooBusy,
    /// There are users already, or another code was given.
    #[error(
        "wrong set-up code, or the set-up is done already; the code is in the log of this node since its last start"
    )]
    NoSetup,
    /// The name or the password cannot be taken.
    #[error(transparent)]
    Bad(#[from] BadAccess),
    /// It was not kept.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// It was not hashed.
    #[error(transparent)]
    Hash(HashError),
}

impl From<HashError> for LoginError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::TooBusy => Self::TooBusy,
            failed @ HashError::Failed(_) => Self::Hash(failed),
        }
    }
}

/// Lets users in.
pub struct Logins {
    accounts: Arc<Accounts>,
    consensus: Arc<Consensus>,
    hasher: Hasher,
    throttle: Throttle,
    setup_code: Mutex<Option<String>>,
}

impl Logins {
    /// Lets the users of a service in. Where there are none so far, the log is told how to make the first one.
    pub fn new(services: &Services) -> Self {
        let accounts = Arc::clone(services.consensus.accounts());
        let wanted = services.config.current().auth.method() == Ok(AuthMethod::Local) && accounts.has_no_users();
        let setup_code = wanted.then(new_code);
        if let Some(code) = &setup_code {
            // As an error, because less than that is not shown unless it is asked for.
            tracing::error!(
                "there are no users yet: open the page and give the set-up code {code}, good once and until the next start, or run \
                 `orchestrator -c create-user -user NAME -role admin`"
            );
        }
        Self {
            accounts,
            consensus: Arc::clone(&services.consensus),
            hasher: Hasher::new(),
            throttle: Throttle::default(),
            setup_code: Mutex::new(setup_code),
        }
    }

    /// The first user can be made with the code.
    pub fn needs_setup(&self) -> bool {
        self.accounts.has_no_users() && self.code().is_some()
    }

    /// The code of the set-up, for tests; `None` when it is done.
    #[doc(hidden)]
    pub fn code(&self) -> Option<String> {
        self.setup_code.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks a name and a password.
    ///
    /// # Errors
    /// [`LoginError::Wrong`], after the same time whatever is wrong; [`LoginError::Wait`]; [`LoginError::TooBusy`].
    pub async fn check(&self, name: &str, password: &str, address: &str) -> Result<UserRecord, LoginError> {
        // Whoever guesses from all over the world does not keep out those who are in, also after a restart.
        let is_known = self.accounts.addresses_of(name).iter().any(|known| is_same_origin(known, address));
        self.throttle.admit(name, address, is_known, Utc::now())?;
        let user = self.accounts.user(name);
        // No password is that long, whoever it is for.
        let verdict = if password.len() > LONGEST_PASSWORD {
            None
        } else {
            let hash = user.as_ref().map(|user| user.password_hash.as_str());
            let checked = self.hasher.check(password, hash).await;
            Some(checked.map_err(|_busy| {
                self.throttle.withdrawn(name, address);
                LoginError::TooBusy
            })?)
        };
        // Somebody may have removed the user while their password was hashed.
        let user = user
            .filter(|user| self.accounts.user(&user.name).is_some_and(|now| now.password_hash == user.password_hash));
        match (user, verdict) {
            (Some(user), Some(verdict)) if verdict.right => {
                self.throttle.succeeded(name, address, Utc::now());
                if verdict.outdated {
                    self.rehash(&user, password).await;
                }
                Ok(user)
            }
            _ => {
                self.throttle.failed(name, address, Utc::now());
                Err(LoginError::Wrong)
            }
        }
    }

    /// Sets a password. Other sessions than the one kept end.
    ///
    /// # Errors
    /// [`LoginError::Bad`] and what keeps it from being kept.
    pub async fn set_password(
        &self,
        name: &str,
        password: &str,
        keep_session: &str,
        actor: &Actor,
    ) -> Result<(), LoginError> {
        check_password(name, password)?;
        let hash = PasswordHashText(self.hasher.hash(password).await?);
        let (at, keep_session) = (Utc::now(), keep_session.to_owned());
        let command = Command::SetPassword { name: name.to_owned(), hash, at, is_new: true, keep_session };
        Ok(self.consensus.submit(command, actor).await?)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`LoginError::Bad`] and what keeps it from being kept.
    pub async fn new_user(&self, user: UserRecord, password: &str, actor: &Actor) -> Result<UserRecord, LoginError> {
        check_name("user", &user.name)?;
        check_password(&user.name, password)?;
        let password_hash = self.hasher.hash(password).await?;
        let user = UserRecord { password_hash, ..user };
        self.consensus.submit(Command::PutUser { user: Box::new(user.clone()), is_new: true }, actor).await?;
        Ok(user)
    }

    /// Makes the first administrator, once.
    ///
    /// # Errors
    /// [`LoginError::NoSetup`]; [`LoginError::Bad`], which leaves the code good.
    pub async fn set_up(
        &self,
        code: &str,
        name: &str,
        password: &str,
        asking: &Actor,
    ) -> Result<UserRecord, LoginError> {
        let (now, address) = (Utc::now(), asking.address.as_str());
        self.throttle.admit("", address, false, now)?;
        let expected = self.code().filter(|_| self.accounts.has_no_users());
        let given = code.trim().to_ascii_uppercase();
        let is_right = expected.is_some_and(|expected| expected.as_bytes().ct_eq(given.as_bytes()).into());
        if !is_right {
            self.throttle.failed("", address, now);
            return Err(LoginError::NoSetup);
        }
        self.throttle.succeeded("", address, now);
        check_name("user", name)?;
        check_password(name, password)?;
        // Of two who come at the same time one has it.
        let taken = self.setup_code.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(code) = taken else { return Err(LoginError::NoSetup) };
        let user = blank_user(name, Role::Admin, &[], now);
        let actor = Actor { name: name.to_owned(), method: "set-up".to_owned(), ..asking.clone() };
        let made = self.new_user(user, password, &actor).await;
        if made.is_err() {
            *self.setup_code.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
        }
        made
    }

    async fn rehash(&self, user: &UserRecord, password: &str) {
        let Ok(hash) = self.hasher.hash(password).await else { return };
        let command = Command::SetPassword {
            name: user.name.clone(),
            hash: PasswordHashText(hash),
            at: user.password_set,
            is_new: false,
            keep_session: String::new(),
        };
        if let Err(error) = self.consensus.submit(command, &Actor::system()).await {
            tracing::warn!(%error, user = user.name, "a password was not hashed anew");
        }
    }
}

/// A user without a password so far.
pub fn blank_user(name: &str, role: Role, clusters: &[String], now: DateTime<Utc>) -> UserRecord {
    UserRecord {
        name: name.to_owned(),
        password_hash: String::new(),
        role,
        clusters: clusters.to_vec(),
        created: now,
        password_set: now,
    }
}

/// Four groups of four, to be typed from a log: 78 bits.
fn new_code() -> String {
    let mut random = rand::rng();
    let mut letter = || CODE_LETTERS.get(random.random_range(0..CODE_LETTERS.len())).copied().map_or('2', char::from);
    let groups: Vec<String> = (0..4).map(|_| (0..4).map(|_| letter()).collect()).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, LiveConfig};
    use crate::node::Node;
    use crate::store::Store;

    const PASSWORD: &str = "correct horse battery";

    fn from(address: &str) -> Actor {
        Actor { address: address.to_owned(), ..Actor::named("anonymous") }
    }

    async fn logins() -> Logins {
        let config = Config::from_json(
            r#"{"AuthenticationMethod": "local", "BackendDB": "sqlite", "SQLite3DataFile": ":memory:"}"#,
        )
        .unwrap();
        let store = Store::in_memory().await.unwrap();
        let assembled = crate::services::assemble(Arc::new(LiveConfig::fixed(config)), store, Node::new("a")).await;
        Logins::new(&assembled.unwrap().write_behind())
    }

    #[tokio::test]
    async fn the_code_makes_one_administrator() {
        let logins = logins().await;
        let code = logins.code().unwrap();
        assert_eq!(code.len(), 19, "{code}");
        assert!(matches!(
            logins.set_up("2222-2222-2222-2222", "ann", PASSWORD, &from("")).await,
            Err(LoginError::NoSetup)
        ));
        assert!(
            matches!(logins.set_up(&code, "ann", "short", &from("")).await, Err(LoginError::Bad(_))),
            "the code stays good"
        );
        let typed = format!(" {} ", code.to_lowercase());
        let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));
        let (first, second) =
            tokio::join!(logins.set_up(&typed, "ann", PASSWORD, &one), logins.set_up(&typed, "eve", PASSWORD, &other));
        assert!(first.is_ok() != second.is_ok(), "of two at the same time one has it");
        assert!(!logins.needs_setup() && logins.code().is_none());
        let users = logins.accounts.users();
        assert_eq!(users.iter().map(|user| user.role).collect::<Vec<_>>(), [Role::Admin]);
        assert!(matches!(logins.set_up(&code, "eve", PASSWORD, &from("")).await, Err(LoginError::NoSetup)));
        assert!(logins.check(&users[0].name, PASSWORD, "").await.is_ok());
    }

    #[tokio::test]
    async fn without_a_code_nobody_is_made() {
        let logins = logins().await;
        logins.setup_code.lock().unwrap().take();
        for code in ["", " ", "-"] {
            assert!(
                matches!(logins.set_up(code, "ann", PASSWORD, &from("")).await, Err(LoginError::NoSetup)),
                "{code:?}"
            );
        }
        assert!(logins.accounts.has_no_users());
    }
}
