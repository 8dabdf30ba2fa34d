//! Who may do what: the contract of logins, sessions, users and tokens, and the rules that need no clock and no database.
//!
//! | method and path | body → answer |
//! |---|---|
//! | `GET /api/v2/me` | [`Me`], also for somebody who has not logged in (`role` is `null` then) |
//! | `POST /api/v2/login` | [`LoginRequest`] → [`Me`] and the session's cookie; 401, or 429 with `Retry-After` |
//! | `POST /api/v2/setup` | [`SetupRequest`] → [`Me`]: makes the first administrator, with the code that the log shows |
//! | `POST /api/v2/logout` | 204 |
//! | `POST /api/v2/password` | [`PasswordRequest`] → 204; the user's other sessions end |
//! | `GET /api/v2/sessions` | list of [`SessionRow`]: one's own; administrators see all |
//! | `DELETE /api/v2/sessions/{id}` | 204 |
//! | `GET /api/v2/tokens` | list of [`TokenRow`]: one's own; administrators see all |
//! | `POST /api/v2/tokens` | [`NewToken`] → 201 [`MadeToken`]: the token is shown this once |
//! | `DELETE /api/v2/tokens/{id}` | 204 |
//! | `GET /api/v2/users` | list of [`UserRow`] (administrators) |
//! | `POST /api/v2/users` | [`NewUser`] → 201 [`UserRow`] (administrators) |
//! | `PATCH /api/v2/users/{name}` | [`ChangeUser`] → [`UserRow`] (administrators) |
//! | `DELETE /api/v2/users/{name}` | 204 (administrators) |
//!
//! With a session every request that is not a `GET` carries the header [`CSRF_HEADER`] with [`Me::csrf_token`]; without
//! it the answer is 403 with code `csrf`. `login` and `setup` need none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::Role;

/// The header that carries a session's token with every change.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// A password has at least this many characters.
pub const SHORTEST_PASSWORD: usize = 10;

/// A password has at most this many bytes: hashing more only costs.
pub const LONGEST_PASSWORD: usize = 512;

/// Names of users and tokens have at most this many characters.
pub const LONGEST_NAME: usize = 64;

/// Somebody is limited by at most this many patterns.
pub const MOST_PATTERNS: usize = 50;

/// The caller, for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// User name; empty for somebody who has not said who they are.
    pub user: String,
    /// `AuthenticationMethod` in force, lower case; empty for none.
    pub method: String,
    /// What the caller may do; `None` for somebody who has to log in first.
    pub role: Option<Role>,
    /// The clusters that the caller may change: names, aliases or patterns of them; all when empty.
    pub clusters: Vec<String>,
    /// Why the caller may not change anything, for people; empty when they may.
    pub read_only_because: String,
    /// There are logins here: the page offers to log in and out.
    pub has_logins: bool,
    /// There is no user yet: `setup` makes the first one.
    pub needs_setup: bool,
    /// To be sent in [`CSRF_HEADER`] with every change; `None` without a session.
    pub csrf_token: Option<String>,
    /// When the session ends at the latest; `None` without a session.
    pub session_ends: Option<DateTime<Utc>>,
}

/// Body of a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginRequest {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

/// Body of the set-up.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetupRequest {
    /// The code that the service's log shows at its start.
    pub code: String,
    /// Name of the first administrator.
    pub user: String,
    /// Password, of at least 10 characters.
    pub password: String,
}

/// Body of a change of one's own password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordRequest {
    /// The one until now.
    pub old: String,
    /// The new one, of at least 10 characters.
    pub new: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRow {
    /// By which it is ended. It is of no use to anybody who wants to have the session.
    pub id: String,
    /// Whose.
    pub user: String,
    /// Address it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// Begun.
    pub created: DateTime<Utc>,
    /// Last request.
    pub last_seen: DateTime<Utc>,
    /// When it ends at the latest.
    pub ends: DateTime<Utc>,
    /// It is the one that asks.
    pub is_current: bool,
}

/// Body of a new token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// What it is for; one maker's tokens have different names.
    pub name: String,
    /// What its holder may do: at most what its maker may.
    pub role: Role,
    /// The clusters that its holder may change, within those of its maker; all of those when empty.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// It ends after this many days; never when missing.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRow {
    /// By which it is revoked; the part of the token after `orc_`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Who made it.
    pub owner: String,
    /// What its holder may do, as far as its maker may.
    pub role: Role,
    /// The clusters that its holder may change, within those of its maker.
    pub clusters: Vec<String>,
    /// Made.
    pub created: DateTime<Utc>,
    /// When it ends; `None` for never.
    pub ends: Option<DateTime<Utc>>,
    /// Last request, to a minute; `None` when there was none.
    pub last_used: Option<DateTime<Utc>>,
    /// Address of that.
    pub last_used_from: String,
    /// Why it is good for nothing although it has not ended; empty when it is good.
    pub dead_because: String,
}

