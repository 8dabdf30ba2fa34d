//! A caller, and the capabilities that handlers ask for.

use app::api::Role;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::api::ApiError;
use crate::consensus::Actor;

/// Who is calling and what they may do. Left with each request by the first layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User name; empty without authentication.
    pub user: String,
    /// Address; empty where it is not known (a socket of the operating system, a test).
    pub address: String,
    /// How they were told: `basic`, `multi`, `proxy`, `token`, `certificate`; empty where nobody has to say who they are.
    pub method: String,
    /// What they may do.
    pub role: Role,
    /// Why they may not change anything, for people; empty when they may.
    pub read_only_because: String,
}

/// The caller has not got the right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(String);

/// May see everything.
#[derive(Debug, Clone)]
pub struct Viewer {
    caller: Caller,
}

/// May change topology, downtime and promotion rules, and acknowledge.
#[derive(Debug, Clone)]
pub struct Operator {
    actor: Actor,
}

/// May change the service itself.
#[derive(Debug, Clone)]
pub struct Admin {
    actor: Actor,
}

impl Caller {
    /// The caller as the audit names them.
    pub fn actor(&self) -> Actor {
        let name = if self.user.is_empty() { "anonymous" } else { &self.user };
        Actor { address: self.address.clone(), method: self.method.clone(), ..Actor::named(name) }
    }

    /// The right to see.
    ///
    /// # Errors
    /// [`Denied`], with the reason.
    pub fn viewer(&self) -> Result<Viewer, Denied> {
        self.require(Role::Viewer)?;
        Ok(Viewer { caller: self.clone() })
    }

    /// The right to change what is managed.
    ///
    /// # Errors
    /// [`Denied`], with the reason.
    pub fn operator(&self) -> Result<Operator, Denied> {
        self.require(Role::Operator)?;
        Ok(Operator { actor: self.actor() })
    }

    /// The right to change the service.
    ///
    /// # Errors
    /// [`Denied`], with the reason.
    pub fn admin(&self) -> Result<Admin, Denied> {
        self.require(Role::Admin)?;
        Ok(Admin { actor: self.actor() })
    }

    fn require(&self, role: Role) -> Result<(), Denied> {
        if self.role >= role {
            return Ok(());
        }
        let why = if self.read_only_because.is_empty() {
            format!("{} has not got the right to do this", self.actor().name)
        } else {
            self.read_only_because.clone()
        };
        Err(Denied(why))
    }
}

impl Viewer {
    /// Who is looking.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl Operator {
    /// Who is acting, for the audit.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl Admin {
    /// Who is acting, for the audit.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        Self::forbidden(denied.to_string())
    }
}

/// The caller of a request. A request without one has come past the first layer: that is a bug, and it gets nothing.
fn caller_of(parts: &Parts) -> Result<&Caller, ApiError> {
    parts.extensions.get::<Caller>().ok_or_else(|| ApiError::internal("a request reached a handler unidentified"))
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(caller_of(parts)?.viewer()?)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(caller_of(parts)?.operator()?)
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(caller_of(parts)?.admin()?)
    }
}
