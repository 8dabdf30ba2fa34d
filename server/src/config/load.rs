//! Reading: which files, on top of what, in which order (sections 1 to 4 of the configuration document).
//!
//! Files are merged one on top of the other. Credentials files, the environment and the checks come after the last
//! one; the original runs them after each file and so refuses a file that is only valid together with a later one.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::{
    Config, ConfigError, Kind, KvConfig, Problem, Secret, adjust, credentials, environment, json, names, validate,
};

/// Looks up a variable of the process environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Which files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// This one; it must be readable.
    Only(PathBuf),
    /// All of these that exist, in this order, each on top of the former ones.
    Search(Vec<PathBuf>),
}

impl Files {
    /// The places of the original: `/etc`, then `conf` and the working directory.
    #[must_use]
    pub fn standard() -> Self {
        Self::Search(
            ["/etc/orchestrator.conf.json", "conf/orchestrator.conf.json", "orchestrator.conf.json"]
                .map(PathBuf::from)
                .to_vec(),
        )
    }
}

/// Everything that a configuration is made from. The same sources are read again at a reload.
#[derive(Clone)]
pub struct Sources {
    files: Files,
    overrides: Vec<(String, Value)>,
    environment: Environment,
    switches: Switches,
}

/// Switches of the command line that no file has: they hold for the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// `-skip-binlog-search`: entries are looked for in relay logs only.
    pub skip_binlog_search: bool,
    /// `-skip-unresolve`: replicas are told the names that sources are known by, whatever virtual names are registered.
    pub skip_unresolve: bool,
    /// `-skip-unresolve-check`: a virtual name that does not lead to the source is passed over, and is no failure.
    pub skip_unresolve_check: bool,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("files", &self.files)
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Files, and the environment they may refer to.
    #[must_use]
    pub fn new(files: Files, environment: Environment) -> Self {
        Self { files, overrides: Vec::new(), environment, switches: Switches::default() }
    }

    /// The file given on the command line, or else the standard places, with the environment of this process.
    #[must_use]
    pub fn of_process(config_file: Option<PathBuf>) -> Self {
        let files = config_file.map_or_else(Files::standard, Files::Only);
        let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::new(files, Arc::new(environment))
    }

    /// A value from the command line that wins over all files, now and at each reload.
    #[must_use]
    pub fn with_override(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.overrides.push((name.into(), value.into()));
        self
    }

    /// With switches of the command line.
    #[must_use]
    pub fn with_switches(self, switches: Switches) -> Self {
        Self { switches, ..self }
    }

    /// The switches of the command line.
    pub(super) fn switches(&self) -> Switches {
        self.switches
    }
}

/// A configuration that was read, and what is to be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Names of the files that were read, in order.
    pub files: Vec<String>,
    /// What was accepted and is probably not meant.
    pub warnings: Vec<String>,
    /// Variables that are set and whose feature does not exist in this release.
    pub not_in_effect: Vec<&'static str>,
}

/// Reads the configuration.
///
/// # Errors
/// The first file that cannot be taken over, or all broken rules of the result.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    load_with(sources, None)
}

/// As [`load`], with one more file after the others, which is left out with a warning when it cannot be read.
pub(super) fn load_with(sources: &Sources, extra: Option<&Path>) -> Result<Loaded, ConfigError> {
    let mut reading = Reading::default();
    match &sources.files {
        Files::Only(path) => {
            let bytes = std::fs::read(path)
                .map_err(|source| ConfigError::Unreadable { file: path.display().to_string(), source })?;
            reading.file(&path.display().to_string(), &bytes)?;
        }
        Files::Search(paths) => {
            for path in paths {
                reading.file_if_there(path, ErrorKind::NotFound)?;
            }
        }
    }
    if let Some(path) = extra {
        // Whoever asked for this file wants to know that it was not there.
        reading.file_if_there(path, ErrorKind::Other)?;
    }
    if !sources.overrides.is_empty() {
        reading.entries("(command line)", sources.overrides.clone())?;
    }
    reading.finish(sources.environment.as_ref())
}

/// Reads one text instead of files.
pub(super) fn from_text(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let mut reading = Reading::default();
    reading.file("(text)", text.as_bytes())?;
    reading.finish(environment)
}

#[derive(Default)]
struct Reading {
    config: Config,
    files: Vec<String>,
    warnings: Vec<String>,
}

