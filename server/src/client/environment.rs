//! What the environment says (`spec/api.md` 5.1).

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// If this file is there it is run first and may set the variables, as with the original.
pub const PROFILE: &str = "/etc/profile.d/orchestrator-client.sh";

/// Where the service is when nobody says.
pub const DEFAULT_API: &str = "http://localhost:3000";

/// The variables, in the order in which the profile hands them over.
const NAMES: [&str; 6] = [
    "ORCHESTRATOR_API",
    "ORCHESTRATOR_INSTANCE",
    "ORCHESTRATOR_AUTH_USER",
    "ORCHESTRATOR_AUTH_PASSWORD",
    "ORCHESTRATOR_AUTH_USER_HEADER",
    "ORCHESTRATOR_AUTH_TOKEN",
];

/// Runs the profile in a shell, as sourcing it would, and tells what the variables are then, each ended by a zero byte.
/// What the profile prints is not ours to print.
const SOURCE: &str = r#". "$1" >/dev/null; shift; for name; do eval "printf '%s\\0' \"\${$name-}\""; done"#;

/// Values of the variables; empty when not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// `ORCHESTRATOR_API`: one base address or several, separated by blanks.
    pub api: String,
    /// `ORCHESTRATOR_INSTANCE`: default of `-i`.
    pub instance: String,
    /// `ORCHESTRATOR_AUTH_USER`.
    pub user: String,
    /// `ORCHESTRATOR_AUTH_PASSWORD`.
    pub password: String,
    /// `ORCHESTRATOR_AUTH_USER_HEADER`: `Name:value`.
    pub header: String,
    /// `ORCHESTRATOR_AUTH_TOKEN`, of ours: a bearer token.
    pub token: String,
}

/// The profile could not be run.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {profile}: {why}")]
pub struct ProfileError {
    profile: String,
    why: String,
}

impl Environment {
    /// The variables, after the profile has set them if there is one.
    ///
    /// # Errors
    /// [`ProfileError`], naming the file.
    pub fn read(variables: &HashMap<String, String>, profile: &Path) -> Result<Self, ProfileError> {
        if profile.is_file() {
            return source(variables, profile)
                .map_err(|why| ProfileError { profile: profile.display().to_string(), why });
        }
        let values = NAMES.map(|name| variables.get(name).cloned().unwrap_or_default());
        Ok(Self::of(values))
    }

    fn of([api, instance, user, password, header, token]: [String; NAMES.len()]) -> Self {
        let api = if api.trim().is_empty() { DEFAULT_API.to_owned() } else { api };
        Self { api, instance, user, password, header, token }
    }
}

fn source(variables: &HashMap<String, String>, profile: &Path) -> Result<Environment, String> {
    // The original is a script of bash, and so may its profile be.
    let shell = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|shell| Path::new(shell).exists()).unwrap_or("/bin/sh");
    let output = Command::new(shell)
        .args(["-c", SOURCE, shell])
        .arg(profile)
        .args(NAMES)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{shell}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
    match <[String; NAMES.len()]>::try_from(values) {
        Ok(values) if output.status.success() => Ok(Environment::of(values)),
        _ => Err(format!("{shell} ended with {}", output.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn without_a_profile_the_variables_count() {
        let given = variables(&[("ORCHESTRATOR_INSTANCE", "db1"), ("ORCHESTRATOR_AUTH_TOKEN", "t"), ("PATH", "/bin")]);
        let read = Environment::read(&given, Path::new("/nosuch/profile.sh")).expect("read");
        let expected = Environment {
            api: DEFAULT_API.to_owned(),
            instance: "db1".to_owned(),
            token: "t".to_owned(),
            ..Environment::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_profile_is_run_first_and_may_refer_to_what_is_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = folder.path().join("it's a profile.sh");
        std::fs::write(
            &profile,
            "echo chatter\nORCHESTRATOR_API=\"http://a:3000 http://b:3000\"\n\
             export ORCHESTRATOR_AUTH_USER=${ORCHESTRATOR_AUTH_USER:-dba}\nORCHESTRATOR_AUTH_PASSWORD='a \"b\" $c'\n\
             [ -n \"$NOSUCH\" ] && ORCHESTRATOR_API=x\n",
        )
        .expect("written");
        let read = Environment::read(&variables(&[("ORCHESTRATOR_AUTH_USER", "eve")]), &profile).expect("read");
        assert_eq!((read.api.as_str(), read.user.as_str()), ("http://a:3000 http://b:3000", "eve"));
        assert_eq!((read.password.as_str(), read.header.as_str()), ("a \"b\" $c", ""));
    }

    #[test]
    fn a_profile_that_breaks_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = folder.path().join("profile.sh");
        std::fs::write(&profile, "exit 3\n").expect("written");
        let error = Environment::read(&HashMap::new(), &profile).expect_err("broken").to_string();
        assert!(error.contains("profile.sh") && error.contains('3'), "{error}");
    }
}
