//! Real servers on loopback, by `scripts/sandbox`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use app::InstanceKey;

/// Servers in a folder of their own; gone when this is dropped, or when this process is.
pub struct Sandbox {
    dir: tempfile::TempDir,
    flavor: String,
    /// TCP ports on 127.0.0.1, one per server.
    pub ports: Vec<u16>,
}

impl Sandbox {
    /// Starts so many servers side by side and waits until they are ready.
    ///
    /// # Errors
    /// What `scripts/sandbox` says.
    pub fn start(flavor: &str, count: usize) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir()?;
        let reserved = script(&["ports".to_owned(), "--count".to_owned(), count.to_string()])?;
        let ports = reserved.lines().map(|line| line.trim().parse()).collect::<Result<Vec<u16>, _>>()?;
        let sandbox = Self { dir, flavor: flavor.to_owned(), ports };
        let mut args = sandbox.args("start");
        args.extend(sandbox.ports.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        args.extend(["--flavor".to_owned(), sandbox.flavor.clone()]);
        args.extend(["--owner".to_owned(), std::process::id().to_string()]);
        script(&args)?;
        Ok(sandbox)
    }

    /// A source, the first port, with replicas below it, semi-synchronous.
    ///
    /// # Errors
    /// What `scripts/sandbox` says.
    pub fn semi_sync_tree(flavor: &str, replicas: usize) -> Result<Self> {
        let sandbox = Self::start(flavor, replicas + 1)?;
        let source = sandbox.source()?.to_string();
        let mut args = vec!["--source".to_owned(), source.clone()];
        args.extend(sandbox.ports.iter().skip(1).flat_map(|p| ["--port".to_owned(), p.to_string()]));
        sandbox.run("replicate", &args)?;
        sandbox.run("semisync", &["--source".to_owned(), source])?;
        Ok(sandbox)
    }

    /// The first server.
    ///
    /// # Errors
    /// There is none.
    pub fn source(&self) -> Result<u16> {
        self.ports.first().copied().context("a sandbox without servers")
    }

    /// Runs any command of `scripts/sandbox` on this folder and returns what it printed.
    ///
    /// # Errors
    /// What it says.
    pub fn run(&self, command: &str, args: &[String]) -> Result<String> {
        let mut all = self.args(command);
        all.extend_from_slice(args);
        script(&all)
    }

    /// Runs a statement as root; tab-separated rows without headings.
    ///
    /// # Errors
    /// What the server says.
    pub fn sql(&self, port: u16, statement: &str) -> Result<String> {
        self.run("sql", &["--port".to_owned(), port.to_string(), statement.to_owned()])
    }

    /// Sends a signal to a server at once: the script's own `kill` takes longer to start than what is measured.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, port: u16, signal: &str) -> Result<()> {
        let file = self.dir.path().join(port.to_string()).join("pid");
        let pid = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let sent = Command::new("kill").args(["-s", signal, pid.trim()]).status()?;
        ensure!(sent.success(), "server {port} does not run");
        Ok(())
    }

    fn args(&self, command: &str) -> Vec<String> {
        vec![command.to_owned(), "--dir".to_owned(), self.dir.path().display().to_string()]
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // `--owner` ends the servers with this process if this fails.
        let _ = run_script(&self.args("destroy"));
    }
}

/// The key of a server of the sandbox.
pub fn key(port: u16) -> InstanceKey {
    InstanceKey::new("127.0.0.1", port)
}

fn script(args: &[String]) -> Result<String> {
    let output = run_script(args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "scripts/sandbox {} failed (is scripts/setup-servers.sh done?):\n{said}",
        args.join(" ")
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run_script(args: &[String]) -> Result<Output> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default();
    let script = project.join("scripts/sandbox");
    Command::new(&script).args(args).output().with_context(|| format!("running {}", script.display()))
}
