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

    /// Who is asking, for the audit: whoever runs the command, whatever `-owner` says.
    pub fn actor(&self) -> Actor {
        Actor { method: "command line".to_owned(), ..Actor::named(format!("cli:{}", self.user)) }
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
            "" => Err(Failure::new("--reason option required: expected -reason TEXT")),
            reason => Ok(reason),
        }
    }

    /// Transactions that may be lost (`-accept-loss-of`); `None` without it.
    pub fn accepted_loss(&self) -> Option<String> {
        let given = self.arguments.accept_loss_of.trim();
        (!given.is_empty()).then(|| given.to_owned())
    }

    /// The server of `-i` for reading; this machine without it.
    ///
    /// # Errors
    /// When it cannot be read or resolved.
    pub async fn instance(&self) -> Result<InstanceKey, Failure> {
        self.resolved(&self.arguments.instance, Reach::Contains).await
    }

    /// The server of `-i` to be changed, which must be known; this machine without it.
    ///
    /// # Errors
    /// When it cannot be read or resolved, or is not known.
    pub async fn target(&self) -> Result<InstanceKey, Failure> {
        let key = self.past_target().await?;
        if self.services.fleet.get(&key).is_none() {
            return Err(self.unknown(&key));
        }
        Ok(key)
    }

    /// The same for something that may be on record of a server that is known no more.
    ///
    /// # Errors
    /// When it cannot be read or resolved.
    pub async fn past_target(&self) -> Result<InstanceKey, Failure> {
        self.resolved(&self.arguments.instance, Reach::ShortName).await
    }

    /// The server of `-i` is not known.
    pub fn unknown(&self, key: &InstanceKey) -> Failure {
        let hint = if self.arguments.instance.trim().is_empty() {
            "; expected -i host[:port]. Without it this machine is meant, which is not known"
        } else {
            "; expected a known one, see the commands search and discover"
        };
        Failure::new(format!("Instance not found: {key}{hint}"))
    }

    /// The server of `-i`, which must be known.
    ///
    /// # Errors
    /// When it is not.
    pub async fn known(&self) -> Result<Arc<Instance>, Failure> {
        let key = self.instance().await?;
        self.services.fleet.get(&key).ok_or_else(|| self.unknown(&key))
    }

    /// The server of `-d`, which must be known.
    ///
    /// # Errors
    /// When it is not given, cannot be resolved or is not known.
    pub async fn destination(&self, reach: Reach) -> Result<InstanceKey, Failure> {
        self.optional_destination(reach)
            .await?
            .ok_or_else(|| Failure::new("Cannot deduce destination: expected -d host[:port], which is not given"))
    }

    /// The server of `-d`, which must be known if it is given.
    ///
    /// # Errors
    /// When it cannot be resolved or is not known.
    pub async fn optional_destination(&self, reach: Reach) -> Result<Option<InstanceKey>, Failure> {
        if self.arguments.destination.trim().is_empty() {
            return Ok(None);
        }
        let key = self.resolved(&self.arguments.destination, reach).await?;
        if self.services.fleet.get(&key).is_none() {
            return Err(Failure::new(format!("Instance not found: {key}; expected a known one for -d")));
        }
        Ok(Some(key))
    }

    /// The server of `-i` as written, neither resolved nor stretched.
    ///
    /// # Errors
    /// When it is not given or cannot be read.
    pub fn raw(&self) -> Result<InstanceKey, Failure> {
        let text = self.arguments.instance.trim();
        if text.is_empty() {
            return Err(Failure::new("Cannot deduce instance: expected -i host[:port], which is not given"));
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

    /// The cluster of `-alias`, else of `-i`, else of this machine. When nothing is given and this machine is in no
    /// cluster, that is an ERROR line and an empty name, as in the original: what that means is the command's business.
    ///
    /// # Errors
    /// What was given means nothing. The original goes on with an empty name here too, which is all clusters for some
    /// commands.
    pub fn cluster(&self) -> Result<String, Failure> {
        match self.cluster_within(Reach::Contains) {
            Ok(name) => Ok(name),
            Err(failure) if self.names_cluster() => Err(failure),
            Err(failure) => {
                tracing::error!("{failure}");
                Ok(String::new())
            }
        }
    }

    /// `-alias` or `-i` is given.
    pub fn names_cluster(&self) -> bool {
        !(self.arguments.alias.trim().is_empty() && self.arguments.instance.trim().is_empty())
    }

    /// The cluster to be changed: what is named must be known, and nothing else is taken instead.
    ///
    /// # Errors
    /// When it is not.
    pub fn cluster_to_change(&self) -> Result<String, Failure> {
        if !self.names_cluster() {
            return Err(Failure::new("Cannot deduce cluster: expected -alias or -i, neither is given"));
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
        // What was given is meant: this machine is no second choice.
        if let Some(name) = self.hinted(&this_machine, Reach::Exact).filter(|_| !self.names_cluster()) {
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
    let text = text.trim();
    Failure::new(format!(
        "Unable to determine cluster: nothing known is called {text:?}; expected an alias or a name (see clusters-alias), or \
         a member"
    ))
}

/// One line for each.
pub fn lines<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| format!("{item}\n")).collect()
}

/// The keys of servers, one a line.
pub fn key_lines<'a>(servers: impl IntoIterator<Item = &'a Arc<Instance>>) -> String {
    lines(servers.into_iter().map(|i| i.key.clone()))
}
