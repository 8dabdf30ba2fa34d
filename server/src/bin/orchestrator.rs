//! The program: a service, a command line, and the page inside.

use std::io::Write as _;
use std::process::ExitCode;

use orchestrator::cli::{self, Surroundings};

fn main() -> ExitCode {
    // With one provider of cryptography installed, TLS never has to guess which one is meant. It fails only when one is
    // installed already, which is as good.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ending = runtime.block_on(cli::run(std::env::args().skip(1).collect(), surroundings()));
    // A reader that went away is no failure of the command.
    let _nobody_reads = std::io::stdout().write_all(ending.stdout.as_bytes());
    let _nobody_reads = std::io::stderr().write_all(ending.stderr.as_bytes());
    ExitCode::from(ending.code)
}

fn surroundings() -> Surroundings {
    Surroundings { user: cli::caller::os_user(), hostname: orchestrator::node::hostname() }
}
