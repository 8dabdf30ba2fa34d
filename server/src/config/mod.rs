//! The configuration: one flat JSON file of PascalCase names, as the original has it, read into one struct per concern.
//!
//! - [`load`] reads the files, passwords and environment, and checks the result ([`ConfigError`], warnings).
//! - [`Config`] is the result. It is plain data: who needs a part takes that part.
//! - [`LiveConfig`] holds the running one and exchanges it at a reload.
//!
//! Each variable is declared once, in `sections/`; see [`table`].

mod access;
mod adjust;
mod choice;
mod cluster_seconds;
mod credentials;
mod environment;
mod error;
pub mod filters;
pub mod hook_list;
mod json;
mod listen;
mod live;
mod load;
pub mod loss;
mod names;
mod networks;
pub mod password;
pub mod patterns;
pub mod secret;
pub mod sections;
mod span;
mod summary;
pub mod table;
mod validate;
pub mod value;
pub mod webhooks;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

pub use cluster_seconds::ClusterSeconds;
pub use error::{ConfigError, Problem};
pub use listen::{EffectiveListen, ListenReason};
pub use live::{Change, LiveConfig, ReloadOutcome, ReloadReport, TakesEffect};
pub use load::{Environment, Files, Loaded, Sources, Switches, load};
pub use networks::Networks;
pub(crate) use password::parse_hash;
pub use secret::Secret;
pub use sections::agents::AgentsConfig;
pub use sections::audit::AuditConfig;
pub use sections::auth::{AuthConfig, AuthMethod, ExpectedPassword, READ_ONLY_USER, UnusableMethod};
pub use sections::backend::{BackendConfig, BackendKind};
pub use sections::candidates::CandidatesConfig;
pub use sections::classification::ClassificationConfig;
pub use sections::detection::DetectionConfig;
pub use sections::discovery::DiscoveryConfig;
pub use sections::extensions::ExtensionsConfig;
pub use sections::general::GeneralConfig;
pub use sections::hooks::HooksConfig;
pub use sections::kv::KvConfig;
pub use sections::metrics::MetricsConfig;
pub use sections::obsolete::ObsoleteConfig;
pub use sections::pseudo_gtid::PseudoGtidConfig;
pub use sections::raft::RaftConfig;
pub use sections::recovery::RecoveryConfig;
pub use sections::resolve::{HostnameResolveMethod, MysqlHostnameResolveMethod, ResolveConfig};
pub use sections::semi_sync::SemiSyncConfig;
pub use sections::tls::TlsConfig;
pub use sections::topology::TopologyConfig;
pub use table::{Effect, KeySpec, Reload, Section};
pub use value::{Kind, Mismatch, Secrets};

