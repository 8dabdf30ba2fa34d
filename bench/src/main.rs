//! Measures what `docs/PERFORMANCE.md` claims. `bench help` says how.
#![forbid(unsafe_code)]

mod api_cost;
mod args;
mod engine_cost;
mod failover;
mod figures;
mod fleet_cost;
mod sandbox;
mod service;
mod sightings;
mod store_cost;
mod takeover;
mod trees;
mod wire;
mod writers;

use anyhow::{Result, bail};

use args::Args;

const USAGE: &str = "Usage: bench COMMAND [OPTION]...   (scripts/bench.sh builds it first, optimised)

  failover [--flavor mariadb|mysql] [--runs 5] [--replicas 3] [--hung] [--poll 5] [--trace]
        real servers under a write load with semi-sync; the source is killed (--hung: stopped, connections stay)
  takeover [--flavor mariadb|mysql] [--runs 5] [--replicas 3] [--trace]
        planned takeover under load: how long nobody takes writes
  engine [--servers 10000] [--clusters 200] [--runs 20]
        the cost of decisions on a large picture
  api [--servers 10000] [--clusters 200] [--runs 50]
        answers of the API on a large picture, over a connection
  store [--servers 10000] [--backend sqlite|mariadb|mysql]...
        rows written a second, and how long a start takes to read them
  fleet [--servers 100] [--seconds 30] [--poll 5]
        the service against so many made-up servers: processor time, memory, lateness of polls

Any of them with --log info shows the service's own log as well.";

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = Args::from_process();
    let filter: String = args.value("--log", String::new())?;
    if !filter.is_empty() {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    match args.command() {
        "failover" => failover::run(&mut args).await,
        "takeover" => takeover::run(&mut args).await,
        "engine" => engine_cost::run(&mut args),
        "api" => api_cost::run(&mut args).await,
        "store" => store_cost::run(&mut args).await,
        "fleet" => fleet_cost::run(&mut args).await,
        "fleet-servers" => wire::run(&mut args).await,
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown command {other:?}\n\n{USAGE}"),
    }
}
