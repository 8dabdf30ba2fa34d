//! Who is calling, and what they may do (`spec/ha.md` 15, `spec/api.md` 1.5, 1.6).
//!
//! [`Doorkeeper`] looks at each request once and leaves a [`Caller`] with it. A handler asks for a capability,
//! [`Viewer`], [`Operator`] or [`Admin`]; these can be made here only, from a caller who has the right. A handler that asks for
//! none is visibly public.
//!
//! The methods are those of the original: none, `basic`, `multi`, `proxy`, `token`, and on top of each the switch `ReadOnly`.
//! What they mean is said once, by [`crate::config::AuthConfig::method`]; a service whose configuration names another one does not
//! start. `docs/SECURITY.md` lists where we differ from the original, and why.

mod caller;
mod cross_site;
mod doorkeeper;
mod groups;
mod origin;
mod passwords;
mod tokens;

pub use caller::{Admin, Caller, Denied, Operator, Viewer};
pub use cross_site::{CrossSite, refuse_cross_site, refuse_stated_cross_site};
pub use doorkeeper::{Doorkeeper, Identity, Refusal, claimed_user};
pub use origin::{client_address, is_over_tls};
pub use tokens::{TOKEN_COOKIE, TokenRefusal, acquire_token, make_token};

#[cfg(test)]
mod tests;
