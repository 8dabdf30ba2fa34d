//! Access tokens (`spec/ha.md` 15.2): a public half that is handed out, is good for a short while and once, and is exchanged for
//! the secret half, which goes into a cookie.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use subtle::ConstantTimeEq as _;

use crate::config::AuthConfig;
use crate::node::random_hex;
use crate::store::{AccessToken, Store, StoreError};

/// The cookie that holds `PUBLIC:SECRET`.
pub const TOKEN_COOKIE: &str = "access-token";

/// A row that was read is not read again for this long; a token whose row is deleted works that much longer.
const REMEMBERED: TimeDelta = TimeDelta::seconds(5);

/// Rows kept for when the backend is away.
const MOST_TOKENS: u64 = 1_000;

/// A backend that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(1);

/// Half a token is not longer than its column.
const LONGEST: usize = 128;

/// The caller holds no token that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotHeld {
    /// There is none.
    #[error("changing things takes an access token")]
    None,
    /// It is unknown, wrong or too old.
    #[error("the access token is unknown or too old")]
    Bad,
    /// Nobody can tell.
    #[error("the access token cannot be checked: the backend database does not answer")]
    Unavailable,
}

/// The public half of a token was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefusal {
    /// Whatever is wrong with it: telling more would help only those who guess.
    #[error(
        "this public token is unknown, was used already or is too old; make a new one with `orchestrator -c access-token`"
    )]
    Unknown,
    /// The backend does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Clone)]
struct Known {
    token: AccessToken,
    read: DateTime<Utc>,
}

/// Tells the holders of tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    store: Store,
    known: Cache<String, Known>,
}

impl Tokens {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Cache::new(MOST_TOKENS) }
    }

    /// For whom the token was made that the request's cookie holds.
    pub(super) async fn holder(
        &self,
        auth: &AuthConfig,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Result<String, NotHeld> {
        let cookie = cookie(headers).ok_or(NotHeld::None)?;
        let (public, secret) = cookie.split_once(':').filter(|(p, s)| is_half(p) && is_half(s)).ok_or(NotHeld::Bad)?;
        let token = self.token(public, now).await?;
        let is_right = public.as_bytes().ct_eq(token.public_token.as_bytes())
            & secret.as_bytes().ct_eq(token.secret_token.as_bytes());
        if bool::from(is_right) && is_in_time(auth, &token, now) { Ok(token.generated_by) } else { Err(NotHeld::Bad) }
    }

    /// The row of a token. While the backend is away, as it was when it was last read: who holds a token must be able to act then.
    async fn token(&self, public: &str, now: DateTime<Utc>) -> Result<AccessToken, NotHeld> {
        let known = self.known.get(public);
        if let Some(known) = known.as_ref().filter(|known| now - known.read < REMEMBERED) {
            return Ok(known.token.clone());
        }
        match tokio::time::timeout(PATIENCE, self.store.access_token(public)).await {
            Ok(Ok(Some(token))) => {
                self.known.insert(public.to_owned(), Known { token: token.clone(), read: now });
                Ok(token)
            }
            Ok(Ok(None)) => {
                self.known.invalidate(public);
                Err(NotHeld::Bad)
            }
            Ok(Err(_)) | Err(_) => {
                let token = known.ok_or(NotHeld::Unavailable)?.token;
                // Not every request waits for a backend that is away.
                self.known.insert(public.to_owned(), Known { token: token.clone(), read: now });
                Ok(token)
            }
        }
    }
}

/// Makes a token and returns its public half.
///
/// # Errors
/// What the backend says.
pub async fn make_token(store: &Store, owner: &str, now: DateTime<Utc>) -> Result<String, StoreError> {
    let public = random_hex();
    store.create_access_token(&public, &random_hex(), owner, now).await?;
    Ok(public)
}

/// Exchanges the public half of a token for the whole: within `AccessTokenUseExpirySeconds` and once, unless its row says that it
/// may be done again.
///
/// # Errors
/// [`TokenRefusal`].
pub async fn acquire_token(
    store: &Store,
    auth: &AuthConfig,
    public: &str,
    now: DateTime<Utc>,
) -> Result<AccessToken, TokenRefusal> {
    if !is_half(public) {
        return Err(TokenRefusal::Unknown);
    }
    let patience = TimeDelta::try_seconds(signed(auth.token_use_expiry_seconds)).unwrap_or(TimeDelta::MAX);
    let made_after = now.checked_sub_signed(patience).unwrap_or(DateTime::UNIX_EPOCH);
    store.acquire_access_token(public, made_after, now).await?.ok_or(TokenRefusal::Unknown)
}

/// It was handed out, and `AccessTokenExpiryMinutes` are not over.
fn is_in_time(auth: &AuthConfig, token: &AccessToken, now: DateTime<Utc>) -> bool {
    let life = TimeDelta::try_minutes(signed(auth.token_expiry_minutes)).unwrap_or(TimeDelta::MAX);
    let is_young = token.generated_at.is_some_and(|made| now - made < life);
    token.is_reentrant || (token.is_acquired && is_young)
}

/// Half a token: letters and digits, as it is put into addresses and cookies.
fn is_half(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == TOKEN_COOKIE).map(|(_, value)| value.trim_matches('"'))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
