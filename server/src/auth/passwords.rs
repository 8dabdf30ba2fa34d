//! Checking a name and a password against the one pair of the configuration.
//!
//! By construction a refusal takes the same way whatever was wrong: name and password are both compared in full, by digests of
//! one length, and a hashed password is hashed for the wrong name too. Only the pair that is right as a whole, and was a moment
//! ago, is spared the hashing.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::Semaphore;

use super::doorkeeper::Credentials;
use crate::config::{AuthConfig, ExpectedPassword};

/// Passwords hashed at the same time; each takes a core, and the memory that its hash names.
const AT_WORK: usize = 2;

/// Requests that wait for that. Whoever comes then is sent away.
const IN_LINE: usize = 64;

/// As many requests as can wait do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooBusy;

/// Digest under a key of this process: of one length, and of no use to anybody else.
type Digest = [u8; 32];

/// Checks passwords. Without `Debug`: the key is nobody's business.
pub(super) struct Passwords {
    key: [u8; 32],
    /// What was last found right: of the pair and of what it was held against, so that a changed configuration forgets it.
    found_right: ArcSwapOption<Digest>,
    at_work: Arc<Semaphore>,
    line: Semaphore,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            key: rand::random(),
            found_right: ArcSwapOption::empty(),
            at_work: Arc::new(Semaphore::new(AT_WORK)),
            line: Semaphore::new(IN_LINE),
        }
    }

    /// Whether these are `HTTPAuthUser` and `HTTPAuthPassword`.
    pub(super) async fn are_right(&self, auth: &AuthConfig, given: &Credentials) -> Result<bool, TooBusy> {
        let right_user = self.same(&given.user, &auth.user);
        let right_password = match auth.expected_password() {
            Ok(ExpectedPassword::Plain(password)) => self.same(&given.password, password.reveal()),
            Ok(ExpectedPassword::Hashed(hash)) => {
                let pair = self.digest(&[&auth.user, auth.password.reveal(), &given.user, &given.password]);
                if self.was_right(&pair) {
                    return Ok(true);
                }
                let right = self.fits(&hash, given, &pair).await?;
                if bool::from(right_user & right) {
                    self.found_right.store(Some(Arc::new(pair)));
                }
                right
            }
            // Refused at start and at a reload.
            Err(_) => Choice::from(0),
        };
        Ok((right_user & right_password).into())
    }

    /// Hashes the password, off the async threads, when it is its turn.
    async fn fits(&self, hash: &PasswordHash, given: &Credentials, pair: &Digest) -> Result<Choice, TooBusy> {
        let _place = self.line.try_acquire().map_err(|_| TooBusy)?;
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| TooBusy)?;
        // A page asks for many things at once; the first of them has settled it.
        if self.was_right(pair) {
            return Ok(Choice::from(1));
        }
        let (hash, password) = (hash.clone(), given.password.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, not when the caller has gone away.
            let _turn = turn;
            argon2::Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        });
        Ok(Choice::from(u8::from(hashed.await.unwrap_or(false))))
    }

    fn was_right(&self, pair: &Digest) -> bool {
        self.found_right.load().as_ref().is_some_and(|right| right.ct_eq(pair).into())
    }

    /// In a time that depends on what was given only.
    fn same(&self, given: &str, expected: &str) -> Choice {
        self.digest(&[given]).ct_eq(&self.digest(&[expected]))
    }

    fn digest(&self, parts: &[&str]) -> Digest {
        let mut digest = Sha256::new().chain_update(self.key);
        for part in parts {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    /// `hunter42` with the salt `example-salt`, cheap.
    fn hashed() -> AuthConfig {
        use argon2::password_hash::CustomizedPasswordHasher as _;
        let params = argon2::Params::new(64, 1, 1, None).unwrap();
        let hash: PasswordHash = argon2::Argon2::default()
            .hash_password_customized(b"hunter42", b"example-salt", None, None, params)
            .unwrap();
        AuthConfig { user: "dba".to_owned(), password: Secret::new(hash.to_string()), ..AuthConfig::default() }
    }

    fn pair(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    #[tokio::test]
    async fn only_the_pair_that_is_right_as_a_whole_is_remembered() {
        let (passwords, auth) = (Passwords::new(), hashed());
        for wrong in
            [pair("dba", "hunter43"), pair("abd", "hunter42"), pair("", ""), pair("dba", auth.password.reveal())]
        {
            assert_eq!(passwords.are_right(&auth, &wrong).await, Ok(false));
            assert!(passwords.found_right.load().is_none(), "a wrong pair must cost a hash each time");
        }
        assert_eq!(passwords.are_right(&auth, &pair("dba", "hunter42")).await, Ok(true));
        assert!(passwords.found_right.load().is_some());
        // The right password with a wrong name is not spared: its time would tell that the password is right.
        let taken = Arc::clone(&passwords.at_work).acquire_many_owned(u32::try_from(AT_WORK).unwrap()).await.unwrap();
        assert_eq!(passwords.are_right(&auth, &pair("dba", "hunter42")).await, Ok(true), "no hashing");
        let wrong_name = pair("abd", "hunter42");
        let check = passwords.are_right(&auth, &wrong_name);
        let patience = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, check).await.is_err(), "it waits for its turn to be hashed");
        drop(taken);
    }

    #[tokio::test]
    async fn a_changed_configuration_forgets_who_was_right() {
        let (passwords, auth) = (Passwords::new(), hashed());
        assert_eq!(passwords.are_right(&auth, &pair("dba", "hunter42")).await, Ok(true));
        let renamed = AuthConfig { user: "root".to_owned(), ..auth.clone() };
        assert_eq!(passwords.are_right(&renamed, &pair("dba", "hunter42")).await, Ok(false));
        let plain = AuthConfig { password: Secret::new("other"), ..auth };
        assert_eq!(passwords.are_right(&plain, &pair("dba", "hunter42")).await, Ok(false));
    }

    #[tokio::test]
    async fn who_comes_when_the_line_is_full_is_sent_away() {
        let (passwords, auth) = (Passwords::new(), hashed());
        let _line = passwords.line.acquire_many(u32::try_from(IN_LINE).unwrap()).await.unwrap();
        assert_eq!(passwords.are_right(&auth, &pair("dba", "hunter42")).await, Err(TooBusy));
    }
}
