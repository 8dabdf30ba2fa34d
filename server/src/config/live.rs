//! The running configuration and its reload: section 5 of the configuration document.
//!
//! Two things differ from the original, which reads the files on top of the running values and dies of an invalid one:
//! a reload starts from the defaults, so that it gives what a restart would give, and an invalid file changes nothing.
//! Variables that are used at start only keep their running value, so that no reader sees one that is not in force.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;

use super::{Config, ConfigError, Loaded, Reload, Secrets, Sources, Switches, load, validate};

/// When a changed variable counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesEffect {
    /// Now.
    Now,
    /// After a restart; the running value has not changed.
    AfterRestart,
    /// Never: the variable has no effect.
    Never,
}

/// A variable whose value in the files differs from the running one.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The variable.
    pub key: &'static str,
    /// The running value; secrets are redacted.
    pub from: Value,
    /// The value in the files; secrets are redacted.
    pub to: Value,
    /// When it counts.
    pub takes_effect: TakesEffect,
}

/// What a reload did.
#[derive(Debug, Clone)]
pub struct ReloadReport {
    /// Counts the configurations of this process; 1 is that of the start.
    pub generation: u64,
    /// Names of the files that were read.
    pub files: Vec<String>,
    /// What differs, in the order of the documentation.
    pub changed: Vec<Change>,
    /// As at start.
    pub warnings: Vec<String>,
    /// As at start.
    pub not_in_effect: Vec<&'static str>,
}

impl ReloadReport {
    /// Variables whose new value waits for a restart.
    #[must_use]
    pub fn needs_restart(&self) -> Vec<&'static str> {
        self.changed
            .iter()
            .filter(|change| change.takes_effect == TakesEffect::AfterRestart)
            .map(|change| change.key)
            .collect()
    }
}

/// The last reload and how it ended.
#[derive(Debug, Clone)]
pub struct ReloadOutcome {
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// What it did, or why it was refused.
    pub result: Result<ReloadReport, String>,
}

/// The running configuration. Share it in an `Arc`; take [`LiveConfig::current`] anew for each piece of work.
#[derive(Debug)]
pub struct LiveConfig {
    current: ArcSwap<Config>,
    sources: Option<Sources>,
    last_reload: Mutex<Option<ReloadOutcome>>,
    generation: watch::Sender<u64>,
    switches: Switches,
}

impl LiveConfig {
    /// Starts with a configuration that was read from these sources.
    #[must_use]
    pub fn new(config: Config, sources: Sources) -> Self {
        let switches = sources.switches();
        Self { switches, ..Self::build(config, Some(sources)) }
    }

    /// A configuration without sources: a reload changes nothing. For tests.
    #[must_use]
    pub fn fixed(config: Config) -> Self {
        Self::build(config, None)
    }

    fn build(config: Config, sources: Option<Sources>) -> Self {
        Self {
            current: ArcSwap::from_pointee(config),
            sources,
            last_reload: Mutex::new(None),
            generation: watch::Sender::new(1),
            switches: Switches::default(),
        }
    }

    /// With switches of the command line.
    #[must_use]
    pub fn with_switches(self, switches: Switches) -> Self {
        Self { switches, ..self }
    }

    /// The switches of the command line, which hold for the process.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.switches
    }

    /// The configuration in force.
    #[must_use]
    pub fn current(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// Tells of each exchange by a growing number.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The last reload, if there was one.
    #[must_use]
    pub fn last_reload(&self) -> Option<ReloadOutcome> {
        self.history().clone()
    }

    fn history(&self) -> MutexGuard<'_, Option<ReloadOutcome>> {
        // The value is replaced as a whole, so a panic elsewhere cannot leave half of one.
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the sources again, then `extra` this once, and puts the result in force. Reads small files and blocks
    /// while it does.
    ///
    /// # Errors
    /// As [`super::load`] and [`Config::check_service`]; the running configuration stays as it was.
    pub fn reload(&self, now: DateTime<Utc>, extra: Option<&Path>) -> Result<ReloadReport, ConfigError> {
        // Held throughout: of two reloads at the same time, the later one also reads later.
        let mut history = self.history();
        let result = self.exchange(extra);
        *history = Some(ReloadOutcome {
            at: now,
            result: match &result {
                Ok(report) => Ok(report.clone()),
                Err(error) => Err(error.to_string()),
            },
        });
        result
    }

    fn exchange(&self, extra: Option<&Path>) -> Result<ReloadReport, ConfigError> {
        let running = self.current();
        let loaded = match &self.sources {
            Some(sources) => load::load_with(sources, extra)?,
            None => Loaded {
                config: Config::clone(&running),
                files: Vec::new(),
                warnings: Vec::new(),
                not_in_effect: running.not_in_effect(),
            },
        };
        let changed = differences(&running, &loaded.config);
        let next = keep_start_values(&running, loaded.config);
        // Each half was valid with its own other half; together they need not be.
        let problems = validate::problems(&next);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(problems));
        }
        next.check_service()?;
        if *running != next {
            self.current.store(Arc::new(next));
            self.generation.send_modify(|generation| *generation += 1);
        }
        Ok(ReloadReport {
            generation: *self.generation.borrow(),
            files: loaded.files,
            changed,
            warnings: loaded.warnings,
            not_in_effect: loaded.not_in_effect,
        })
    }
}

fn differences(running: &Config, next: &Config) -> Vec<Change> {
    Config::keys()
        .filter(|key| in_force(running, key.name, Secrets::Reveal) != in_force(next, key.name, Secrets::Reveal))
        .map(|key| Change {
            key: key.name,
            from: in_force(running, key.name, Secrets::Redact),
            to: in_force(next, key.name, Secrets::Redact),
            takes_effect: match key.reload {
                Reload::Live => TakesEffect::Now,
                Reload::Start => TakesEffect::AfterRestart,
                Reload::Nothing => TakesEffect::Never,
            },
        })
        .collect()
}

/// The value that counts. The listener's address follows from more than its own variable, for instance from whether
/// that one is in the file at all.
fn in_force(config: &Config, name: &str, secrets: Secrets) -> Value {
    if name == "ListenAddress" {
        return Value::from(config.effective_listen().address);
    }
    config.read(name, secrets).unwrap_or_default()
}

/// The next configuration with the running values of what is used at start only.
fn keep_start_values(running: &Config, mut next: Config) -> Config {
    for key in Config::keys().filter(|key| key.reload == Reload::Start) {
        if let Some(value) = running.read(key.name, Secrets::Reveal) {
            // A value that was written from this very type is of the right one.
            let _ = next.assign(key.name, &value);
        }
        if running.is_given(key.name) {
            next.given.insert(key.name);
        } else {
            next.given.remove(key.name);
        }
    }
    next
}
