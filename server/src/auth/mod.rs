//! Who is calling, and what they may do (`spec/ha.md` 15, `spec/api.md` 1.5, 1.6).
//!
//! [`identify_caller`] looks at each request once and leaves a [`Caller`] with it. A handler asks for a capability,
//! [`Viewer`], [`Operator`] or [`Admin`]; these can be made here only, from a caller who has the right. A handler that asks for
//! none is visibly public.
//!
//! Three methods are in force in this release: none, `basic`, and on top of either the switch `ReadOnly`. The others are
//! refused at start ([`check_method`]): a service that quietly lets people in, or out, by another rule than the one in its
//! file is worse than one that does not start.

mod caller;
mod cross_site;
mod identify;

pub use caller::{Admin, Caller, Denied, Operator, Viewer};
pub use cross_site::{CrossSite, refuse_cross_site};
pub use identify::{Identity, Unauthenticated, identify_caller};

use crate::config::{AuthConfig, AuthMethod};

/// The configured method is not built yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "AuthenticationMethod {method:?} is not built yet in this release; use \"basic\" (with HTTPAuthUser and \
     HTTPAuthPassword), or leave it empty and set \"ReadOnly\": true to let everybody read and nobody change anything"
)]
pub struct UnbuiltMethod {
    method: String,
}

/// Whether callers can be told apart by the configured method.
///
/// # Errors
/// [`UnbuiltMethod`], naming it and the ways out.
pub fn check_method(auth: &AuthConfig) -> Result<(), UnbuiltMethod> {
    match auth.method() {
        AuthMethod::Open | AuthMethod::Basic => Ok(()),
        AuthMethod::Multi | AuthMethod::Proxy | AuthMethod::Token | AuthMethod::OAuth => {
            Err(UnbuiltMethod { method: auth.authentication_method.clone() })
        }
    }
}

#[cfg(test)]
mod tests;
