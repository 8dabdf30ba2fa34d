//! What a command works with, and how its arguments become servers and clusters (`spec/cli.md` 4).
//!
//! Two things differ from the original, on purpose. A `-i` that cannot be read or resolved is an error, where the original
//! acts on the local host. And what changes something takes names as they are or as short host names, where the
//! original takes any part of a name.

use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Instance, Snapshot};

use super::flags::Arguments;
use crate::config::Config;
use crate::consensus::Actor;
use crate::lookup::{self, Hint, Reach};
use crate::services::Services;

/// Why a command failed: the text of its FATAL line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure with these words.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// What a command prints on standard output, line ends included.
pub type Outcome = Result<String, Failure>;

/// One run of a command.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The rooms.
    pub services: Arc<Services>,
    /// The configuration.
    pub config: Arc<Config>,
    /// The command line; `-i` holds one element.
    pub arguments: Arguments,
    /// Name of the operating system's user.
    pub user: String,
    /// Name of this machine.
    pub hostname: String,
}

impl Bench {
    /// The picture now.
    pub fn snapshot(&self) -> Snapshot {
        self.services.fleet.snapshot()
    }

    /// Who is asking, for the audit.
    pub fn actor(&self) -> Actor {
        Actor { name: format!("cli:{}", self.owner()), address: String::new() }
    }

    /// `-owner`, else the operating system's user.
    pub fn owner(&self) -> &str {
        if self.arguments.owner.is_empty() { &self.user } else { &self.arguments.owner }
    }

    /// `-reason`, which must be given.
    ///
    /// # Errors
    /// When it is not.
    pub fn reason(&self) -> Result<&str, Failure> {
        match self.arguments.reason.trim() {
            "" => Err(Failure::new("--reason option required")),
            reason => Ok(reason),
        }
    }

    /// The server of `-i` for reading; this machine without it.
    ///
    /// # Errors
    /// When it cannot be read or resolved.
    pub async fn instance(&self) -> Result<InstanceKey, Failure> {
        self.resolved(&self.arguments.instance, Reach::Contains).await
    }

    /// The server of `-i` to be changed; this machine without it.
    ///
    /// # Errors
    /// When it cannot be read or resolved.
    pub async fn target(&self) -> Result<InstanceKey, Failure> {
        self.resolved(&self.arguments.instance, Reach::ShortName).await
    }

    /// The server of `-i`, which must be known.
    ///
    /// # Errors
    /// When it is not.
    pub async fn known(&self) -> Result<Arc<Instance>, Failure> {
        let key = self.instance().await?;
        self.services.fleet.get(&key).ok_or_else(|| Failure::new(format!("Instance not found: {key}")))
    }

    /// The server of `-d`.
    ///
    /// # Errors
    /// When it is not given or cannot be resolved.
    pub async fn destination(&self, reach: Reach) -> Result<InstanceKey, Failure> {
        self.optional_destination(reach)
            .await?
            .ok_or_else(|| Failure::new("Cannot deduce destination: -d is not given"))
    }

    /// The server of `-d`, if it is given.
    ///
    /// # Errors
    /// When it cannot be resolved.
    pub async fn optional_destination(&self, reach: Reach) -> Result<Option<InstanceKey>, Failure> {
        if self.arguments.destination.trim().is_empty() {
            return Ok(None);
        }
        self.resolved(&self.arguments.destination, reach).await.map(Some)
    }

    /// The server of `-i` as written, neither resolved nor stretched.
    ///
    /// # Errors
    /// When it is not given or cannot be read.
    pub fn raw(&self) -> Result<InstanceKey, Failure> {
        let text = self.arguments.instance.trim();
        if text.is_empty() {
            return Err(Failure::new("Cannot deduce instance: -i is not given"));
        }
        self.parsed(text)
    }

    /// The server of a text, by its resolved name; this machine for an empty one.
    ///
    /// # Errors
    /// When it cannot be read or resolved.
    pub async fn resolved(&self, text: &str, reach: Reach) -> Result<InstanceKey, Failure> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(InstanceKey::new(&self.hostname, self.config.general.default_port()));
        }
        let key = self.parsed(text)?;
        let snapshot = self.snapshot();
        if snapshot.get(&key).is_some() || !key.is_valid() {
            return Ok(key);
        }
        let hostname = self.services.discovery.resolver().resolve(&key.hostname).await.map_err(Failure::new)?;
        Ok(lookup::widen(&snapshot, InstanceKey::new(hostname, key.port), reach))
    }

    fn parsed(&self, text: &str) -> Result<InstanceKey, Failure> {
        InstanceKey::parse(text, self.config.general.default_port()).map_err(Failure::new)
    }

    /// The cluster of `-alias`, else of `-i`, else of this machine. As in the original, a name that means nothing is
    /// an ERROR line and an empty cluster name: what that means is the command's business.
    pub fn cluster(&self) -> String {
        match self.cluster_within(Reach::Contains) {
            Ok(name) => name,
            Err(failure) => {
                tracing::error!("{failure}");
                String::new()
            }
        }
    }

    /// The cluster to be changed: what is named must be known, and nothing else is taken instead.
    ///
    /// # Errors
    /// When it is not.
    pub fn cluster_to_change(&self) -> Result<String, Failure> {
        if self.arguments.alias.trim().is_empty() && self.arguments.instance.trim().is_empty() {
            return Err(Failure::new("Cannot deduce cluster: neither -alias nor -i is given"));
        }
        let named = [&self.arguments.alias, &self.arguments.instance].into_iter().find(|text| !text.trim().is_empty());
        let text = named.map(String::as_str).unwrap_or_default();
        self.hinted(text, Reach::Exact).ok_or_else(|| unknown_cluster(text))
    }

    fn cluster_within(&self, reach: Reach) -> Result<String, Failure> {
        let this_machine = format!("{}:{}", self.hostname, self.config.general.default_port());
        let candidates = [(self.arguments.alias.as_str(), Reach::Exact), (self.arguments.instance.as_str(), reach)];
        for (text, reach) in candidates {
            if let Some(name) = self.hinted(text, reach) {
                return Ok(name);
            }
        }
        if let Some(name) = self.hinted(&this_machine, Reach::Exact) {
            return Ok(name);
        }
        let given = candidates.into_iter().map(|(text, _)| text).find(|text| !text.is_empty());
        Err(unknown_cluster(given.unwrap_or(&this_machine)))
    }

    fn hinted(&self, text: &str, reach: Reach) -> Option<String> {
        match lookup::cluster_by_hint(&self.snapshot(), &self.config, text, reach) {
            Hint::Cluster(name) => Some(name),
            Hint::Unknown => None,
        }
    }
}

fn unknown_cluster(text: &str) -> Failure {
    Failure::new(format!("Unable to determine cluster: nothing known is called {:?}", text.trim()))
}

/// One line for each.
pub fn lines<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| format!("{item}\n")).collect()
}

/// The keys of servers, one a line.
pub fn key_lines<'a>(servers: impl IntoIterator<Item = &'a Arc<Instance>>) -> String {
    lines(servers.into_iter().map(|i| i.key.clone()))
}
