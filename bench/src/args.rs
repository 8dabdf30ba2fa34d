//! Options of the command line: `--name value`, or `--name` alone for a switch.

use anyhow::{Context as _, Result, bail};

/// What is left to be taken of the command line.
pub struct Args {
    command: String,
    rest: Vec<String>,
}

impl Args {
    /// The process's own arguments.
    pub fn from_process() -> Self {
        let mut words = std::env::args().skip(1);
        Self { command: words.next().unwrap_or_default(), rest: words.collect() }
    }

    /// The first word.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Takes a switch.
    pub fn switch(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|word| word == name);
        found.map(|at| self.rest.remove(at)).is_some()
    }

    /// Takes all values of an option, in order.
    ///
    /// # Errors
    /// An option without its value.
    pub fn all(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = vec![];
        while let Some(at) = self.rest.iter().position(|word| word == name) {
            self.rest.remove(at);
            if at >= self.rest.len() {
                bail!("{name} wants a value");
            }
            values.push(self.rest.remove(at));
        }
        Ok(values)
    }

    /// Takes the value of an option, or what it is without one.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn value<T: std::str::FromStr>(&mut self, name: &str, without: T) -> Result<T> {
        match self.all(name)?.pop() {
            None => Ok(without),
            Some(text) => text.parse().ok().with_context(|| format!("{name}: {text:?} is not understood")),
        }
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// Names it.
    pub fn end(&self) -> Result<()> {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => bail!("unknown option {word:?} of {} (bench help)", self.command),
        }
    }
}
