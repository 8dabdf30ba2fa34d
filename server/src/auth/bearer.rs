//! API tokens: `orc_`, 12 characters by which it is found, 32 that are secret, and 6 of a checksum.
//!
//! The prefix and the checksum let those who scan logs and repositories for secrets recognise one without asking us. Stored is a
//! digest of the whole; a token has too much chance in it for a slow hash to be of use.

use axum::http::{HeaderMap, header};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a token begins with.
pub const PREFIX: &str = "orc_";

const ID: usize = 12;
const SECRET: usize = 32;
const CHECKSUM: usize = 6;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new token. Without `Debug`: it is the secret itself.
pub struct Fresh {
    /// The token, to be shown once.
    pub secret: String,
    /// By which it is found.
    pub id: String,
    /// What is stored of it.
    pub digest: String,
}

/// A token that is one by its form.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Presented {
    pub(super) id: String,
    digest: String,
}

impl Presented {
    /// It is the one whose digest is on record.
    pub(super) fn is(&self, digest: &str) -> bool {
        self.digest.as_bytes().ct_eq(digest.as_bytes()).into()
    }
}

/// Makes a token.
pub fn fresh() -> Fresh {
    let mut random = rand::rng();
    let mut body: String = PREFIX.to_owned();
    body.extend((0..ID + SECRET).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])));
    let id = body.chars().skip(PREFIX.len()).take(ID).collect();
    let secret = format!("{body}{}", checksum(&body));
    let digest = digest(&secret);
    Fresh { secret, id, digest }
}

/// What a request says with `Authorization: Bearer`; `None` when it is not for us: other schemes, and tokens that a proxy in
/// front has let through for somebody else.
pub(super) fn presented(headers: &HeaderMap) -> Option<Result<Presented, NoToken>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, more) = (values.next()?.to_str().ok()?, values.next());
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || !token.starts_with(PREFIX) {
        return None;
    }
    // Of two nobody could tell which one counts.
    Some(if more.is_some() { Err(NoToken) } else { read(token) })
}

/// It begins like a token and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoToken;

fn read(token: &str) -> Result<Presented, NoToken> {
    let is_whole = token.len() == PREFIX.len() + ID + SECRET + CHECKSUM && token.is_ascii();
    let (body, sum) = is_whole.then(|| token.split_at(token.len() - CHECKSUM)).ok_or(NoToken)?;
    let plain = body.bytes().skip(PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric());
    if !plain || checksum(body) != sum {
        return Err(NoToken);
    }
    let id = body.chars().skip(PREFIX.len()).take(ID).collect();
    Ok(Presented { id, digest: digest(token) })
}

/// Six characters that a slip of the finger does not get right: the first bits of SHA-256, in letters and digits.
fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut rest = first;
    let mut sum = String::with_capacity(CHECKSUM);
    for _ in 0..CHECKSUM {
        let at = usize::try_from(rest % 62).unwrap_or(0);
        sum.push(LETTERS.get(at).copied().map_or('0', char::from));
        rest /= 62;
    }
    sum
}

/// Hexadecimal digits of SHA-256.
pub(super) fn digest(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_token_is_found_by_its_id_and_held_against_its_digest() {
        let (token, other) = (fresh(), fresh());
        assert_eq!(token.secret.len(), 4 + 12 + 32 + 6);
        let Some(Ok(presented)) = presented(&headers(&format!("bearer {}", token.secret))) else { panic!("no token") };
        assert_eq!(presented.id, token.id);
        assert!(presented.is(&token.digest) && !presented.is(&other.digest) && !presented.is(""));
        assert!(!token.digest.contains(&token.secret[4..]));
    }

    #[test]
    fn what_is_for_others_is_left_to_them() {
        for value in ["Basic b3JjXw==", "Bearer eyJhbGciOi", "Bearer", "orc_x", ""] {
            assert!(presented(&headers(value)).is_none(), "{value}");
        }
        let mut two = headers(&format!("Bearer {}", fresh().secret));
        two.append(header::AUTHORIZATION, HeaderValue::from_static("Basic eDp5"));
        assert!(matches!(presented(&two), Some(Err(NoToken))));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(at in 4_usize..54, with in "[0-9A-Za-z]") {
            let token = fresh().secret;
            let mut wrong = token.clone();
            wrong.replace_range(at..=at, &with);
            prop_assume!(wrong != token);
            prop_assert!(read(&wrong).is_err(), "{}", wrong);
        }

        #[test]
        fn anything_may_come(text in "\\PC{0,80}", tail in "[0-9A-Za-z]{0,60}") {
            for made_up in [text.clone(), format!("orc_{tail}"), format!("orc_{text}")] {
                prop_assert!(read(&made_up).is_err());
            }
        }
    }
}
