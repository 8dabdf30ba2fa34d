//! The client: the commands over HTTP.

use std::io::Write as _;
use std::process::ExitCode;

use orchestrator::cli::{Ending, caller};
use orchestrator::client::{self, Surroundings};

fn main() -> ExitCode {
    let ending = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(client::run(words(), surroundings())),
        Err(error) => Ending { stderr: format!("cannot start: {error}\n"), code: 1, ..Ending::default() },
    };
    // A reader that went away is no failure of the command.
    let _nobody_reads = std::io::stdout().write_all(ending.stdout.as_bytes());
    let _nobody_reads = std::io::stderr().write_all(ending.stderr.as_bytes());
    ExitCode::from(ending.code)
}

/// What is no text becomes one that the commands refuse by showing it.
fn words() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

fn surroundings() -> Surroundings {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Surroundings {
        variables,
        profile: client::PROFILE.into(),
        user: caller::os_user(),
        pid: std::process::id(),
        pauses: client::PAUSES.to_vec(),
    }
}
