//! Commands for the upkeep of one server (`spec/cli.md` 10.5, 10.7).

use app::api::Operation;

use super::change::single;
use crate::cli::bench::{Bench, Failure, Outcome};

/// `enable-gtid`
pub async fn enable_gtid(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::EnableGtid { server: server.clone() }, &server).await
}

/// `disable-gtid`
pub async fn disable_gtid(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::DisableGtid { server: server.clone() }, &server).await
}

/// `gtid-errant-reset-master`
pub async fn reset_errant(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::ResetErrant { server: server.clone() }, &server).await
}

/// `locate-gtid-errant`
pub async fn locate_errant(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let files = bench.services.refactor.locate_errant(&server).await.map_err(Failure::new)?;
    Ok(files.iter().map(|file| format!("{file}\n")).collect())
}

/// `skip-query`
pub async fn skip_query(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SkipQuery { server: server.clone() }, &server).await
}

/// `reset-replica`
pub async fn reset(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::ResetReplica { server: server.clone() }, &server).await
}

/// `change-master-credentials`
pub async fn set_credentials(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetCredentials { server: server.clone() }, &server).await
}

/// `enable-semi-sync-master`
pub async fn enable_semi_sync_source(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetSemiSyncSource { server: server.clone(), on: true }, &server).await
}

/// `disable-semi-sync-master`
pub async fn disable_semi_sync_source(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetSemiSyncSource { server: server.clone(), on: false }, &server).await
}

/// `enable-semi-sync-replica`
pub async fn enable_semi_sync_replica(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetSemiSyncReplica { server: server.clone(), on: true }, &server).await
}

/// `disable-semi-sync-replica`
pub async fn disable_semi_sync_replica(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    single(&bench, Operation::SetSemiSyncReplica { server: server.clone(), on: false }, &server).await
}

/// `restart-replica-statements`: nothing is sent
pub async fn restart_statements(bench: Bench) -> Outcome {
    let server = bench.known().await?;
    let statements = engine::statements::restart_around(&server, &bench.arguments.statement);
    Ok(statements.iter().map(|s| format!("{s}\n")).collect())
}

/// `flush-binary-logs`
pub async fn flush_binary_logs(bench: Bench) -> Outcome {
    let server = bench.target().await?;
    let until = bench.arguments.binlog.trim().to_owned();
    single(&bench, Operation::FlushBinaryLogs { server: server.clone(), until }, &server).await
}

/// `purge-binary-logs`
pub async fn purge_binary_logs(bench: Bench) -> Outcome {
    let to = bench.arguments.binlog.trim().to_owned();
    if to.is_empty() {
        return Err(Failure::new("purge-binary-logs needs a log: expected -binlog FILE"));
    }
    let server = bench.target().await?;
    single(&bench, Operation::PurgeBinaryLogs { server: server.clone(), to, force: false }, &server).await
}
