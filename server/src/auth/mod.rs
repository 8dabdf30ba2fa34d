//! Who is calling, and what they may do (`spec/ha.md` 15, `spec/api.md` 1.5, 1.6).
//!
//! [`Doorkeeper`] looks at each request once and leaves a [`Caller`] with it. A handler asks for a capability,
//! [`Viewer`], [`Operator`] or [`Admin`]; these can be made here only, from a caller who has the right. A handler that asks for
//! none is visibly public.
//!
//! The methods are those of the original, none, `basic`, `multi`, `proxy`, `token`, and users of our own who log in, `local`; with each
//! of them API tokens count, and on top of each stands the switch `ReadOnly`.
//! What they mean is said once, by [`crate::config::AuthConfig::method`]; a service whose configuration names another one does not
//! start. `docs/SECURITY.md` lists where we differ from the original, and why.

mod bearer;
mod caller;
mod cross_site;
mod doorkeeper;
mod groups;
mod hashing;
mod logins;
mod origin;
mod passwords;
mod sessions;
mod throttle;
mod tokens;
mod upkeep;

pub use bearer::{Fresh as FreshToken, PREFIX as TOKEN_PREFIX, fresh as fresh_token};
pub use caller::{Admin, Caller, Denied, NoProof, Operator, Viewer};
pub use cross_site::{CrossSite, ForeignName, refuse_cross_site, refuse_foreign_name, refuse_stated_cross_site};
pub use doorkeeper::{COMMAND_LINE, Doorkeeper, Identity, Refusal, claimed_user, shown_user};
pub use hashing::{HashError, hash_password};
pub use logins::{LoginError, Logins, blank_user};
pub use origin::{client_address, is_over_tls};
pub use sessions::{Beginning, SESSION_COOKIE, SessionKeeper, begin as begin_session, end as end_session, idle_limit};
pub use throttle::Wait;
pub use tokens::{TOKEN_COOKIE, TokenRefusal, acquire_token, make_token};
pub use upkeep::{note_used, start as start_upkeep, until_ended};

#[cfg(test)]
mod tests;
