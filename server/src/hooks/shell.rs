//! Runs a script by the configured shell, as a process group of its own that can be ended as a whole.

use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::{Ended, OUTPUT_KEPT, Script};

/// A hook at its limit gets this long to end by itself.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a hook left running in the background may hold its output open; the hook itself has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(200);

/// Runs a script to its end, or to its limit (`None` = none).
pub(super) async fn run(script: &Script, limit: Option<Duration>) -> Ended {
    match attempt(script, limit).await {
        Ok(ended) => ended,
        Err(error) => {
            let error = format!("cannot be run by {:?}: {error}", script.shell);
            Ended { error, ..Ended::default() }
        }
    }
}

async fn attempt(call: &Script, limit: Option<Duration>) -> io::Result<Ended> {
    // Kept until the end of the run: shells read as they go.
    let script = write_script(call.text.clone()).await?;
    let document = open_document(call.document.clone()).await?;
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(&call.shell);
    command
        .arg(&script)
        .args(&call.arguments)
        .envs(call.environment.iter().map(|(name, value)| (name, value)))
        .stdin(document)
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let mut child = command.spawn()?;
    // It holds the writing ends of the pipe.
    drop(command);
    let mut group = Group::of(&child);
    let output = Arc::new(Mutex::new(Vec::new()));
    let mut reading = tokio::spawn(collect(reader.into(), Arc::clone(&output)));
    let ended = match limit {
        Some(limit) => tokio::time::timeout(limit, child.wait()).await,
        None => Ok(child.wait().await),
    };
    let ended = match ended {
        Ok(status) => {
            // What it left in the background on purpose goes on.
            group.forget();
            of_status(status?)
        }
        Err(_) => {
            group.end(&mut child).await;
            let limit = limit.unwrap_or_default().as_secs();
            Ended { error: format!("did not end within {limit} s and was killed"), ..Ended::default() }
        }
    };
    let _still_open = tokio::time::timeout(OUTPUT_PATIENCE, &mut reading).await;
    let output = output.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ended { output: String::from_utf8_lossy(&output).into_owned(), ..ended })
}

/// The script in a file only we can read, gone when the path is dropped.
async fn write_script(text: String) -> io::Result<tempfile::TempPath> {
    let write = move || {
        let file = tempfile::Builder::new().prefix("orchestrator-process-cmd-").tempfile()?;
        std::fs::write(file.path(), text)?;
        Ok(file.into_temp_path())
    };
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}

/// Standard input. A file and no pipe: a hook that does not read it holds nobody up, and one that does may take its time.
async fn open_document(text: String) -> io::Result<Stdio> {
    let write = move || {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok(Stdio::from(file))
    };
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}

async fn collect(reader: OwnedFd, output: Arc<Mutex<Vec<u8>>>) {
    let Ok(mut reader) = pipe::Receiver::from_owned_fd(reader) else { return };
    let mut buffer = [0_u8; 4096];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
        let room = OUTPUT_KEPT.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
    }
}

fn of_status(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    let error = match (status.code(), status.signal()) {
        (Some(0), _) => String::new(),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    Ended { exit_code: status.code(), error, output: String::new() }
}

/// A process and all it started; killed when dropped, so that no hook outlives the recovery that waits for it.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn forget(&mut self) {
        self.0 = None;
    }

    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        let _gone = tokio::time::timeout(LAST_WORDS, child.wait()).await;
        self.signal(Signal::KILL);
        let _reaped = child.wait().await;
        self.forget();
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
