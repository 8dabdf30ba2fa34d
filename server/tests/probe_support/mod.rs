//! Real servers for the tests of probing: `scripts/sandbox`, one folder per test, gone when the test is.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use app::InstanceKey;
use orchestrator::mysql::ConnectSettings;

/// The family of servers of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    MariaDb,
    MySql,
}

impl Family {
    fn option(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }
}

/// Servers on loopback, destroyed on drop.
pub struct Sandbox {
    dir: tempfile::TempDir,
    pub family: Family,
    pub ports: Vec<u16>,
}

impl Sandbox {
    /// Starts servers on these ports, side by side.
    pub fn start(family: Family, ports: &[u16], options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("probe-test").tempdir().expect("a folder");
        let sandbox = Self { dir, family, ports: ports.to_vec() };
        let owner = std::process::id().to_string();
        let mut arguments = vec!["--flavor", family.option(), "--owner", &owner];
        let texts: Vec<String> = ports.iter().map(u16::to_string).collect();
        for port in &texts {
            arguments.extend(["--port", port]);
        }
        for option in options {
            arguments.extend(["--opt", option]);
        }
        sandbox.run("start", &arguments);
        sandbox
    }

    /// A chain or tree: each pair is source, replica.
    pub fn replicate(&self, pairs: &[(u16, u16)]) {
        for (source, replica) in pairs {
            self.run("replicate", &["--source", &source.to_string(), "--port", &replica.to_string()]);
        }
    }

    /// Any command of the script.
    pub fn run(&self, command: &str, arguments: &[&str]) -> String {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/sandbox");
        let output = Command::new(script)
            .arg(command)
            .arg("--dir")
            .arg(self.dir.path())
            .args(arguments)
            .output()
            .expect("scripts/sandbox runs");
        assert!(
            output.status.success(),
            "sandbox {command} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs statements as root.
    pub fn sql(&self, port: u16, statements: &str) -> String {
        self.run("sql", &["--port", &port.to_string(), statements]).trim().to_owned()
    }

    /// Kills a server's process.
    pub fn kill(&self, port: u16) {
        self.run("kill", &["--port", &port.to_string()]);
    }

    /// Pid of a server.
    pub fn pid(&self, port: u16) -> String {
        std::fs::read_to_string(self.dir.path().join(port.to_string()).join("pid")).expect("a pid").trim().to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.run("destroy", &[]);
    }
}

/// The key of a server of the sandbox.
pub fn key(port: u16) -> InstanceKey {
    InstanceKey::new("127.0.0.1", port)
}

/// The account that the sandbox made for us.
pub fn account() -> ConnectSettings {
    ConnectSettings {
        user: "orchestrator".to_owned(),
        password: "orch_topology_password".to_owned(),
        ..ConnectSettings::default()
    }
}

/// Asks again and again until the answer is yes.
pub async fn until<F: Future<Output = bool>>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> Duration {
    let began = Instant::now();
    loop {
        if check().await {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