/// Declares [`Config`] and what runs over all of its sections.
macro_rules! compose {
    ($( $(#[doc = $doc:literal])+ $field:ident : $section:ty, )+) => {
        /// The whole configuration.
        ///
        /// `Config::default()` holds the bare defaults of each variable. The configuration of an empty file differs
        /// from it in the derived values (see `adjust`): use [`Config::from_json`] with `{}` for that one.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Config {
            $( $(#[doc = $doc])+ pub $field: $section, )+
            /// Names that a file (or a command-line flag) gave a value to.
            given: BTreeSet<&'static str>,
        }

        impl Config {
            /// Titles and variables of all sections, in the order of the documentation.
            #[must_use]
            pub fn sections() -> Vec<(&'static str, &'static [KeySpec])> {
                vec![ $( (<$section>::TITLE, <$section>::KEYS), )+ ]
            }

            /// Sets a variable from JSON without marking it as given; `None` when there is no such name (exact case).
            fn assign(&mut self, name: &str, value: &Value) -> Option<Result<(), Mismatch>> {
                $(
                    if let Some(result) = self.$field.assign(name, value) {
                        return Some(result);
                    }
                )+
                None
            }

            /// The value of a variable as JSON; `None` when there is no such name (exact case).
            #[must_use]
            pub fn read(&self, name: &str, secrets: Secrets) -> Option<Value> {
                None $( .or_else(|| self.$field.read(name, secrets)) )+
            }

            /// What is odd about single values that are accepted all the same.
            fn complaints(&self) -> Vec<(&'static str, String)> {
                let mut found = Vec::new();
                $( found.extend(self.$field.complaints()); )+
                found
            }
        }
    };
}

compose! {
    /// Process and page.
    general: GeneralConfig,
    /// Backend database.
    backend: BackendConfig,
    /// Access to the monitored servers.
    topology: TopologyConfig,
    /// Discovery and polling.
    discovery: DiscoveryConfig,
    /// Host name resolution.
    resolve: ResolveConfig,
    /// Classification.
    classification: ClassificationConfig,
    /// Candidates, pools and problem display.
    candidates: CandidatesConfig,
    /// Pseudo-GTID.
    pseudo_gtid: PseudoGtidConfig,
    /// Failure detection.
    detection: DetectionConfig,
    /// Recovery.
    recovery: RecoveryConfig,
    /// Semi-sync.
    semi_sync: SemiSyncConfig,
    /// Hooks.
    hooks: HooksConfig,
    /// Key-value stores.
    kv: KvConfig,
    /// Raft.
    raft: RaftConfig,
    /// Authentication and authorisation.
    auth: AuthConfig,
    /// TLS of our own listener.
    tls: TlsConfig,
    /// Agents.
    agents: AgentsConfig,
    /// Audit.
    audit: AuditConfig,
    /// Metrics.
    metrics: MetricsConfig,
    /// Old names. Merged into the others; nothing else should read them.
    obsolete: ObsoleteConfig,
    /// Variables of our own.
    extensions: ExtensionsConfig,
}

impl Config {
    /// All variables, in the order of the documentation.
    pub fn keys() -> impl Iterator<Item = &'static KeySpec> {
        Self::sections().into_iter().flat_map(|(_, keys)| keys)
    }

    /// The variable of that name, in any case.
    #[must_use]
    pub fn key(name: &str) -> Option<&'static KeySpec> {
        Self::keys().find(|key| key.name.eq_ignore_ascii_case(name))
    }

    /// Reads the text of one file without looking at the process's environment; for tests and tools.
    ///
    /// # Errors
    /// As [`load`].
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        load::from_text(text, &|_| None).map(|loaded| loaded.config)
    }

    /// Whether a file or a flag gave the variable a value.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    /// All variables with their values, in the order of the documentation.
    #[must_use]
    pub fn to_map(&self, secrets: Secrets) -> IndexMap<&'static str, Value> {
        Self::keys().filter_map(|key| Some((key.name, self.read(key.name, secrets)?))).collect()
    }

    /// All variables as one line of JSON with `<`, `>` and `&` escaped: the form of the command `dump-config`.
    #[must_use]
    pub fn to_json_line(&self, secrets: Secrets) -> String {
        // Text keys and JSON values cannot fail to serialise.
        let line = serde_json::to_string(&self.to_map(secrets)).unwrap_or_default();
        line.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
    }

    /// Variables set to something else than their default whose feature does not exist in this release.
    #[must_use]
    pub fn not_in_effect(&self) -> Vec<&'static str> {
        let defaults = Self::default();
        Self::keys()
            .filter(|key| key.effect != Effect::InEffect && self.is_given(key.name))
            .map(|key| key.name)
            .filter(|name| {
                // Redacted is enough: a secret that is set differs from one that is not.
                !same(self.read(name, Secrets::Redact), defaults.read(name, Secrets::Redact))
            })
            .collect()
    }
}

/// Whether two values mean the same: `null` and an empty list do.
fn same(a: Option<Value>, b: Option<Value>) -> bool {
    let empty = |value: &Option<Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    a == b || (empty(&a) && empty(&b))
}
