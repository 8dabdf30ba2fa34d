//! The configuration, from files to the values that other rooms read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod live;
mod merging;
mod passwords;
mod properties;
mod published;
mod table;
mod validation;

use std::path::PathBuf;
use std::sync::Arc;

use orchestrator::config::{ConfigError, Environment, Files, Loaded, Sources, load};

/// A folder of configuration files that goes away with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// An environment of exactly these variables.
fn environment(variables: &'static [(&'static str, &'static str)]) -> Environment {
    Arc::new(move |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn only(path: PathBuf) -> Sources {
    Sources::new(Files::Only(path), environment(&[]))
}

/// Reads a text as the only file, in an empty environment.
fn read(text: &str) -> Result<Loaded, ConfigError> {
    let folder = Folder::new();
    let path = folder.write("orchestrator.conf.json", text);
    load(&only(path))
}

/// Reads a text that is refused; the message.
fn refusal(text: &str) -> String {
    read(text).expect_err("accepted").to_string()
}

/// Whether a warning contains the text.
fn warned(loaded: &Loaded, text: &str) -> bool {
    loaded.warnings.iter().any(|warning| warning.contains(text))
}
