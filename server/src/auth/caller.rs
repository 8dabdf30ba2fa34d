//! A caller, and the capabilities that handlers ask for.

use std::time::Instant;

use app::access::{CSRF_HEADER, ClusterLimit};
use app::api::Role;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;

use crate::accounts::Pass;
use crate::api::{ApiError, ErrorKind};
use crate::consensus::Actor;

/// Who is calling and what they may do. Left with each request by the first layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User name; empty without authentication.
    pub user: String,
    /// Address; empty where it is not known (a socket of the operating system, a test).
    pub address: String,
    /// How they were told: `basic`, `multi`, `proxy`, `token`, `local`, `api-token`,
    /// `certificate`;  empty where nobody has to say who they are.
    pub method: String,
    /// What they may do.
    pub role: Role,
    /// Why they may not change anything, for people; empty when they may.
    pub read_only_because: String,
    /// The clusters that they may change.
    pub limit: ClusterLimit,
    /// They have not said who they are where they have to: they see the page without anything on it.
    pub signed_out: bool,
    /// By what they were let in, if it can be taken from them.
    pub pass: Option<Pass>,
    /// Name of the API token that they hold; empty without one.
    pub token_name: String,
    /// What their page sends with each change, with a session.
    pub csrf_token: Option<String>,
    /// When their session ends at the latest.
    pub session_ends: Option<DateTime<Utc>>,
    /// When their request came.
    pub since: Instant,
}

/// The caller has not got the right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// They have to say who they are.
    #[error("log in first")]
    SignedOut,
    /// They may not; says who may.
    #[error("{0}")]
    Forbidden(String),
}

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
    caller: Caller,
}

/// A change with a session comes without what our own page would send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header {CSRF_HEADER} is missing or wrong: expected csrf_token of GET /api/v2/me")]
pub struct NoProof;

impl Caller {
    /// The caller as the audit names them.
    pub fn actor(&self) -> Actor {
        let name = match (self.user.as_str(), self.token_name.as_str()) {
            ("", _) => "anonymous".to_owned(),
            (user, "") => user.to_owned(),
            (user, token) => format!("{user} (token {token})"),
        };
        let (address, method, limit) = (self.address.clone(), self.method.clone(), self.limit.clone());
        Actor { address, method, limit, since: Some(self.since), ..Actor::named(name) }
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
        // The service itself is in no cluster.
        if !self.limit.is_none() {
            return Err(Denied::Forbidden(format!(
                "{} may change clusters {} only; an administrator without a limit may do this",
                self.actor().name,
                self.limit
            )));
        }
        Ok(Admin { actor: self.actor(), caller: self.clone() })
    }

    /// With a session, a change has to carry what only our own page can know.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn prove_page(&self, headers: &HeaderMap) -> Result<(), NoProof> {
        let Some(expected) = &self.csrf_token else { return Ok(()) };
        let mut given = headers.get_all(CSRF_HEADER).iter();
        let is_right = given.next().is_some_and(|given| given.as_bytes().ct_eq(expected.as_bytes()).into());
        if is_right && given.next().is_none() { Ok(()) } else { Err(NoProof) }
    }

    fn require(&self, role: Role) -> Result<(), Denied> {
        if self.signed_out {
            return Err(Denied::SignedOut);
        }
        if self.role >= role {
            return Ok(());
        }
        let who_could = match role {
            Role::Viewer => "viewers",
            Role::Operator => "operators and administrators",
            Role::Admin => "administrators",
        };
        let why = if self.read_only_because.is_empty() {
            let is = if self.role == Role::Viewer { "a viewer" } else { "an operator" };
            format!("{} is {is} here; {who_could} may do this", self.actor().name)
        } else {
            self.read_only_because.clone()
        };
        Err(Denied::Forbidden(why))
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
    /// Who is acting.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who is acting, for the audit.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SignedOut => Self::new(ErrorKind::Unauthenticated, denied.to_string()),
            Denied::Forbidden(why) => Self::forbidden(why),
        }
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
