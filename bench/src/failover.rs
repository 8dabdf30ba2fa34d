//! A source dies under a write load: how soon is it known, how soon does somebody take writes, when is all done?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use app::finding::AnalysisCode;
use chrono::Utc;

use crate::args::Args;
use crate::figures::{Figures, readable};
use crate::sandbox::{Sandbox, key};
use crate::service::Service;
use crate::sightings::{Sightings, trace};
use crate::writers::{Writers, lost};

/// The longest that a failover may take before the measurement is given up: a hung host is seen by time-outs only.
const LIMIT: Duration = Duration::from_secs(120);

struct Options {
    flavor: String,
    replicas: usize,
    poll: u64,
    hung: bool,
    trace: bool,
}

/// `bench failover`.
///
/// # Errors
/// Servers that do not start, a failover that does not come, a lost write.
pub async fn run(args: &mut Args) -> Result<()> {
    let options = Options {
        flavor: args.value("--flavor", "mariadb".to_owned())?,
        replicas: args.value("--replicas", 3)?,
        poll: args.value("--poll", 5)?,
        hung: args.switch("--hung"),
        trace: args.switch("--trace"),
    };
    let runs: usize = args.value("--runs", 5)?;
    args.end()?;
    let mut figures = Figures::default();
    for number in 1..=runs {
        println!("run {number} of {runs}");
        once(&options, &mut figures).await?;
    }
    let fault = if options.hung { "SIGSTOP" } else { "SIGKILL" };
    figures.print(&format!(
        "failover, {}, {} replicas, semi-sync, {fault}, InstancePollSeconds {}",
        options.flavor, options.replicas, options.poll
    ));
    Ok(())
}

async fn once(options: &Options, figures: &mut Figures) -> Result<()> {
    let service = Service::start(options.poll).await?;
    let sandbox = Sandbox::semi_sync_tree(&options.flavor, options.replicas)?;
    let source = sandbox.source()?;
    service.discover(&key(source), sandbox.ports.len()).await?;
    service.settled().await;
    let sightings = Sightings::of(&service.services, &key(source));
    let writers = Writers::start(&sandbox.ports);
    // Not in step with the polls.
    let wait = 1_000 + u64::from(Utc::now().timestamp_subsec_millis());
    tokio::time::sleep(Duration::from_millis(wait)).await;
    ensure!(writers.acknowledged().len() > 20, "the write load does not run");

    let (killed, killed_at) = (Instant::now(), Utc::now());
    sandbox.signal(source, if options.hung { "STOP" } else { "KILL" })?;
    let recovery = service.recovered(&key(source), LIMIT).await?;
    let ended = killed.elapsed();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let acknowledged = writers.stop().await;
    if options.trace {
        for (at, code) in sightings.all() {
            println!("  {:>7} ms  finding {code}", at.saturating_duration_since(killed).as_millis());
        }
        trace(&recovery, killed_at);
    }
    ensure!(recovery.is_successful(), "the recovery failed: {:#?}", recovery.story);
    let successor = recovery.successor.clone().context("a recovery without a successor")?.port;

    let dead = |code: &AnalysisCode| matches!(code, AnalysisCode::DeadSource | AnalysisCode::DeadSourceAndSomeReplicas);
    let found = sightings.all().into_iter().find(|(_, code)| dead(code)).map(|(at, _)| at - killed);
    let written = acknowledged.iter().find(|w| w.port == successor && w.at > killed).map(|w| w.at - killed);
    let lost = lost(&acknowledged, &sandbox.sql(successor, "SELECT id FROM app.writes")?);
    println!(
        "  found {}, first write {}, ended {}; {} writes acknowledged, {lost} of them lost",
        found.map(readable).unwrap_or_default(),
        written.map(readable).unwrap_or_default(),
        readable(ended),
        acknowledged.len()
    );
    ensure!(lost == 0, "{lost} acknowledged writes are lost");
    figures.add("fault to finding", found.context("no finding")?);
    figures.add("fault to first acknowledged write on the successor", written.context("no write")?);
    figures.add("fault to the end of the recovery", ended);
    if options.hung {
        sandbox.signal(source, "CONT")?;
    }
    service.stop().await;
    Ok(())
}