/// A new token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeToken {
    /// The token. Nobody can show it again.
    pub secret: String,
    /// How it is listed.
    pub token: TokenRow,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRow {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The clusters that they may change; all when empty.
    pub clusters: Vec<String>,
    /// Made.
    pub created: DateTime<Utc>,
    /// The password is that old.
    pub password_set: DateTime<Utc>,
    /// Open sessions.
    pub sessions: u32,
    /// Tokens that they made.
    pub tokens: u32,
}

/// Body of a new user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// Name: letters, digits, `.`, `_`, `-` and `@`.
    pub name: String,
    /// Password, of at least 10 characters.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// The clusters that they may change; all when empty. Not with role `admin`.
    #[serde(default)]
    pub clusters: Vec<String>,
}

/// Body of a change of a user: what is missing stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeUser {
    /// What they may do.
    #[serde(default)]
    pub role: Option<Role>,
    /// The clusters that they may change; all when empty.
    #[serde(default)]
    pub clusters: Option<Vec<String>>,
    /// A new password. All their sessions end.
    #[serde(default)]
    pub password: Option<String>,
}

/// Bodies with passwords do not show them.
macro_rules! hide_secrets {
    ($($body:ident { $($shown:ident),* })*) => {$(
        impl std::fmt::Debug for $body {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($body))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    )*};
}
hide_secrets! {
    LoginRequest { user }
    SetupRequest { user }
    PasswordRequest {}
    MadeToken { token }
    NewUser { name, role, clusters }
    ChangeUser { role, clusters }
}

/// The clusters that somebody may change. Reading is never limited.
///
/// It is a list of lists of patterns: a cluster has to match one pattern of each list. A token is limited by its own list and by
/// that of its maker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterLimit(Vec<Vec<String>>);

impl ClusterLimit {
    /// Every cluster.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those that match one of the patterns; every cluster without patterns.
    pub fn to(patterns: &[String]) -> Self {
        if patterns.is_empty() { Self::none() } else { Self(vec![patterns.to_vec()]) }
    }

    /// Nothing is out of reach.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Only what both allow.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut lists = self.0.clone();
        lists.extend(other.0.iter().filter(|list| !self.0.contains(list)).cloned());
        Self(lists)
    }

    /// A cluster of this name and alias may be changed.
    pub fn allows(&self, name: &str, alias: &str) -> bool {
        let matches = |pattern: &String| glob(pattern, name) || (!alias.is_empty() && glob(pattern, alias));
        self.0.iter().all(|list| list.iter().any(matches))
    }

    /// The patterns, for people and for [`Me::clusters`]: of several lists the last, which is the narrowest by intent.
    pub fn patterns(&self) -> Vec<String> {
        self.0.last().cloned().unwrap_or_default()
    }
}

impl std::fmt::Display for ClusterLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lists: Vec<String> = self.0.iter().map(|list| list.join(", ")).collect();
        f.write_str(&if lists.is_empty() { "all".to_owned() } else { lists.join("; and of these ") })
    }
}

/// What was given for a user, token or password is not what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAccess(String);

/// A name of a user: it goes into logs, addresses and the audit, so it is plain.
///
/// # Errors
/// What was given and what is expected.
pub fn check_name(what: &str, name: &str) -> Result<(), BadAccess> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.chars().all(plain) && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(BadAccess(format!(
        "{what}: expected 1 to {LONGEST_NAME} letters, digits and . _ - @, the first a letter or digit, got {name:?}"
    )))
}

/// What a token is for, in words. It stands in logs and in the audit, so it is one line of plain text.
///
/// # Errors
/// What was given and what is expected.
pub fn check_label(what: &str, label: &str) -> Result<(), BadAccess> {
    let printable = |c: char| c.is_ascii_graphic() || c == ' ';
    if !label.is_empty() && label.trim() == label && label.chars().all(printable) && label.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(BadAccess(format!(
        "{what}: expected 1 to {LONGEST_NAME} printable ASCII characters, no blank at either end, got {label:?}"
    )))
}

/// A new password.
///
/// # Errors
/// What is expected; the password is not shown.
pub fn check_password(user: &str, password: &str) -> Result<(), BadAccess> {
    let length = password.chars().count();
    if length < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
        return Err(BadAccess(format!(
            "password: expected {SHORTEST_PASSWORD} characters at least and {LONGEST_PASSWORD} bytes at most, got {length} characters"
        )));
    }
    if password.eq_ignore_ascii_case(user) || password.chars().all(|c| password.starts_with(c)) {
        return Err(BadAccess(
            "password: expected something harder to guess than the name or one character".to_owned(),
        ));
    }
    Ok(())
}

