//! Many who log in at the same time, and many who watch.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use app::api::Role;
use chrono::Utc;
use futures_util::future::join_all;
use orchestrator::auth::{blank_user, hash_password};
use orchestrator::consensus::Command;
use orchestrator::serve::{self, Limits, Listener};
use orchestrator::store::UserRecord;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::args::Args;
use crate::figures::{quantile, readable};
use crate::fleet_cost::{cpu_seconds, find, memory_mb, start_servers, watch};
use crate::service::{Service, actor};

const PASSWORD: &str = "correct horse battery";

/// `bench door`. Clients and service are one process: its figures are what both take.
///
/// # Errors
/// Servers that are not found, logins that are refused.
pub async fn run(args: &mut Args) -> Result<()> {
    let servers: usize = args.value("--servers", 100)?;
    let logins: usize = args.value("--logins", 200)?;
    let viewers: usize = args.value("--viewers", 1_000)?;
    let long = Duration::from_secs(args.value("--seconds", 15)?);
    let poll: u64 = args.value("--poll", 5)?;
    args.end()?;
    let (_fleet, port) = start_servers(servers).await?;
    let service = Service::start_with(poll, &serde_json::json!({"AuthenticationMethod": "local"})).await?;
    make_users(&service, logins).await?;
    let address = open_door(&service).await?;
    find(&service, servers, port).await?;
    tokio::time::sleep(Duration::from_secs(poll * 2)).await;

    println!(
        "| | logins/s | login p50 | max | polls late by p50 | p99 | max | processor, of one core |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    );
    measure(&service, "nobody logs in", poll, long, std::future::pending()).await?;
    measure(&service, &format!("{logins} at a time"), poll, long, log_in_again_and_again(address, logins)).await?;

    let cookie = log_in(address, 0).await?.0;
    let (memory, quiet) = (memory_mb()?, processor(long).await?);
    let open =
        join_all((0..viewers).map(|_| follow(address, &cookie))).await.into_iter().collect::<Result<Vec<_>>>()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let busy = processor(long).await?;
    println!(
        "\n| viewers | memory more (100 MB at most) | processor more, of one core (50 % at most) |\n|---:|---:|---:|"
    );
    println!("| {} | {:.0} MB | {:.0} % |", open.len(), memory_mb()? - memory, (busy - quiet) * 100.0);
    drop(open);
    service.stop().await;
    Ok(())
}

/// Users with one password, which is hashed as every one is.
async fn make_users(service: &Service, count: usize) -> Result<()> {
    let password_hash = hash_password(PASSWORD)?;
    for number in 0..count {
        let blank = blank_user(&format!("u{number}"), Role::Viewer, &[], Utc::now());
        let user = Box::new(UserRecord { password_hash: password_hash.clone(), ..blank });
        service.services.consensus.submit(Command::PutUser { user, is_new: true }, &actor()).await?;
    }
    Ok(())
}

async fn open_door(service: &Service) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = orchestrator::api::router(Arc::new(service.services.clone()));
    // The listener of the program, with the limits that it has there.
    let (listener, stop) = (Listener::Tcp(listener), service.services.tasks.stop_token());
    tokio::spawn(serve::serve(listener, router, None, Limits::default(), stop));
    Ok(address)
}

/// How late polls are while something goes on; that tells how many logins there were and how long each took.
async fn measure(
    service: &Service,
    what: &str,
    poll: u64,
    long: Duration,
    work: impl Future<Output = Result<Vec<Duration>>>,
) -> Result<()> {
    let (cpu, clock) = (cpu_seconds()?, Instant::now());
    let worked = tokio::time::timeout(long + Duration::from_secs(1), work);
    let (seen, worked) = tokio::join!(watch(service, long), worked);
    let mut took = match worked {
        Ok(took) => took?,
        // Nobody does anything.
        Err(_) => Vec::new(),
    };
    let seconds = clock.elapsed().as_secs_f64();
    let cpu = (cpu_seconds()? - cpu) / seconds;
    let mut late: Vec<Duration> = seen.iter().map(|gap| gap.saturating_sub(Duration::from_secs(poll))).collect();
    late.sort_unstable();
    took.sort_unstable();
    let of = |times: &[Duration], share| quantile(times, share).map_or_else(|| "-".to_owned(), readable);
    println!(
        "| {what} | {:.0} | {} | {} | {} | {} | {} | {:.0} % |",
        took.len() as f64 / seconds,
        of(&took, 0.5),
        of(&took, 1.0),
        of(&late, 0.5),
        of(&late, 0.99),
        of(&late, 1.0),
        cpu * 100.0
    );
    Ok(())
}

/// Rounds of so many at the same time, for some ten seconds.
async fn log_in_again_and_again(address: SocketAddr, count: usize) -> Result<Vec<Duration>> {
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(8) {
        for done in join_all((0..count).map(|number| log_in(address, number))).await {
            took.push(done?.1);
        }
    }
    Ok(took)
}

/// Logs a user in. Gives the cookie, and how long it took.
async fn log_in(address: SocketAddr, number: usize) -> Result<(String, Duration)> {
    let began = Instant::now();
    let body = serde_json::json!({"user": format!("u{number}"), "password": PASSWORD}).to_string();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "POST /api/v2/login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "a login was answered with {answer:?}");
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).context("a cookie")?;
    Ok((set.split(';').next().unwrap_or_default().to_owned(), began.elapsed()))
}

/// Opens a stream of events and reads it in the background, as a page does.
async fn follow(address: SocketAddr, cookie: &str) -> Result<tokio::task::JoinHandle<()>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /api/v2/events HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await?;
    ensure!(first == *b"HTTP/1.1 200", "a stream was answered with {:?}", String::from_utf8_lossy(&first));
    Ok(tokio::spawn(async move {
        let mut heard = [0; 1_024];
        while stream.read(&mut heard).await.is_ok_and(|count| count > 0) {}
    }))
}

/// Processor time of this process for a while, as a share of one core.
async fn processor(long: Duration) -> Result<f64> {
    let (cpu, clock) = (cpu_seconds()?, Instant::now());
    tokio::time::sleep(long).await;
    Ok((cpu_seconds()? - cpu) / clock.elapsed().as_secs_f64())
}