impl Reading {
    /// Reads a file that need not be there; a failure of another kind than `silent` is a warning.
    fn file_if_there(&mut self, path: &Path, silent: ErrorKind) -> Result<(), ConfigError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => self.file(&name, &bytes),
            Err(error) => {
                if error.kind() != silent {
                    self.warnings.push(format!("config file {name} is left out: {error}"));
                }
                Ok(())
            }
        }
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ConfigError> {
        let entries = json::entries(bytes).map_err(|reason| ConfigError::Syntax { file: name.to_owned(), reason })?;
        self.entries(name, entries)?;
        self.files.push(name.to_owned());
        Ok(())
    }

    fn entries(&mut self, file: &str, entries: Vec<(String, Value)>) -> Result<(), ConfigError> {
        let mut unknown = BTreeSet::new();
        for (name, value) in entries {
            let Some(key) = Config::key(&name) else {
                if !names::is_comment(&name) {
                    unknown.insert(name);
                }
                continue;
            };
            let result = self.config.assign(key.name, &value).unwrap_or(Ok(()));
            result.map_err(|mismatch| ConfigError::WrongType {
                file: file.to_owned(),
                key: key.name,
                given: mismatch.given,
                expected: mismatch.expected,
            })?;
            // A null leaves a scalar as it was.
            if !value.is_null()
                || matches!(key.kind, Kind::Strings | Kind::Object | Kind::Counts | Kind::Objects | Kind::Hooks)
            {
                self.config.given.insert(key.name);
            }
        }
        let unknown = unknown.iter().map(|name| about_unknown(name, file));
        self.warnings.extend(unknown);
        adjust::merge_renamed(&mut self.config).map_err(|problem| ConfigError::Invalid(vec![problem]))
    }

    fn finish(mut self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
        let backend = &mut self.config.backend;
        read_credentials(
            "MySQLOrchestratorCredentialsConfigFile",
            &backend.credentials_config_file,
            &mut backend.user,
            &mut backend.password,
        )?;
        let topology = &mut self.config.topology;
        read_credentials(
            "MySQLTopologyCredentialsConfigFile",
            &topology.credentials_config_file,
            &mut topology.user,
            &mut topology.password,
        )?;
        for (name, password) in
            [("MySQLOrchestratorPassword", &mut backend.password), ("MySQLTopologyPassword", &mut topology.password)]
        {
            self.warnings.extend(substitute(name, password, environment));
        }
        self.warnings.extend(take_consul_token(&mut self.config.kv, environment));
        adjust::derive(&mut self.config);
        let problems: Vec<Problem> = validate::problems(&self.config);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(problems));
        }
        self.warnings.extend(validate::warnings(&self.config));
        Ok(Loaded {
            not_in_effect: self.config.not_in_effect(),
            config: self.config,
            files: self.files,
            warnings: self.warnings,
        })
    }
}

/// With transactions and without a token of its own, the original's client takes one from the environment
/// (`spec/config.md` 7.13). Gives what is odd about it.
fn take_consul_token(kv: &mut KvConfig, environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if !kv.uses_transactions() || !kv.consul_acl_token.is_empty() {
        return None;
    }
    let given = |name: &str| environment(name).filter(|value| !value.is_empty());
    if let Some(token) = given("CONSUL_HTTP_TOKEN") {
        kv.consul_acl_token = Secret::new(token);
        return None;
    }
    let file = given("CONSUL_HTTP_TOKEN_FILE")?;
    match std::fs::read_to_string(&file) {
        Ok(token) => {
            kv.consul_acl_token = Secret::new(token.trim());
            None
        }
        Err(error) => Some(format!("CONSUL_HTTP_TOKEN_FILE {file} cannot be read: {error}; no token is used")),
    }
}

fn about_unknown(name: &str, file: &str) -> String {
    if names::is_retired(name) {
        return format!("{name} in {file} is no variable any more and is ignored");
    }
    let hint = names::suggest(name, Config::keys().map(|key| key.name))
        .map(|known| format!("; did you mean {known}?"))
        .unwrap_or_default();
    let shown: String = name.chars().take(80).collect();
    format!("{shown:?} in {file} is not known and is ignored{hint}")
}

/// Replaces user and password by those of the credentials file, if one is named.
fn read_credentials(
    key: &'static str,
    file: &str,
    user: &mut String,
    password: &mut Secret,
) -> Result<(), ConfigError> {
    if file.is_empty() {
        return Ok(());
    }
    let failed = |reason: String| ConfigError::Credentials { key, file: file.to_owned(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let found = credentials::parse(&text).map_err(failed)?;
    *user = found.user;
    *password = found.password;
    Ok(())
}

/// Takes a password from the environment if it asks for that; says so when there is none.
fn substitute(name: &str, password: &mut Secret, environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let variable = environment::variable_name(password.reveal())?.to_owned();
    let value = environment(&variable);
    let warning =
        value.is_none().then(|| format!("{name}: the environment has no variable {variable:?}; the password is empty"));
    *password = Secret::new(value.unwrap_or_default());
    warning
}

impl Loaded {
    /// Lines to log at start-up, without warnings: what this process will do, in short.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.files.iter().map(|file| format!("Read config: {file}")).collect();
        lines.extend(self.config.summary());
        if !self.not_in_effect.is_empty() {
            lines.push(format!("not in effect in this release: {}", self.not_in_effect.join(", ")));
        }
        lines
    }
}