/// A role with the patterns that limit it.
///
/// # Errors
/// An administrator changes the service itself, which is in no cluster; and what is wrong with a pattern.
pub fn check_limit(role: Role, patterns: &[String]) -> Result<(), BadAccess> {
    if role == Role::Admin && !patterns.is_empty() {
        let message =
            "clusters: an admin changes the service itself and cannot be limited to clusters; expected role operator";
        return Err(BadAccess(message.to_owned()));
    }
    if patterns.len() > MOST_PATTERNS {
        return Err(BadAccess(format!("clusters: expected at most {MOST_PATTERNS} patterns, got {}", patterns.len())));
    }
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != ',';
    match patterns.iter().find(|p| p.is_empty() || p.len() > 128 || !p.chars().all(plain)) {
        Some(bad) => Err(BadAccess(format!(
            "clusters: expected names or aliases of clusters, * for any text and ? for a character, got {bad:?}"
        ))),
        None => Ok(()),
    }
}

/// Whether a text is as a pattern says: `*` is any text, `?` any character, everything else itself.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn limit(patterns: &[&str]) -> ClusterLimit {
        ClusterLimit::to(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    #[rstest]
    #[case::everything(&[], "db1:3306", "orders", true)]
    #[case::name(&["db1:3306"], "db1:3306", "orders", true)]
    #[case::alias(&["orders"], "db1:3306", "orders", true)]
    #[case::no_part(&["order"], "db1:3306", "orders", false)]
    #[case::case_counts(&["Orders"], "db1:3306", "orders", false)]
    #[case::star(&["ord*"], "db1:3306", "orders", true)]
    #[case::one_character(&["order?"], "db1:3306", "orders", true)]
    #[case::stars(&["*rd*s"], "db1:3306", "orders", true)]
    #[case::another(&["users", "payments"], "db1:3306", "orders", false)]
    #[case::an_empty_alias_is_none(&["?*"], "", "", false)]
    #[case::no_expression(&[".*"], "db1:3306", "orders", false)]
    fn a_cluster_is_meant_by_name_or_alias(
        #[case] patterns: &[&str],
        #[case] name: &str,
        #[case] alias: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(limit(patterns).allows(name, alias), expected);
    }

    #[test]
    fn two_limits_allow_what_both_do() {
        let both = limit(&["orders*"]).and(&limit(&["*-eu"]));
        assert!(both.allows("x", "orders-eu"));
        assert!(!both.allows("x", "orders-us") && !both.allows("x", "users-eu"));
        assert_eq!(both.and(&limit(&["*-eu"])), both);
    }

    proptest! {
        #[test]
        fn a_limit_never_grows(a in prop::collection::vec("[ab*?]{0,4}", 0..3), b in prop::collection::vec("[ab*?]{0,4}", 0..3), name in "[ab]{0,5}", alias in "[ab]{0,5}") {
            let (a, b) = (ClusterLimit::to(&a), ClusterLimit::to(&b));
            prop_assert_eq!(a.and(&b).allows(&name, &alias), a.allows(&name, &alias) && b.allows(&name, &alias));
        }

        #[test]
        fn a_pattern_is_what_the_expression_says(pattern in "[ab.*?]{0,6}", text in "[ab.]{0,8}") {
            let expression: String = pattern.chars().map(|c| match c {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                c => regex::escape(&c.to_string()),
            }).collect();
            let expected = regex::Regex::new(&format!("^{expression}$")).unwrap().is_match(&text);
            prop_assert_eq!(glob(&pattern, &text), expected);
        }

        #[test]
        fn names_are_plain_whatever_is_given(name in "\\PC{0,80}") {
            if check_name("user", &name).is_ok() {
                prop_assert!(name.is_ascii() && !name.contains(['/', '?', '#', ' ', '"', ':']) && name.len() <= LONGEST_NAME);
            }
        }
    }

    #[rstest]
    #[case("nightly report", true)]
    #[case("ci/deploy #2", true)]
    #[case("", false)]
    #[case(" x", false)]
    #[case("two\nlines", false)]
    #[case("\u{202e}desrever", false)]
    fn what_a_token_is_for_is_a_line_of_plain_text(#[case] label: &str, #[case] is_good: bool) {
        assert_eq!(check_label("name", label).is_ok(), is_good);
        assert!(check_label("name", &label.repeat(65)).is_err());
    }

    #[test]
    fn an_administrator_has_no_limit() {
        assert!(check_limit(Role::Admin, &["orders".to_owned()]).is_err());
        assert!(check_limit(Role::Operator, &["orders".to_owned()]).is_ok());
        assert!(check_limit(Role::Operator, &["a,b".to_owned()]).is_err());
        assert!(check_limit(Role::Operator, &[String::new()]).is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        let error = check_password("dba", "hunter2").expect_err("too short");
        assert!(!error.to_string().contains("hunter2"));
        assert!(check_password("dba", "aaaaaaaaaaaaaaaa").is_err());
        assert!(check_password("dbadbadbadba", "DBADBADBADBA").is_err());
        assert!(check_password("dba", "correct horse").is_ok());
        let body = format!("{:?}", LoginRequest { user: "dba".to_owned(), password: "hunter2".to_owned() });
        assert!(body.contains("dba") && !body.contains("hunter2"), "{body}");
    }
}
