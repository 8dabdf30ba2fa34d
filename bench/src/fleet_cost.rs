//! The service against a fleet of made-up servers: what watching costs.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use app::InstanceKey;
use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::args::Args;
use crate::figures::{quantile, readable};
use crate::service::Service;
use crate::wire;

/// Clock ticks in a second, as the kernel tells times of processes: so on every Linux.
const TICKS: f64 = 100.0;

/// `bench fleet`.
///
/// # Errors
/// Servers that are not found.
pub async fn run(args: &mut Args) -> Result<()> {
    let count: usize = args.value("--servers", 100)?;
    let seconds: u64 = args.value("--seconds", 30)?;
    let poll: u64 = args.value("--poll", 5)?;
    args.end()?;
    let (_fleet, port) = start_servers(count).await?;
    let before = memory_mb()?;
    let service = Service::start(poll).await?;

    let found = find(&service, count, port).await?;
    // Until everything has its place in the period.
    tokio::time::sleep(Duration::from_secs(poll * 2)).await;

    let (cpu, clock) = (cpu_seconds()?, Instant::now());
    let seen = watch(&service, Duration::from_secs(seconds)).await;
    let cpu = (cpu_seconds()? - cpu) / clock.elapsed().as_secs_f64();
    let period = Duration::from_secs(poll);
    let mut late: Vec<Duration> = seen.iter().map(|gap| gap.saturating_sub(period)).collect();
    late.sort_unstable();
    let at = |share| quantile(&late, share).map(readable).unwrap_or_default();
    let invalid = service.services.fleet.snapshot().instances.values().filter(|i| !i.check.is_valid()).count();
    println!(
        "| servers | all found in | polls/s | processor, of one core | memory | poll late by p50 | p99 | max | invalid |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    println!(
        "| {count} | {} | {:.0} | {:.0} % | {:.0} MB (of which before the first server: {before:.0}) | {} | {} | {} | {invalid} |",
        readable(found),
        seen.len() as f64 / clock.elapsed().as_secs_f64(),
        cpu * 100.0,
        memory_mb()?,
        at(0.5),
        at(0.99),
        at(1.0),
    );
    service.stop().await;
    Ok(())
}

/// Makes so many servers known. Gives how long it took.
pub async fn find(service: &Service, count: usize, port: u16) -> Result<Duration> {
    let began = Instant::now();
    for first in (0..count).step_by(wire::CLUSTER) {
        service.services.discovery.discover(&wire::key(first, port)).await?;
    }
    loop {
        let known = service.services.fleet.snapshot().instances.values().filter(|i| i.check.is_valid()).count();
        if known >= count {
            return Ok(began.elapsed());
        }
        anyhow::ensure!(began.elapsed() < Duration::from_secs(300), "{known} of {count} servers found in 5 minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Times between one poll of a server and its next.
pub async fn watch(service: &Service, long: Duration) -> Vec<Duration> {
    let mut last: HashMap<InstanceKey, DateTime<Utc>> = HashMap::new();
    let mut gaps = vec![];
    let began = Instant::now();
    while began.elapsed() < long {
        for instance in service.services.fleet.snapshot().instances.values() {
            let Some(at) = instance.check.last_attempted else { continue };
            match last.insert(instance.key.clone(), at) {
                Some(before) if before < at => gaps.extend((at - before).to_std()),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    gaps
}

/// The servers are a process of their own, so that only the service is measured here.
pub async fn start_servers(count: usize) -> Result<(Child, u16)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["fleet-servers", "--servers", &count.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.take().context("its output")?;
    let line = BufReader::new(out).lines().next_line().await?.context("the servers did not start")?;
    Ok((child, line.trim().parse()?))
}

/// Processor time of this process so far.
pub fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field, the name, may hold spaces.
    let (_, rest) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    Ok(ticks / TICKS)
}

/// Resident memory of this process.
pub fn memory_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
