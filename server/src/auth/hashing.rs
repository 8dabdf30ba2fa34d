//! Hashing the passwords of users, off the async threads and not many at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Semaphore;

use super::passwords::TooBusy;
use crate::config::parse_hash;

/// The one place that says what a hash costs: 19 MiB and two passes, as OWASP advises for argon2id. A password whose hash was made
/// with others is hashed anew at its next login.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Passwords hashed at the same time. One leaves the other cores to probing, whatever is going on at the door.
const AT_WORK: usize = 1;

/// Logins that wait for that. Whoever comes then is sent away: at some 30 ms each the last one has waited long enough.
const IN_LINE: usize = 256;

/// What became of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It is the right one.
    pub(super) right: bool,
    /// Its hash was made with other parameters than the ones in force.
    pub(super) outdated: bool,
}

/// Hashes and checks.
#[derive(Debug)]
pub(super) struct Hasher {
    at_work: Arc<Semaphore>,
    line: Semaphore,
    /// What the password of a user is held against that there is not: the answer takes the same time then.
    decoy: String,
}

impl Hasher {
    pub(super) fn new() -> Self {
        let (salt, hash): ([u8; 16], [u8; 32]) = (rand::random(), rand::random());
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        let decoy = format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${hash}");
        Self { at_work: Arc::new(Semaphore::new(AT_WORK)), line: Semaphore::new(IN_LINE), decoy }
    }

    /// Whether a password is the one of a hash; without a hash it is not, in the same time.
    pub(super) async fn check(&self, password: &str, hash: Option<&str>) -> Result<Verdict, TooBusy> {
        let is_real = hash.is_some();
        let (hash, password) = (hash.unwrap_or(&self.decoy).to_owned(), password.to_owned());
        let verdict = self.in_turn(move || verify(&password, &hash)).await?;
        Ok(Verdict { right: verdict.right && is_real, ..verdict })
    }

    /// The hash of a new password.
    pub(super) async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        self.in_turn(move || hash_password(&password)).await.map_err(|TooBusy| HashError::TooBusy)?
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TooBusy> {
        let _place = self.line.try_acquire().map_err(|_| TooBusy)?;
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| TooBusy)?;
        let done = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, not when the caller has gone away.
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| TooBusy)
    }
}

/// A password was not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many others are.
    #[error("too many passwords are being hashed; try again in a second")]
    TooBusy,
    /// The library refuses.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

fn verify(password: &str, hash: &str) -> Verdict {
    // A hash in the backend that would cost too much is no more welcome than one in the file.
    let Ok(Some(hash)) = parse_hash(hash) else { return Verdict { right: false, outdated: false } };
    let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    Verdict { right, outdated: !is_current(&hash) }
}

fn is_current(hash: &PasswordHash) -> bool {
    let params = Params::try_from(hash);
    hash.algorithm.as_str() == "argon2id"
        && params.is_ok_and(|p| (p.m_cost(), p.t_cost(), p.p_cost()) == (MEMORY, PASSES, LANES))
}

/// The hash of a password, made here and now: for commands, which have nothing else to do.
///
/// # Errors
/// [`HashError::Failed`].
pub fn hash_password(password: &str) -> Result<String, HashError> {
    let failed = |error: &dyn std::fmt::Display| HashError::Failed(error.to_string());
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| failed(&error))?;
    let salt: [u8; 16] = rand::random();
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_params(password.as_bytes(), &salt, params)
        .map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hunter42` with the salt `example-salt`, cheap and so outdated.
    fn cheap() -> String {
        let params = Params::new(64, 1, 1, None).unwrap();
        let hash: PasswordHash =
            Argon2::default().hash_password_with_params(b"hunter42", b"example-salt", params).unwrap();
        hash.to_string()
    }

    #[tokio::test]
    async fn a_hash_is_checked_and_told_to_be_outdated() {
        let hasher = Hasher::new();
        let old = cheap();
        assert_eq!(hasher.check("hunter42", Some(&old)).await, Ok(Verdict { right: true, outdated: true }));
        assert!(!hasher.check("hunter43", Some(&old)).await.unwrap().right);
        let new = hasher.hash("hunter42").await.unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert_eq!(hasher.check("hunter42", Some(&new)).await, Ok(Verdict { right: true, outdated: false }));
        assert_ne!(new, hasher.hash("hunter42").await.unwrap(), "a salt of its own");
    }

    #[tokio::test]
    async fn nobody_and_nonsense_are_never_right() {
        let hasher = Hasher::new();
        assert!(parse_hash(&hasher.decoy).unwrap().is_some(), "it costs what a real one does");
        assert!(!hasher.check("hunter42", None).await.unwrap().right);
        for nonsense in ["", "hunter42", "$argon2id$", "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"] {
            assert!(!hasher.check("hunter42", Some(nonsense)).await.unwrap().right, "{nonsense}");
        }
    }

    #[tokio::test]
    async fn who_comes_when_the_line_is_full_is_sent_away() {
        let hasher = Hasher::new();
        let _line = hasher.line.acquire_many(u32::try_from(IN_LINE).unwrap()).await.unwrap();
        assert_eq!(hasher.check("hunter42", None).await, Err(TooBusy));
    }
}
