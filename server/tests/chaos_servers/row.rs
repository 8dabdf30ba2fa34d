//! One line of the table that `make chaos` prints.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::project_dir;

/// What one scenario came to. Kept when it is dropped, so that one that panics has its line too.
pub struct Row {
    scenario: &'static str,
    flavor: &'static str,
    /// How it ended; "FAILED" until somebody knows better.
    pub outcome: String,
    /// From the fault to the first write that another server acknowledged.
    pub writable: Option<Duration>,
    /// Acknowledged writes, and those of them that are lost.
    pub writes: Option<(usize, usize)>,
    /// Servers that take writes in the end.
    pub writable_servers: Option<usize>,
    /// Errant transactions on servers that replicate.
    pub errant: Option<usize>,
    /// Everybody has the same rows and replicates.
    pub converged: Option<Duration>,
    /// Anything else worth a line.
    pub note: String,
}

impl Row {
    /// Begins the line of a scenario.
    pub fn of(scenario: &'static str, flavor: &'static str) -> Self {
        Self {
            scenario,
            flavor,
            outcome: "FAILED".to_owned(),
            writable: None,
            writes: None,
            writable_servers: None,
            errant: None,
            converged: None,
            note: String::new(),
        }
    }

    /// `mariadb` or `mysql`.
    pub fn flavor(&self) -> &'static str {
        self.flavor
    }

    /// A scenario that cannot run here, or not yet.
    pub fn skip(mut self, why: &str) {
        println!("{} on {}: not run: {why}", self.scenario, self.flavor);
        self.outcome = "not run".to_owned();
        why.clone_into(&mut self.note);
    }

    fn cells(&self) -> [String; 9] {
        let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let time = |t: Option<Duration>| t.map_or_else(|| "-".to_owned(), |t| format!("{:.2} s", t.as_secs_f64()));
        [
            self.scenario.to_owned(),
            self.flavor.to_owned(),
            self.outcome.clone(),
            time(self.writable),
            self.writes.map_or_else(|| "-".to_owned(), |(all, lost)| format!("{lost} of {all}")),
            count(self.writable_servers),
            count(self.errant),
            time(self.converged),
            self.note.replace(['\n', '\t', '|'], " "),
        ]
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let line = self.cells().join("|");
        println!("{line}");
        let folder = std::env::var_os("CHAOS_ROWS").map_or_else(|| project_dir().join("target/chaos"), PathBuf::from);
        let name = format!("{}-{}", self.scenario.replace(' ', "-"), self.flavor);
        // The table is for people: a scenario is not failed by a full disk.
        let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), line + "\n"));
        if let Err(error) = kept {
            eprintln!("the line cannot be kept: {error}");
        }
    }
}
