//! A planned takeover under load: how long does nobody take writes?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use orchestrator::recovery::RecoveryRequest;

use crate::args::Args;
use crate::figures::{Figures, readable};
use crate::sandbox::{Sandbox, key};
use crate::service::{Service, actor};
use crate::sightings::trace;
use crate::writers::{Acknowledged, Writers, lost};

/// `bench takeover`.
///
/// # Errors
/// Servers that do not start, a takeover that fails, a lost write.
pub async fn run(args: &mut Args) -> Result<()> {
    let flavor: String = args.value("--flavor", "mariadb".to_owned())?;
    let replicas: usize = args.value("--replicas", 3)?;
    let runs: usize = args.value("--runs", 5)?;
    let tell = args.switch("--trace");
    args.end()?;
    let service = Service::start(5).await?;
    let sandbox = Sandbox::semi_sync_tree(&flavor, replicas)?;
    service.discover(&key(sandbox.source()?), sandbox.ports.len()).await?;
    let mut figures = Figures::default();
    for number in 1..=runs {
        println!("run {number} of {runs}");
        once(&service, &sandbox, tell, &mut figures).await?;
    }
    service.stop().await;
    figures
        .print(&format!("planned takeover (graceful-master-takeover-auto), {flavor}, {replicas} replicas, semi-sync"));
    Ok(())
}

async fn once(service: &Service, sandbox: &Sandbox, tell: bool, figures: &mut Figures) -> Result<()> {
    let writers = Writers::start(&sandbox.ports);
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(writers.acknowledged().len() > 20, "the write load does not run");
    let snapshot = service.services.fleet.snapshot();
    let cluster = snapshot.instances.values().next().context("nobody is known")?.cluster_name.clone();
    let (began, began_at) = (Instant::now(), Utc::now());
    let request = RecoveryRequest::Takeover { cluster, designated: None, auto: true };
    let takeover = service.services.recovery.run_to_end(&request, &actor()).await?;
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let acknowledged = writers.stop().await;
    if tell {
        trace(&takeover, began_at);
    }
    ensure!(takeover.is_successful(), "the takeover failed: {:#?}", takeover.story);
    let successor = takeover.successor.clone().context("a takeover without a successor")?.port;
    let pause = longest_pause(&acknowledged, began).context("no writes")?;
    let lost = lost(&acknowledged, &sandbox.sql(successor, "SELECT id FROM app.writes")?);
    println!("  no writes for {}, takeover {}; {lost} of {} lost", readable(pause), readable(took), acknowledged.len());
    ensure!(lost == 0, "{lost} acknowledged writes are lost");
    figures.add("longest time without an acknowledged write", pause);
    figures.add("the whole takeover", took);
    Ok(())
}

/// The longest time between two writes acknowledged one after the other, from a moment on.
fn longest_pause(acknowledged: &[Acknowledged], from: Instant) -> Option<Duration> {
    let mut times: Vec<Instant> = acknowledged.iter().map(|w| w.at).filter(|at| *at >= from).collect();
    times.sort_unstable();
    times.windows(2).filter_map(|pair| Some(*pair.get(1)? - *pair.first()?)).max()
}
